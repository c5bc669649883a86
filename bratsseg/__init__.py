"""bratsseg finds brain tumours in multi-modal MRI.

::

    from bratsseg import Segmenter, find_cases, read_study

    segmenter = Segmenter.load("default")
    for case in find_cases("scans"):
        result = segmenter.segment(read_study(case))

The names below are the public ones. They are imported when first used, so that ``import bratsseg`` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from bratsseg.version import __version__

if TYPE_CHECKING:
    from bratsseg.inference.segmenter import Segmentation, Segmenter
    from bratsseg.study.case import Case
    from bratsseg.study.dialect import get_dialect
    from bratsseg.study.grid import Grid
    from bratsseg.study.labelmap import LabelMap
    from bratsseg.study.layout import find_cases
    from bratsseg.study.modality import Modality
    from bratsseg.study.reading import read_study
    from bratsseg.study.regions import Region
    from bratsseg.study.volume import Study, Volume
    from bratsseg.tensors.monai import PrepareStudyd, StudyReader, ToRegionsd
    from bratsseg.tensors.transforms import Preparation

_HOMES = {
    "Case": "bratsseg.study.case",
    "Grid": "bratsseg.study.grid",
    "LabelMap": "bratsseg.study.labelmap",
    "Modality": "bratsseg.study.modality",
    "PrepareStudyd": "bratsseg.tensors.monai",
    "Preparation": "bratsseg.tensors.transforms",
    "Region": "bratsseg.study.regions",
    "Segmentation": "bratsseg.inference.segmenter",
    "Segmenter": "bratsseg.inference.segmenter",
    "Study": "bratsseg.study.volume",
    "StudyReader": "bratsseg.tensors.monai",
    "ToRegionsd": "bratsseg.tensors.monai",
    "Volume": "bratsseg.study.volume",
    "find_cases": "bratsseg.study.layout",
    "get_dialect": "bratsseg.study.dialect",
    "read_study": "bratsseg.study.reading",
}

__all__ = [
    "Case",
    "Grid",
    "LabelMap",
    "Modality",
    "Preparation",
    "PrepareStudyd",
    "Region",
    "Segmentation",
    "Segmenter",
    "Study",
    "StudyReader",
    "ToRegionsd",
    "Volume",
    "__version__",
    "find_cases",
    "get_dialect",
    "read_study",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bratsseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
