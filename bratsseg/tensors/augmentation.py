"""What is changed at random in a sample: its geometry, its intensities, which modalities it has.

Drawing and applying are apart. ``draw_augmentation`` draws every parameter on the CPU, sample by sample, each from its
own seed; ``apply_augmentation`` (see ``warping`` and ``intensity``) is pure and runs where the samples are. So a sample
is the same whatever batch, process or device it is part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from bratsseg.config import Config
from bratsseg.errors import UsageError
from bratsseg.study.modality import Modality
from bratsseg.tensors.intensity import apply_gamma, noise_like, smooth
from bratsseg.tensors.transfer import sent
from bratsseg.tensors.warping import mirror_and_turn, warp

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Least = Annotated[float, Field(ge=0)]


class AugmentationConfig(Config):
    """Random changes of a sample, in the order in which they are made. A probability of 0 turns one off."""

    flip: Probability | tuple[Probability, ...] = 0.5
    """Probability of mirroring along each axis: one for all, or one each; heads are not alike front to back."""
    quarter_turns: Probability = 0.0
    """Probability of a turn by 90, 180 or 270° in the plane of the first two axes, which must be of one size."""
    rotation: Probability = 0.0
    """Probability of a rotation."""
    rotation_deg: Least = 15.0
    """Its largest angle in degrees either way: in the plane of a slab, about each axis of a box."""
    scale: Probability = 0.0
    """Probability of a zoom."""
    scale_range: tuple[Positive, Positive] = (0.85, 1.2)
    """Smallest and largest zoom; above 1 things look larger."""
    elastic: Probability = 0.0
    """Probability of an elastic deformation."""
    elastic_voxels: Least = 3.0
    """Standard deviation of its displacement at each node, in voxels."""
    elastic_nodes: int = Field(default=7, ge=4, le=32)
    """Nodes of its coarse grid along each axis; cubic B-splines between them."""
    fill: Annotated[str, Field(pattern="^(zero|edge)$")] = "zero"
    """What comes in from outside: 0, which is air in a volume, or the sample's edge, as pictures want."""
    blur: Probability = 0.0
    """Probability, for each modality, of a Gaussian blur."""
    blur_voxels: tuple[Least, Least] = (0.5, 1.0)
    """Smallest and largest standard deviation of the blur in voxels."""
    low_resolution: Probability = 0.0
    """Probability, for each modality, of a scan with fewer voxels."""
    low_resolution_range: tuple[Positive, Positive] = (1.0, 2.0)
    """Smallest and largest edge of its voxels, in voxels of the sample."""
    gamma: Probability = 0.0
    """Probability, for each modality, of another contrast: the power of the intensity between its extremes."""
    gamma_range: tuple[Positive, Positive] = (0.7, 1.5)
    """Smallest and largest exponent."""
    noise: Probability = 0.0
    """Probability, for each modality, of Gaussian noise."""
    noise_sd: Least = 0.1
    """Largest standard deviation of the noise, in the units of normalised intensities."""
    gain_sd: Least = 0.12
    """Standard deviation of the logarithm of the gain of each modality."""
    offset_sd: Least = 0.12
    """Standard deviation of the offset of each modality, in the units of normalised intensities."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name in ("scale_range", "blur_voxels", "low_resolution_range", "gamma_range"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must rise, was {low} to {high}")
        return self

    @classmethod
    def none(cls) -> Self:
        """Nothing is changed."""
        return cls(flip=0.0, gain_sd=0.0, offset_sd=0.0)


class ModalityShares(Config):
    """How often a sample keeps which modalities; the others are zeroed, so that one network serves any subset."""

    all_four: Probability = 0.35
    """FLAIR, T1, T1ce, T2."""
    flair_t1c: Probability = 0.3
    """FLAIR and T1ce, the pair many public sets have."""
    flair_only: Probability = 0.08
    """FLAIR alone."""
    # The rest: any other subset that contains FLAIR or T2, uniformly.


def draw_modalities(
    shares: ModalityShares, generator: torch.Generator, modalities: tuple[Modality, ...] = tuple(Modality)
) -> Tensor:
    """Which of ``modalities`` are kept: (M,) bool; never none of them."""
    draw = float(torch.rand((), generator=generator))
    kept = None
    for share, subset in zip((shares.all_four, shares.flair_t1c, shares.flair_only), _NAMED_SUBSETS, strict=True):
        if draw < share:
            kept = subset
            break
        draw -= share
    if kept is None:
        kept = _OTHER_SUBSETS[int(torch.randint(len(_OTHER_SUBSETS), (), generator=generator))]
    mine = torch.tensor([modality in kept for modality in modalities])
    return mine if mine.any() else torch.ones_like(mine)


_NAMED_SUBSETS: tuple[frozenset[Modality], ...] = (
    frozenset(Modality),
    frozenset({Modality.FLAIR, Modality.T1C}),
    frozenset({Modality.FLAIR}),
)
_SUBSETS = [frozenset(m for bit, m in zip((8, 4, 2, 1), Modality, strict=True) if n & bit) for n in range(16)]
_OTHER_SUBSETS = [kept for kept in _SUBSETS if kept & {Modality.FLAIR, Modality.T2W} and kept not in _NAMED_SUBSETS]


@dataclass(frozen=True, eq=False)
class Augmentation:
    """What was drawn for N samples of M modalities in D dimensions; lists and tensors of N, on the CPU.

    ``matrix[n]`` (D, D) is None where a sample is neither rotated, zoomed nor bent; ``displacement[n]`` (D, *nodes)
    is None where it is not bent. Of each modality (N, M): ``blur`` and ``noise`` of 0, ``edge`` and ``gamma`` of 1
    change nothing. ``gain`` is 0 where a modality is dropped.
    """

    flips: Tensor
    turns: list[int]
    matrix: list[Tensor | None]
    displacement: list[Tensor | None]
    blur: Tensor
    edge: Tensor
    gamma: Tensor
    noise: Tensor
    noise_seeds: list[int]
    gain: Tensor
    offset: Tensor
    fill: str


def draw_augmentation(
    config: AugmentationConfig,
    seeds: Sequence[int],
    dims: int,
    modalities: tuple[Modality, ...] = tuple(Modality),
    dropout: ModalityShares | None = None,
) -> Augmentation:
    """Draw the changes of each sample from its own seed, for slabs (``dims`` 2) or boxes (3)."""
    rows = [_draw(config, int(seed), dims, modalities, dropout) for seed in seeds]
    columns = list(zip(*rows, strict=True))
    values: dict[str, Any] = {
        name: torch.stack(column) if name in _STACKED else list(column)
        for name, column in zip(_COLUMNS, columns, strict=True)
    }
    return Augmentation(**values, fill=config.fill)


def apply_augmentation(pictures: Tensor, truth: Tensor, draws: Augmentation) -> tuple[Tensor, Tensor]:
    """Change ``pictures`` (N, M x slices, *S) and ``truth`` (N, R, *S) as drawn, on their device and in their types.

    Whatever is exactly 0 after the geometry (air, a missing modality) is 0 afterwards. ``UsageError`` for quarter
    turns of windows that are not square.
    """
    moved = [
        _moved(picture, regions, draws, n) for n, (picture, regions) in enumerate(zip(pictures, truth, strict=True))
    ]
    shown, learnt = torch.stack([picture for picture, _ in moved]), torch.stack([regions for _, regions in moved])
    return _recoloured(shown, draws).to(pictures.dtype), learnt


_COLUMNS = (
    "flips", "turns", "matrix", "displacement", "blur", "edge", "gamma", "noise", "noise_seeds", "gain", "offset",
)  # fmt: skip
_STACKED = frozenset({"flips", "blur", "edge", "gamma", "noise", "gain", "offset"})


def _draw(
    config: AugmentationConfig, seed: int, dims: int, modalities: tuple[Modality, ...], dropout: ModalityShares | None
) -> tuple[Any, ...]:
    # Salted: a window drawn from the same seed must not tell how its sample is changed.
    generator = torch.Generator().manual_seed((seed * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**63)
    count = len(modalities)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    def each(share: float, low: float, high: float, nothing: float) -> Tensor:
        chosen, value = uniform(count) < share, low + (high - low) * uniform(count)
        return torch.where(chosen, value, nothing)

    if isinstance(config.flip, tuple) and len(config.flip) != dims:
        raise UsageError(f"augmentation.flip: must be one probability, or {dims} for these windows, was {config.flip}")
    flips = uniform(dims) < torch.tensor(config.flip)
    quarter = uniform(2).tolist()
    turns = 1 + int(quarter[1] * 3) if quarter[0] < config.quarter_turns else 0
    matrix, displacement = _draw_geometry(config, dims, generator)
    blur, edge = (
        each(config.blur, *config.blur_voxels, 0.0),
        each(config.low_resolution, *config.low_resolution_range, 1.0),
    )
    gamma, noise = each(config.gamma, *config.gamma_range, 1.0), each(config.noise, 0.0, config.noise_sd, 0.0)
    noise_seed = int(torch.randint(2**62, (), generator=generator))
    normal = torch.randn((2, count), generator=generator)
    kept = torch.ones(count, dtype=torch.bool)
    kept = kept if dropout is None else draw_modalities(dropout, generator, modalities)
    gain, offset = (normal[0] * config.gain_sd).exp() * kept, normal[1] * config.offset_sd * kept
    return flips, turns, matrix, displacement, blur, edge, gamma, noise, noise_seed, gain, offset


def _draw_geometry(
    config: AugmentationConfig, dims: int, generator: torch.Generator
) -> tuple[Tensor | None, Tensor | None]:
    """The matrix from a changed sample's voxels to those it comes from, and the displacement; None for none."""
    shares = torch.rand(3, generator=generator).tolist()
    numbers = torch.rand(4, generator=generator)
    rotated, zoomed = shares[0] < config.rotation, shares[1] < config.scale
    bent = shares[2] < config.elastic
    if not (rotated or zoomed or bent):
        return None, None
    matrix = torch.eye(dims)
    if rotated:
        angles = torch.deg2rad((2 * numbers[:3] - 1) * config.rotation_deg)
        planes = ((0, 1), (0, 2), (1, 2))[: 1 if dims == 2 else 3]
        for plane, angle in zip(planes, angles, strict=False):
            matrix = matrix @ _rotation(dims, plane, angle)
    if zoomed:
        low, high = config.scale_range
        matrix = matrix / (low + (high - low) * numbers[3])
    nodes = (dims, *[config.elastic_nodes] * dims)
    return matrix, torch.randn(nodes, generator=generator) * config.elastic_voxels if bent else None


