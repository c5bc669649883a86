"""A researcher's whole path on a miniature of the Medical Segmentation Decathlon: train, release, segment, evaluate."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.flows.conftest import bratsseg

pytest.importorskip("lightning", reason="training is an extra")

CONFIG = Path(__file__).parents[2] / "configs" / "training" / "unet3d_brats.yaml"
SMALL = (
    "preparation.spacing_mm=3",
    "windows.size=[32,32,32]",
    "network.widths=[8,16,16]",
    "data.workers=0",
    "trainer.batch_size=2",
    "trainer.steps_per_epoch=2",
    "trainer.max_epochs=2",
    "trainer.validate_every=1",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.threads=1",
)
SHAPE = (60, 66, 54)
LPS = np.diag([-1.5, -1.5, 1.5, 1.0])


@pytest.fixture(scope="module")
def decathlon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four patients as 4-D files; the tumour is brighter than the brain on every modality."""
    folder = tmp_path_factory.mktemp("Task01_BrainTumour")
    (folder / "imagesTr").mkdir()
    (folder / "labelsTr").mkdir()
    rng = np.random.default_rng(0)
    place = [np.indices(SHAPE)[axis] - SHAPE[axis] / 2 for axis in range(3)]
    brain = sum((place[axis] / (SHAPE[axis] / 2 - 3)) ** 2 for axis in range(3)) < 1
    for n in range(4):
        tumour = sum((place[axis] - (8 if axis == 0 else n - 2)) ** 2 for axis in range(3)) < 12**2
        core = sum((place[axis] - (8 if axis == 0 else n - 2)) ** 2 for axis in range(3)) < 7**2
        labels = np.where(tumour & brain, np.where(core, 3, 1), 0).astype(np.uint8)
        scan = np.where(brain, rng.normal(500, 30, SHAPE) + 400 * (labels > 0) + 300 * (labels == 3), 0)
        scans = np.stack([scan] * 4, axis=3).astype(np.int16)
        nib.save(nib.Nifti1Image(scans, LPS), folder / "imagesTr" / f"BRATS_00{n}.nii.gz")
        nib.save(nib.Nifti1Image(labels, LPS), folder / "labelsTr" / f"BRATS_00{n}.nii.gz")
    facts = {
        "name": "BRATS",
        "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
        "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
        "training": [
            {"image": f"./imagesTr/BRATS_00{n}.nii.gz", "label": f"./labelsTr/BRATS_00{n}.nii.gz"} for n in range(4)
        ],
        "test": [],
    }
    (folder / "dataset.json").write_text(json.dumps(facts))
    return folder


def test_a_decathlon_miniature_trains_and_segments(decathlon: Path, tmp_path: Path) -> None:
    run, model, results = tmp_path / "run", tmp_path / "mine", tmp_path / "results"
    trained = bratsseg("train", CONFIG, f"data.folder={decathlon}", "fold=1", *SMALL, "--out", run)
    assert trained.code == 0, trained.err
    split = json.loads((run / "split.json").read_text())
    assert len(split["train"]) == 3
    assert len(split["validation"]) == 1
    with (run / "log.csv").open() as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["0", "1"]

    released = bratsseg("release", run, "--name", "mine", "--out", model)
    assert released.code == 0, released.err
    segmented = bratsseg("segment", decathlon, results, "--model", model, "--dialect", "msd")
    assert segmented.code == 0, segmented.err
    for n in range(4):
        made = nib.load(results / f"BRATS_00{n}" / f"BRATS_00{n}_seg.nii.gz")
        assert made.shape == SHAPE
        assert np.allclose(made.affine, LPS)
        assert set(np.unique(np.asarray(made.dataobj))) <= {0, 1, 2, 3}

    scored = bratsseg("evaluate", results, decathlon, "--out", tmp_path / "scores", "--lesions", "none")
    assert scored.code == 0, scored.err
    with (tmp_path / "scores" / "scores.csv").open() as stream:
        assert {row["case"] for row in csv.DictReader(stream)} == {f"BRATS_00{n}" for n in range(4)}
