"""Label maps of 3D Slicer: what its segments are called is heard, and layers are told before any dialect is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bratsseg.errors import ContentError, DialectError
from bratsseg.evaluation import evaluate_folders
from tests.evaluation.test_folders import dices, labels, save

pytest.importorskip("itk")


def slicer(path: Path, values: np.ndarray, names: dict[int, str], layers: int = 1, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = values if layers == 1 else np.stack([values] * layers)
    lead, kind = ("none ", "list ") if layers > 1 else ("", "")
    lines = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {stored.ndim}",
        "space: right-anterior-superior",
        f"sizes: {' '.join(map(str, stored.shape))}",
        f"space directions: {lead}(1,0,0) (0,1,0) (0,0,1)",
        f"kinds: {kind}domain domain domain",
        "encoding: raw",
        "space origin: (0,0,0)",
    ]
    for number, (value, name) in enumerate(names.items()):
        lines += [f"Segment{number}_LabelValue:={value}", f"Segment{number}_Name:={name}"]
    path.write_bytes((end.join(lines) + 2 * end).encode() + stored.astype(np.uint8).tobytes(order="F"))
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    save(tmp_path / "truth" / "P1_seg.nii.gz", labels(), np.eye(4))
    return tmp_path / "truth"


def evaluated(root: Path, truth: Path, dialect: str | None):
    return evaluate_folders(root, truth, predicted_dialect=dialect, reference_dialect="brats2023")


NAMES = {1: "Necrosis", 2: "edema", 3: "enhancing tumor"}


def test_names_of_segments_are_told_where_the_dialect_is_asked(tmp_path: Path, truth: Path) -> None:
    slicer(tmp_path / "in" / "P1.seg.nrrd", labels(), NAMES)
    with pytest.raises(DialectError, match="1 'Necrosis', 2 'edema', 3 'enhancing tumor'"):
        evaluated(tmp_path / "in", truth, None)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("dialect", ["msd", "brats2013", "brats2024-ped", "nnunet-brats21"])
def test_a_dialect_that_segments_contradict_is_refused(tmp_path: Path, truth: Path, dialect: str, end: str) -> None:
    slicer(tmp_path / "in" / "P1.seg.nrrd", labels(), NAMES, end=end)
    with pytest.raises(DialectError, match=rf"{dialect} \d is something else; say brats2023"):
        evaluated(tmp_path / "in", truth, dialect)


@pytest.mark.parametrize(
    "names", [NAMES, {1: "Segment_1", 2: "Segment_2"}, {1: "Tumour core", 2: "Peritumoral oedema", 3: "Enhancing"}]
)
def test_a_dialect_that_segments_confirm_is_taken(tmp_path: Path, truth: Path, names: dict[int, str]) -> None:
    slicer(tmp_path / "in" / "P1.seg.nrrd", labels(), names)
    assert dices(evaluated(tmp_path / "in", truth, "brats2023")) == {"P1": (1.0, 1.0, 1.0)}


def test_layers_are_told_before_a_dialect_is_asked(tmp_path: Path, truth: Path) -> None:
    slicer(tmp_path / "in" / "P1.seg.nrrd", labels(), NAMES, layers=2)
    with pytest.raises(ContentError, match="must be one layer"):
        evaluated(tmp_path / "in", truth, None)
