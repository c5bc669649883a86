"""A case as training sees it: prepared once, in the model's frame, with where its tumour lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bratsseg.study.brain import Brain
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study
from bratsseg.tensors.transforms import Preparation, prepare, to_model_frame
from bratsseg.tensors.windows import rows_with

MOST_PLACES = 2_000
"""Tumour voxels of a region that are remembered, drawn at random: enough to centre a box anywhere in it."""


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """``images`` (C, I, J, K) float16 and ``regions`` (R, I, J, K) bool or uint8, in the model's frame.

    Both may be memory-mapped. ``rows[axis]`` and ``tumour_rows[axis]`` are the positions along each axis with brain,
    and with any region; ``places[r]`` (M, 3) are voxels of region r, or fewer than there are. ``voxel_ml`` is None for
    a picture.
    """

    id: str
    images: Tensor
    regions: Tensor
    rows: tuple[Tensor, Tensor, Tensor]
    tumour_rows: tuple[Tensor, Tensor, Tensor]
    places: tuple[Tensor, ...] = field(default=())
    voxel_ml: float | None = None
    patient: str = ""


@dataclass(frozen=True, eq=False)
class FramedStudy:
    """A study in the model's frame with its truth: what every case is before it is indexed.

    ``images`` (C, I, J, K) float32 as the segmenter would have them, ``regions`` (R, I, J, K) bool, ``inside``
    (I, J, K) bool, ``voxel_ml`` None for a picture.
    """

    images: Tensor
    regions: Tensor
    inside: Tensor
    voxel_ml: float | None


def frame(
    study: Study, brain: Brain, truth: Tensor, modalities: tuple[Modality, ...], preparation: Preparation
) -> FramedStudy:
    """Take a study and its ``truth`` (R, I, J, K) bool on the study's grid to the model's frame, where the truth lies.

    Scans that were read and patients that were made come this way alike, so that a network learns from what it will
    be shown. Raises ``GridMismatch`` when the volumes do not share a grid.
    """
    images, inside, placement = prepare(study, brain, modalities, preparation, str(truth.device))
    regions = to_model_frame(truth[(slice(None), *placement.box)].float(), placement) > 0.5
    source_ml, (a, b, c) = study.reference.grid.voxel_ml, placement.scale
    return FramedStudy(images, regions, inside, None if source_ml is None else source_ml * a * b * c)


def prepared(
    name: str,
    images: Tensor,
    regions: Tensor,
    brain: Tensor,
    *,
    voxel_ml: float | None = None,
    patient: str = "",
) -> PreparedCase:
    """Index a case: ``images`` (C, I, J, K), ``regions`` (R, I, J, K) bool, ``brain`` (I, J, K) bool.

    Intensities beyond float16 are clipped. The volumes stay on their device; the indices, which are read one by one,
    come to the CPU.
    """
    largest = torch.finfo(torch.float16).max
    stored = images if images.dtype == torch.float16 else images.clamp(-largest, largest).half()
    tumour = regions.any(0)
    return PreparedCase(
        id=name,
        images=stored,
        regions=regions,
        rows=_rows(brain),
        tumour_rows=_rows(tumour),
        places=tuple(places_of(region) for region in regions),
        voxel_ml=voxel_ml,
        patient=patient,
    )


def places_of(region: Tensor) -> Tensor:
    """Up to ``MOST_PLACES`` voxels of a bool region (I, J, K), the same each time: (M, 3) int16."""
    found = torch.nonzero(region).cpu()
    if len(found) > MOST_PLACES:
        chosen = torch.randperm(len(found), generator=torch.Generator().manual_seed(len(found)))[:MOST_PLACES]
        found = found[chosen]
    return found.to(torch.int16)


def draw_place(places: Sequence[Tensor], generator: torch.Generator) -> Tensor | None:
    """A voxel (3,) of a region drawn among those that the case has, so that small ones are seen; None without any."""
    there = [place for place in places if len(place)]
    if not there:
        return None
    region = there[int(torch.randint(len(there), (), generator=generator))]
    return region[int(torch.randint(len(region), (), generator=generator))].long()


def _rows(mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return rows_with(mask, 0).cpu(), rows_with(mask, 1).cpu(), rows_with(mask, 2).cpu()