def _rotation(dims: int, plane: tuple[int, int], angle: Tensor) -> Tensor:
    a, b = plane
    matrix = torch.eye(dims)
    matrix[a, a] = matrix[b, b] = angle.cos()
    matrix[a, b], matrix[b, a] = -angle.sin(), angle.sin()
    return matrix


def _moved(picture: Tensor, truth: Tensor, draws: Augmentation, n: int) -> tuple[Tensor, Tensor]:
    flips, turns = draws.flips[n].tolist(), draws.turns[n]
    picture, truth = mirror_and_turn(picture, flips, turns), mirror_and_turn(truth, flips, turns)
    matrix, displacement = draws.matrix[n], draws.displacement[n]
    if matrix is None:
        return picture, truth
    bent = None if displacement is None else sent(displacement, picture.device)
    moved, truth = warp(picture.float(), truth, sent(matrix, picture.device), bent, draws.fill)
    return moved.to(picture.dtype), truth


def _recoloured(pictures: Tensor, draws: Augmentation) -> Tensor:
    count, dims = draws.gain.shape[1], pictures.ndim - 2
    per_modality = (len(pictures), count, -1, *pictures.shape[2:])
    parts = pictures.float().view(per_modality)  # (N, M, slices, *S)
    there = parts != 0
    for n, m in torch.nonzero((draws.blur > 0) | (draws.edge > 1) | (draws.gamma != 1) | (draws.noise > 0)).tolist():
        values = parts[n, m]
        if draws.blur[n, m] > 0 or draws.edge[n, m] > 1:
            values = smooth(values, dims, float(draws.blur[n, m]), float(draws.edge[n, m]))
        if draws.gamma[n, m] != 1:
            values = apply_gamma(values, float(draws.gamma[n, m]))
        if draws.noise[n, m] > 0:
            values = values + noise_like(values, float(draws.noise[n, m]), draws.noise_seeds[n] + m)
        parts = parts.clone() if parts.data_ptr() == pictures.data_ptr() else parts
        parts[n, m] = values * there[n, m]
    return _scaled(parts, there, draws).view(pictures.shape)


def _scaled(parts: Tensor, there: Tensor, draws: Augmentation) -> Tensor:
    shape = (*draws.gain.shape, *[1] * (parts.ndim - 2))
    if bool((draws.gain != 1).any()):
        parts = parts * sent(draws.gain.view(shape), parts.device)
    if bool((draws.offset != 0).any()):
        parts = torch.addcmul(parts, there.float(), sent(draws.offset.view(shape), parts.device))
    return parts
