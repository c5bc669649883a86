"""From a study to a segmentation, with a released model."""

from __future__ import annotations

from bratsseg.inference.model import ReleasedModel, released_models
from bratsseg.inference.segmenter import Prepared, Segmentation, Segmenter

__all__ = ["Prepared", "ReleasedModel", "Segmentation", "Segmenter", "released_models"]
