"""Which shipped model takes a batch for which nobody named one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg.errors import ContentError
from bratsseg.inference import Segmenter, choice
from bratsseg.inference.choice import default_model
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality
from bratsseg.study.reading import is_picture, read_study


def picture_case(folder: Path) -> Case:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "a.png")
    return Case("a", {Modality.FLAIR: VolumeSource(folder / "a.png")})


def test_volumes_keep_default() -> None:
    assert default_model(pictures=False) == "default"


def test_pictures_take_the_picture_model_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "shipped_names", lambda: ["default", "default-picture"])
    assert default_model(pictures=True) == "default-picture"
    monkeypatch.setattr(choice, "shipped_names", lambda: ["default"])
    assert default_model(pictures=True) == "default"


def test_a_picture_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    case = picture_case(tmp_path)
    assert is_picture(case)
    (tmp_path / "b.png").write_bytes(b"\0" * 400)
    assert not is_picture(Case("b", {Modality.FLAIR: VolumeSource(tmp_path / "b.png")}))
    assert not is_picture(Case("none", {}))


def test_without_a_picture_model_a_picture_is_told_how_to_train_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bratsseg.inference.segmenter.shipped_names", lambda: ["flair-threshold"])
    with pytest.raises(ContentError, match="no picture model is installed; train one"):
        Segmenter.load("flair-threshold", "cpu").prepare(read_study(picture_case(tmp_path)))
