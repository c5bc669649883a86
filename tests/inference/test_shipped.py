"""Which models ship, and which of them takes a batch for which nobody named one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bratsseg.inference
from bratsseg.errors import ContentError
from bratsseg.inference import Segmenter, shipped
from bratsseg.inference.shipped import default_model
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality
from bratsseg.study.reading import is_picture, read_study


def picture_case(folder: Path) -> Case:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "a.png")
    return Case("a", {Modality.FLAIR: VolumeSource(folder / "a.png")})


def test_which_models_ship_is_asked_without_torch() -> None:
    asked = "import bratsseg.inference, bratsseg.service.models, bratsseg.inference.shipped as s; s.shipped_names()"
    code = f"import sys; {asked}; sys.exit(bool({{'torch', 'monai'}} & sys.modules.keys()))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_every_name_of_inference_is_where_it_says() -> None:
    for name in bratsseg.inference.__all__:
        assert getattr(bratsseg.inference, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing"):
        bratsseg.inference.nothing  # noqa: B018


def test_volumes_keep_default() -> None:
    assert default_model(pictures=False) == "default"


def test_pictures_take_the_picture_model_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "shipped_names", lambda: ["default", "default-picture"])
    assert default_model(pictures=True) == "default-picture"
    monkeypatch.setattr(shipped, "shipped_names", lambda: ["default"])
    assert default_model(pictures=True) == "default"


def test_a_picture_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    case = picture_case(tmp_path)
    assert is_picture(case)
    (tmp_path / "b.png").write_bytes(b"\0" * 400)
    assert not is_picture(Case("b", {Modality.FLAIR: VolumeSource(tmp_path / "b.png")}))
    assert not is_picture(Case("none", {}))


def test_without_a_picture_model_is_told_how_to_train_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bratsseg.inference.segmenter.shipped_names", lambda: ["flair-threshold"])
    with pytest.raises(ContentError, match="no picture model is installed; train one"):
        Segmenter.load("flair-threshold", "cpu").prepare(read_study(picture_case(tmp_path)))
