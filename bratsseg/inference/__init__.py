"""From a study to a segmentation, with a released model.

The names below are imported when first used: which models ship can be asked without loading torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bratsseg.inference.model import ReleasedModel, released_models
    from bratsseg.inference.segmenter import PreparedStudy, Segmentation, Segmenter

_HOMES = {
    "PreparedStudy": "bratsseg.inference.segmenter",
    "ReleasedModel": "bratsseg.inference.model",
    "Segmentation": "bratsseg.inference.segmenter",
    "Segmenter": "bratsseg.inference.segmenter",
    "released_models": "bratsseg.inference.model",
}

__all__ = ["PreparedStudy", "ReleasedModel", "Segmentation", "Segmenter", "released_models"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bratsseg.inference' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
