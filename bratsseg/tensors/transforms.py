"""The pure functions between a study and a network: crop, reorient, resample, normalise, pad; and all the way back.

Every array is (C, I, J, K). The source frame is the study's own voxel grid; the model frame has axes RAS and the
model's spacing. ``prepare`` returns a ``Placement`` that ``place_back`` needs to undo it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from bratsseg.config import Config
from bratsseg.errors import UsageError
from bratsseg.study.brain import Brain
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Box, Study
from bratsseg.tensors.transfer import is_gpu, to_device, values_on

T = TypeVar("T")
Shape = tuple[int, int, int]
Normalisation = Literal["zscore-brain", "zscore-nonzero", "zscore-picture", "unit", "minmax-slice", "imagenet"]

# Of the RGB pictures that torchvision's weights were trained on.
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Spacings that agree this closely drift by less than .01 mm over half a head, and are not resampled.
SAME_SPACING = 5e-5


class Preparation(Config):
    """What a network's input looks like; stored in every released model."""

    orientation: Literal["RAS", "LPS"] = "RAS"
    """Where the voxel axes of the model frame point; LPS for a network that saw BraTS files as they are stored."""
    spacing_mm: float | None = None
    """Edge of the model's cubic voxels in mm; None keeps the study's own spacing."""
    subject: Literal["volume", "picture"] = "volume"
    """A scan with a place in the head; or pictures, whose pixels have no size and stay in the order of the array."""
    crop: Literal["brain", "none"] = "brain"
    """The network sees the brain box, or the whole scan."""
    margin: int = Field(default=2, ge=0)
    """Voxels kept around the brain box, in the source frame."""
    plane_size: tuple[int, int] | None = None
    """Voxel counts along the first two axes of the model frame, to which every plane is resampled; None keeps them."""
    normalisation: Normalisation = "zscore-brain"
    """The intensities of each modality (see ``normalise_as``):

    - ``zscore-brain``: mean 0 and standard deviation 1 over the brain, 0 outside;
    - ``zscore-nonzero``: over its own voxels other than 0, as MONAI's
      ``NormalizeIntensity(nonzero=True, channel_wise=True)`` does;
    - ``zscore-picture``: over everything, all slices of a patient together (Buda et al., arXiv 1906.03720);
    - ``unit``: a picture's 0 to 255 to 0 to 1; a volume's smallest and largest in the brain to 0 and 1;
    - ``minmax-slice``: the smallest and largest of each slice along K to 0 and 1;
    - ``imagenet``: ``unit``, less the mean and over the standard deviation of ImageNet's three channels.
    """
    multiple: int = 1
    """The padded size along each axis is a multiple of this; pictures are not padded along K."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.subject == "picture" and self.spacing_mm is not None:
            raise ValueError("spacing_mm must be left out for pictures: their pixels have no size; use plane_size")
        if self.subject == "picture" and self.orientation != "RAS":
            raise ValueError("orientation must be left out for pictures: they stay in the order of the array")
        if self.crop == "none" and self.margin not in (0, type(self).model_fields["margin"].default):
            raise ValueError("margin must be left out where crop is none: the whole scan has nothing around it")
        if self.plane_size is not None and min(self.plane_size) < 1:
            raise ValueError(f"plane_size must be at least 1 by 1, was {self.plane_size}")
        return self


@dataclass(frozen=True)
class Placement:
    """Where a prepared array came from; all that ``place_back`` needs.

    ``box``: voxel slices in the source grid. ``axes`` and ``flips``: model axis a is source axis ``axes[a]``, reversed
    when ``flips[a]``. ``cropped``, ``resampled``: shapes in the model frame's axis order before and after resampling.
    ``scale``: source voxels per model voxel along each model axis. ``padded``: the final shape. ``picture``: without
    a physical size.
    """

    source: Shape
    box: Box
    axes: Shape
    flips: tuple[bool, bool, bool]
    cropped: Shape
    resampled: Shape
    scale: tuple[float, float, float]
    padded: Shape
    picture: bool = False


def prepare(
    study: Study, brain: Brain, modalities: tuple[Modality, ...], preparation: Preparation, device: str = "cpu"
) -> tuple[Tensor, Tensor, Placement]:
    """Make a study ready for a network whose channels are ``modalities``; a modality not at hand is a channel of 0.

    Returns the images (C, I, J, K) float32 in the model frame, 0 outside the brain, the brain (I, J, K) bool in that
    frame, and the placement. Raises ``GridMismatch`` when the volumes do not share a grid. On a GPU all of it is
    started and nothing waited for.
    """
    grid = study.require_one_grid()
    whole = slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2])
    box = whole if preparation.crop == "none" else expand_box(brain.box, grid.shape, preparation.margin)
    placement = plan(grid, box, preparation)
    rows = _rows_to_model_frame(placement, torch.empty(0, device=device))
    inside = _framed(to_device(brain.mask[box], device).float()[None], placement, rows)[0] > 0.5
    images = torch.zeros((len(modalities), *placement.padded), device=device)
    for channel, modality in enumerate(modalities):
        if modality in study.volumes:
            values = values_on(study.volumes[modality], box, device)
            image = _framed(values[None], placement, rows)
            images[channel] = normalise_as(preparation.normalisation, image, inside, placement)[0]
    if preparation.normalisation == "imagenet":
        images = _as_imagenet(images, inside)
    return images, inside, placement


def expand_box(box: Box, shape: Shape, margin: int) -> Box:
    """``box`` with ``margin`` voxels more on each side, inside ``shape``."""
    a, b, c = (
        slice(max(0, part.start - margin), min(size, part.stop + margin)) for part, size in zip(box, shape, strict=True)
    )
    return a, b, c


def plan(grid: Grid, box: Box, preparation: Preparation) -> Placement:
    """Work out the geometry of ``prepare`` for a box in a grid, without touching a voxel."""
    picture = preparation.subject == "picture"
    axes, flips = ((0, 1, 2), (False, False, False)) if picture else _reorientation(grid, preparation.orientation)
    cropped = _three(box[axis].stop - box[axis].start for axis in axes)
    scale = _three(_scale(grid, axis, preparation.spacing_mm) for axis in axes)
    resampled = _three(
        n if s == 1.0 else max(1, int(np.ceil(n / s - 1e-6))) for n, s in zip(cropped, scale, strict=True)
    )
    if preparation.plane_size is not None:
        resampled = (*preparation.plane_size, resampled[2])
        scale = (cropped[0] / resampled[0], cropped[1] / resampled[1], scale[2])
    multiples = (preparation.multiple, preparation.multiple, 1 if picture else preparation.multiple)
    padded = _three(-(-n // multiple) * multiple for n, multiple in zip(resampled, multiples, strict=True))
    return Placement(grid.shape, box, axes, flips, cropped, resampled, scale, padded, picture)


def _reorientation(grid: Grid, orientation: str) -> tuple[Shape, tuple[bool, bool, bool]]:
    axes, backwards = _directions(grid.affine)
    letters = zip(axes, orientation, strict=True)
    return axes, _three(backwards[axis] != (letter in "LPI") for axis, letter in letters)


def _directions(affine: NDArray[np.float64]) -> tuple[Shape, tuple[bool, bool, bool]]:
    """The voxel axis nearest to each of R, A, S; and for each voxel axis whether it points away from it."""
    edges = np.diag(affine)[:3]
    if edges.all() and np.array_equal(affine[:3, :3], np.diag(edges)):
        return (0, 1, 2), _three(bool(edge < 0) for edge in edges)
    import nibabel as nib  # noqa: PLC0415 - absent on machines that only train, on patients whose axes are these

    codes = nib.orientations.io_orientation(affine)
    axes = _three(int(np.flatnonzero(codes[:, 0] == axis)[0]) for axis in range(3))
    return axes, _three(bool(code < 0) for code in codes[:, 1])


def to_model_frame(images: Tensor, placement: Placement) -> Tensor:
    """(C, *box shape) in source axes → (C, *placement.padded) in the model frame, linear, zeros in the padding."""
    return _framed(images, placement, _rows_to_model_frame(placement, images))


def _rows_to_model_frame(placement: Placement, like: Tensor) -> tuple[Tensor | None, ...]:
    return tuple(_weights(placement, axis, like) for axis in range(3))


def _framed(images: Tensor, placement: Placement, rows: tuple[Tensor | None, ...]) -> Tensor:
    images = _permuted(images, placement)
    for axis in range(3):
        images = _along(images, axis, rows[axis])
    return _padded(images, placement)


def place_back(volume: Tensor, placement: Placement) -> Tensor:
    """(C, *placement.padded) in the model frame → (C, *box shape) in source axes, linear between voxel centres.

    Bit-exact where the spacings agree. Values beyond the outermost voxel centres repeat the edge.
    """
    i, j, k = placement.resampled
    volume = volume[:, :i, :j, :k]
    for axis in range(3):
        volume = _along(volume, axis, _weights_back(placement, axis, volume))
    volume = volume.flip([axis + 1 for axis in range(3) if placement.flips[axis]])
    return volume.permute(0, *(placement.axes.index(axis) + 1 for axis in range(3)))


def normalise(images: Tensor, inside: Tensor) -> Tensor:
    """Each channel of (C, I, J, K) to mean 0, standard deviation 1 over ``inside`` (I, J, K) bool; 0 elsewhere.

    A channel without contrast (a missing modality) stays 0.
    """
    mean, deviation = masked_moments(images, inside) if is_gpu(images.device) else picked_moments(images, inside)
    scale = torch.where(deviation > 1e-6, 1.0 / deviation.clamp_min(1e-6), torch.zeros_like(deviation))
    return (images - mean[:, None, None, None]) * scale[:, None, None, None] * inside


def picked_moments(images: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) over ``inside``. On a GPU it waits, to learn how many voxels there are."""
    picked = images[:, inside]
    return picked.mean(1), picked.std(1, correction=0)


