"""What is changed at random in a sample: its geometry, its intensities, which modalities it has.

Drawing and applying are apart. ``draw_augmentation`` draws every parameter on the CPU, sample by sample, each from its
own seed; ``apply_augmentation`` (see ``warping`` and ``intensity``) is pure and runs where the samples are. So a sample
is the same whatever batch, process or device it is part of.
"""

from __future__ import annotations

from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from bratsseg.config import Config
from bratsseg.study.modality import Modality

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Least = Annotated[float, Field(ge=0)]


class AugmentationConfig(Config):
    """Random changes of a sample, in the order in which they are made. A probability of 0 turns one off."""

    flip: Probability = 0.5
    """Probability of mirroring along each axis."""
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
    gain_sd: Least = 0.12
    """Standard deviation of the logarithm of the gain of each modality."""
    offset_sd: Least = 0.12
    """Standard deviation of the offset of each modality, in the units of normalised intensities."""
    noise: Probability = 0.0
    """Probability, for each modality, of Gaussian noise."""
    noise_sd: Least = 0.1
    """Largest standard deviation of the noise, in the units of normalised intensities."""

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
