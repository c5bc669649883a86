"""What a batch is asked to do."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from bratsseg.config import Config
from bratsseg.exchange import FORMATS
from bratsseg.study.reading import GeometryPolicy


class BatchOptions(Config):
    """The choices of one batch. Only those of ``result_relevant`` change what is written for a case."""

    dialect: str = "brats2023"
    """Convention of the label values written."""
    probabilities: bool = False
    """Write one 3-D file of probabilities for each region."""
    formats: tuple[str, ...] = ("nifti",)
    """Formats of the label map, of ``exchange.FORMATS``; NIfTI is always written."""
    quality: Literal["free", "drop"] = "free"
    """Figures of quality: those that cost nothing, or also how far the answer holds when a modality is left out, which
    takes one more pass for each."""
    report: bool = False
    """Write a page, a picture and a sheet of each case, and an index over all of them."""
    geometry: GeometryPolicy = Field(default_factory=GeometryPolicy)
    """What to do with headers that do not clearly say where the voxels are."""
    layout: str | None = None
    """File that describes how the studies are laid out; None tries every known layout."""
    only: str | None = None
    """Glob on case ids; the other cases are left alone."""
    limit: int | None = Field(default=None, ge=1)
    """At most this many cases, in the order of their ids."""
    workers: int | None = Field(default=None, ge=1, le=64)
    """Studies read ahead at the same time; None is 1 on a CPU, and half the cores but at most 8 beside a GPU. More take
    more memory."""
    overwrite: bool = False
    """Compute finished cases again."""
    force: bool = False
    """Segment also what is unlike the model's expectation, with a warning in place of a refusal."""
    salt: str | None = Field(default=None, min_length=1)
    """Case ids and file names become hashes of themselves and this text. Never written anywhere."""

    @field_validator("formats")
    @classmethod
    def _known(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if strange := sorted(set(formats) - FORMATS.keys()):
            raise ValueError(f"formats must be some of {', '.join(FORMATS)}, was {', '.join(strange)}")
        return formats

    def result_relevant(self) -> dict[str, Any]:
        """The choices that a finished case must agree with, as plain values."""
        return {
            "dialect": self.dialect,
            "probabilities": self.probabilities,
            "quality": self.quality,
            "report": self.report,
            "formats": sorted({"nifti", *self.formats}),
            "geometry": self.geometry.model_dump(mode="json"),
            "force": self.force,
        }