def masked_moments(images: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """The same without waiting: sums over all voxels, in float64, of what is inside."""
    space = (1, 2, 3)
    count = inside.sum(dtype=torch.float64)
    mean = torch.where(inside, images, 0.0).sum(space, dtype=torch.float64) / count
    apart = torch.where(inside, images - mean.to(images)[:, None, None, None], 0.0)
    return mean.to(images), (apart.square().sum(space, dtype=torch.float64) / count).sqrt().to(images)


def normalise_as(kind: Normalisation, image: Tensor, inside: Tensor, placement: Placement) -> Tensor:
    """One modality (1, I, J, K) as ``Preparation.normalisation`` says; 0 outside what is counted.

    For ``imagenet`` this is the first half, ``unit``: its means belong to three channels together.
    """
    if kind == "zscore-nonzero":
        return normalise(image, image[0] != 0)
    if kind == "zscore-picture":
        i, j, k = placement.resampled
        counted = torch.zeros_like(inside)
        counted[:i, :j, :k] = True
        return normalise(image, counted)
    if kind == "minmax-slice":
        return _unit(image, inside, (0, 1, 2))
    if kind in ("unit", "imagenet"):
        return image / 255.0 * inside if placement.picture else _unit(image, inside, (0, 1, 2, 3))
    return normalise(image, inside)


def _unit(image: Tensor, inside: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Smallest and largest over ``axes`` inside to 0 and 1; 0 where there is no contrast."""
    low = image.masked_fill(~inside, float("inf")).amin(axes, keepdim=True)
    high = image.masked_fill(~inside, float("-inf")).amax(axes, keepdim=True)
    span = high - low
    there = span > 1e-6  # not where nothing is inside: the span is minus infinity there
    low, span = torch.where(there, low, 0.0), torch.where(there, span, 1.0)
    return (image - low) / span * (inside & there)


def _as_imagenet(images: Tensor, inside: Tensor) -> Tensor:
    if len(images) != len(IMAGENET_MEAN):
        raise UsageError(f"normalisation imagenet: the channels must be 3, were {len(images)}; use unit")
    mean = torch.tensor(IMAGENET_MEAN, device=images.device)[:, None, None, None]
    deviation = torch.tensor(IMAGENET_DEVIATION, device=images.device)[:, None, None, None]
    return (images - mean) / deviation * inside


def _permuted(images: Tensor, placement: Placement) -> Tensor:
    images = images.permute(0, *(axis + 1 for axis in placement.axes))
    return images.flip([axis + 1 for axis in range(3) if placement.flips[axis]])


def _padded(images: Tensor, placement: Placement) -> Tensor:
    extra = [want - have for want, have in zip(placement.padded, images.shape[1:], strict=True)]
    return torch.nn.functional.pad(images, (0, extra[2], 0, extra[1], 0, extra[0])) if any(extra) else images


def _weights(placement: Placement, axis: int, like: Tensor) -> Tensor | None:
    """Rows (want, have) that take cropped voxels to resampled ones."""
    have, want, scale = placement.cropped[axis], placement.resampled[axis], placement.scale[axis]
    if scale == 1.0:
        return None
    centres = (torch.arange(want, dtype=torch.float64) - (want - 1) / 2) * scale + (have - 1) / 2
    # A coarser model frame sees the mean over part of its voxel, so that fine detail leaves no aliases; the width
    # grows from 0 at equal spacings as the variance of a box that turns one spacing into the other.
    return _linear_rows(centres, have, max(0.0, scale**2 - 1.0) ** 0.5, like)


def _weights_back(placement: Placement, axis: int, like: Tensor) -> Tensor | None:
    """Rows (want, have) that take resampled voxels back to cropped ones, by plain linear interpolation."""
    have, want, scale = placement.resampled[axis], placement.cropped[axis], placement.scale[axis]
    if scale == 1.0:
        return None
    centres = (torch.arange(want, dtype=torch.float64) - (want - 1) / 2) / scale + (have - 1) / 2
    return _linear_rows(centres, have, 0.0, like)


def _linear_rows(centres: Tensor, have: int, width: float, like: Tensor) -> Tensor:
    """(want, have) rows: the linear interpolant of ``have`` samples, averaged over ``width`` around each centre.

    Averaging the interpolant, rather than widening its kernel, keeps every linear function exact: no voxel moves.
    The edge sample repeats beyond the ends. Computed in float64 on the CPU, whatever type and device ``like`` has.
    """
    extra = 2 + int(np.ceil(width / 2))
    samples = torch.arange(-extra, have + extra, dtype=torch.float64)
    offsets = centres.clamp(-1, have)[:, None] - samples[None, :]
    if width == 0.0:
        rows = (1.0 - offsets.abs()).clamp_min(0.0)
    else:
        rows = (_hat_integral(offsets + width / 2) - _hat_integral(offsets - width / 2)) / width
    inner = rows[:, extra : extra + have].clone()
    inner[:, 0] += rows[:, :extra].sum(1)
    inner[:, -1] += rows[:, extra + have :].sum(1)
    return to_device(inner.numpy(), str(like.device)).to(like.dtype)


def _hat_integral(x: Tensor) -> Tensor:
    """Integral from minus infinity to x of the hat function 1 - |t| on [-1, 1]."""
    x = x.clamp(-1.0, 1.0)
    return torch.where(x < 0, (x + 1.0) ** 2 / 2, 1.0 - (1.0 - x) ** 2 / 2)


def _along(volume: Tensor, axis: int, rows: Tensor | None) -> Tensor:
    """Multiply (want, have) ``rows`` along one spatial axis; None is the identity."""
    if rows is None:
        return volume
    return torch.movedim(torch.tensordot(rows, volume, dims=([1], [axis + 1])), 0, axis + 1)


def _scale(grid: Grid, axis: int, spacing_mm: float | None) -> float:
    if spacing_mm is None or grid.spacing is None:
        return 1.0
    scale = spacing_mm / grid.spacing[axis]
    return 1.0 if abs(scale - 1.0) < SAME_SPACING else scale


def _three(values: Iterable[T]) -> tuple[T, T, T]:
    a, b, c = values
    return a, b, c
