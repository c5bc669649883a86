"""A study of the service as the case that ``bratsseg segment`` knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bratsseg.service.records import StudyRecord
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality

_COLOURS = {Modality.FLAIR: 1, Modality.T1N: 0, Modality.T1C: 2}


def case_of(study: StudyRecord, folder: Path) -> Case:
    """The case of a study whose files lie in ``folder``.

    A grey picture is taken as FLAIR; one in colours as the LGG set has them: T1 before contrast, FLAIR, T1 after it.
    """
    if study.kind == "picture":
        return Case(study.id, _picture_sources(folder / study.files[0].file), layout="service")
    scans = {Modality(file.role): VolumeSource(folder / file.file) for file in study.files if file.role != "mask"}
    mask = next((folder / file.file for file in study.files if file.role == "mask"), None)
    return Case(study.id, scans, mask=mask, layout="service")


def _picture_sources(path: Path) -> dict[Modality, VolumeSource]:
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    if pixels.ndim == 2 or (pixels == pixels[..., :1]).all():
        return {Modality.FLAIR: VolumeSource(path)}
    return {modality: VolumeSource(path, channel) for modality, channel in _COLOURS.items()}
