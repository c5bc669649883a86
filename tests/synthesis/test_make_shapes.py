from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

from bratsseg.synthesis.shapes import Shapes

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_shapes.py"


def write_map(path: Path, labels: np.ndarray, affine: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(labels.astype(np.uint8), affine), path)


def test_the_decathlons_folder_becomes_a_file_of_shapes(tmp_path: Path) -> None:
    """Whatever the axes of a map; empty ones, those left out, and a Mac's shadows of files are not in it."""
    labels = np.zeros((240, 240, 155), np.uint8)
    labels[150:170, 100:130, 60:90] = 1
    labels[155:160, 105:110, 65:70] = 3
    write_map(tmp_path / "BRATS_001.nii.gz", labels, np.eye(4))
    write_map(tmp_path / "BRATS_002.nii.gz", labels[::-1, ::-1], np.diag([-1.0, -1, 1, 1]))
    write_map(tmp_path / "BRATS_003.nii.gz", np.zeros_like(labels), np.eye(4))
    write_map(tmp_path / "BRATS_004.nii.gz", labels, np.eye(4))
    (tmp_path / "._BRATS_001.nii.gz").write_bytes(b"no scan")
    out = tmp_path / "shapes.npz"
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(out), "--without", "BRATS_004"]
    subprocess.run(command, check=True, capture_output=True)
    shapes = Shapes(out)
    assert shapes.names == ["BRATS_001", "BRATS_002"]
    for number in range(2):
        assert shapes.low(number).tolist() == [150, 100, 60]
        assert np.array_equal(shapes.labels(number), labels[150:170, 100:130, 60:90])


def test_other_labels_are_refused_by_name(tmp_path: Path) -> None:
    write_map(tmp_path / "BRATS_001.nii.gz", np.full((240, 240, 155), 4), np.eye(4))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), str(tmp_path / "s.npz")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "must be labels 0 to 3" in done.stderr
    assert not (tmp_path / "s.npz").exists()
