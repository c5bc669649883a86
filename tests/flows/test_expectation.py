"""What is unlike a brain is refused with what was measured; --force goes on, and both are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg import Modality, Segmenter, read_study
from bratsseg.batch.by_hand import case_by_hand
from bratsseg.errors import UnlikeBrain
from tests.conftest import make_study
from tests.flows.conftest import bratsseg, record, save, written_at


@pytest.fixture
def gradient(tmp_path: Path) -> Path:
    """A picture of a gradient from black to white."""
    Image.fromarray(np.tile(np.linspace(0, 255, 200).astype(np.uint8), (180, 1))).save(tmp_path / "P1_flair.png")
    return tmp_path / "P1_flair.png"


def test_a_gradient_is_refused_and_forced(gradient: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("segment", "--flair", gradient, out, "--device", "cpu", "--case-id", "P1")
    ended = bratsseg(*words)
    assert ended.code == 1, ended
    assert "not_a_brain_scan" in ended.out
    refused = record(out, "P1")
    assert (refused["status"], refused["code"], refused["stage"]) == ("refused", "not_a_brain_scan", "prepare")
    assert "at the size of folds is" in refused["reason"]
    assert refused["reason"].endswith("give a scan of a brain (--force goes on all the same)")
    forced = bratsseg(*words, "--force")
    assert forced.code == 0, forced
    done = record(out, "P1")
    assert (done["status"], done["options"]["force"]) == ("done", True)
    assert any("does not look like a scan of a brain" in warning for warning in done["warnings"])
    again = bratsseg(*words)
    assert again.code == 1, again
    assert record(out, "P1")["code"] == "not_a_brain_scan"


def test_one_study_by_hand_is_held_to_the_same(tmp_path: Path) -> None:
    volume = make_study().reference
    scan = save(tmp_path / "ball_flair.nii.gz", volume.voxels, volume.grid.affine)
    words = ("segment", "--flair", scan, tmp_path / "out", "--model", "default-3d", "--device", "cpu", "--case-id", "B")
    assert bratsseg(*words).code == 1
    assert record(tmp_path / "out", "B")["code"] == "not_a_brain_scan"
    assert bratsseg(*words, "--force").code == 0


def test_force_leaves_what_passes_without_it_alone(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("segment", studies, out, "--model", "flair-threshold", "--device", "cpu")
    assert bratsseg(*words).code == 0
    before = written_at(out)
    assert bratsseg(*words, "--force").code == 0
    assert written_at(out) == before


def test_the_door_refuses_alike(gradient: Path) -> None:
    study = read_study(case_by_hand({Modality.FLAIR: gradient})[0])
    segmenter = Segmenter.load("default-picture", "cpu")
    with pytest.raises(UnlikeBrain, match="default-picture expects"):
        segmenter.segment(study)
    assert any("does not look like" in warning for warning in segmenter.segment(study, force=True).warnings)
