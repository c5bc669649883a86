"""Pictures of a synthetic patient as they arrive: axial slices of some thickness, cut to a frame, in 8 bits.

Where a range says "LGG slices", it was informed by looking at summary statistics of 20 patients of TCGA's low-grade
gliomas (kaggle_3m): outlines of the heads, percentiles of intensities, share of air. No pixel of theirs is used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.study.brain import Brain
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.contrast import Range
from bratsseg.synthesis.draws import Draws
from bratsseg.synthesis.patient import SyntheticPatient, brain_of

SEED_OFFSET = 700_001
"""Added to the patient's seed, so that its pictures are drawn apart from it."""
FLAIR, T1N, T1C = range(3)
_BLOCK = 4  # a JPEG's blocks of 8 pixels, of a picture of twice the side


class PictureConfig(Config):
    """How pictures are taken of a patient."""

    spacing_mm: float = Field(default=1.8, gt=0)
    """Voxels that the patient is made of; about a pixel of 128 in a usual frame of 230 mm."""
    size: int = Field(default=128, ge=16)
    """Pixels along both sides."""
    frame_mm: Range = (165.0, 238.0)
    """Edge of the frame; heads of about 165 to 225 mm from nose to nape fill 83 to 100 % of LGG slices' height."""
    offcentre_mm: float = 14.0
    """How far the head lies from the frame's middle at most, either way."""
    thickness_mm: Range = (1.8, 7.5)
    """Slice thickness; 20 to 36 slices a head in 19 of 20 LGG patients mean about 4 to 7 mm, 80 mean about 2."""
    below_mm: float = 12.0
    """How far below the brain pictures begin."""
    bright: Range = (0.18, 0.85)
    """The 99th percentile as a share of full scale, all ratios alike likely; .19 to .81 in LGG slices."""
    lifted: float = 0.05
    """Share of modalities whose air is not black (1 of 60 in LGG slices) but ``lift`` of full scale."""
    lift: Range = (0.02, 0.3)
    """See ``lifted``."""
    filled: float = 0.15
    """Share of patients whose T1 after contrast is a copy of FLAIR, as the LGG set's makers fill gaps (9 %)."""
    filled_both: float = 0.6
    """Share of those whose T1 before it is one, too."""
    compressed: float = 0.3
    """Share of patients whose pictures were stored with loss, as JPEG does it."""
    loss: Range = (0.004, 0.05)
    """Step of the coarsest of what such storing rounds, of full scale, the low end likelier."""


@dataclass(frozen=True)
class Pictures:
    """All slices of one patient.

    ``images`` (4, I, J, K) float32 in 0..1 in ``Modality`` order, ``regions`` (3, I, J, K) bool in ``Region`` order.
    I is the column from left to right, J the row from the forehead down, K the slice from below upward.
    """

    images: Tensor
    regions: Tensor

    def study(self, case_id: str = "synthetic") -> Study:
        """All slices as a study of pictures, whose values are 0 to 255."""
        images = (self.images * 255).cpu().numpy()
        grid = Grid.of(images.shape[1:], np.eye(4), physical=False)
        return Study(case_id, {m: Volume(image, grid) for m, image in zip(Modality, images, strict=True)})

    def known_brain(self) -> Brain:
        """All of it: a picture is taken whole."""
        return brain_of(torch.ones(self.images.shape[1:], dtype=torch.bool))

    def one_by_one(self) -> list[Pictures]:
        """Each slice for itself, as pictures that arrive alone."""
        slices = range(self.images.shape[-1])
        return [Pictures(self.images[..., k : k + 1], self.regions[..., k : k + 1]) for k in slices]


@torch.no_grad()
def take_pictures(patient: SyntheticPatient, seed: int, index: int, config: PictureConfig) -> Pictures:
    """Pictures of the patient (seed, index), the same each time."""
    draws = Draws(seed + SEED_OFFSET, index, patient.images.device)
    slices = _slices(patient, config.below_mm)
    thick = max(1, round(draws.uniform(config.thickness_mm) / patient.spacing[2]))
    both = torch.cat([patient.images, patient.regions.float()])[..., slices]
    framed = _framed(draws, config, _averaged(both, thick), patient.spacing[0])
    images, regions = framed[:4].abs(), framed[4:] > 0.5
    if draws.chance(config.filled):
        images[T1C] = images[FLAIR]
        if draws.chance(config.filled_both):
            images[T1N] = images[FLAIR]
    for m in range(4):
        images[m] = _exposed(draws, config, images[m])
    if draws.chance(config.compressed):
        images = _compressed(images, draws.low(config.loss))
    return Pictures((images * 255).round_().clamp_(0, 255).div_(255), regions)


def _slices(patient: SyntheticPatient, below_mm: float) -> slice:
    """From a little below the brain to the crown."""
    brain = torch.nonzero(patient.brain.flatten(0, 1).any(0)).flatten()
    head = torch.nonzero((patient.images[FLAIR] > 0.15).flatten(0, 1).float().mean(0) > 0.01).flatten()
    first = max(int(brain[0]) - round(below_mm / patient.spacing[2]), 0)
    return slice(first, max(int(brain[-1]), int(head[-1])) + 1)


def _averaged(images: Tensor, slices: int) -> Tensor:
    """Running mean over ``slices`` along K: each is what a thick slice there shows."""
    if slices == 1:
        return images
    before = (slices - 1) // 2
    padded = F.pad(images[None], (before, slices - 1 - before, 0, 0, 0, 0), mode="replicate")
    return F.avg_pool3d(padded, (1, 1, slices), stride=1)[0]


def _framed(draws: Draws, config: PictureConfig, images: Tensor, spacing_mm: float) -> Tensor:
    """(C, I, J, K) RAS → (C, size, size, K): columns from left to right, rows from the forehead down."""
    pixel = draws.uniform(config.frame_mm) / config.size
    line = (torch.arange(config.size, device=images.device) - (config.size - 1) / 2) * pixel
    across = line + draws.middling((-config.offcentre_mm, config.offcentre_mm))
    down = -line + draws.middling((-config.offcentre_mm, config.offcentre_mm))
    _, i, j, k = images.shape
    columns, rows = across / (i * spacing_mm / 2), down / (j * spacing_mm / 2)
    grid = torch.stack([rows.expand(config.size, -1), columns[:, None].expand(-1, config.size)], -1)
    stack = images.permute(3, 0, 1, 2)
    framed = F.grid_sample(stack, grid.expand(k, -1, -1, -1), mode="bilinear", align_corners=False)
    return framed.permute(1, 2, 3, 0).contiguous()


def _exposed(draws: Draws, config: PictureConfig, image: Tensor) -> Tensor:
    """One modality of the whole stack on the scale 0 to 1."""
    sample = image[::2, ::2, ::2].flatten()
    level = float(sample.kthvalue(int(0.99 * len(sample))).values)
    low, high = config.bright
    exposed = image * (low * math.pow(high / low, draws.uniform((0, 1))) / max(level, 1e-3))
    if draws.chance(config.lifted):
        lift = draws.uniform(config.lift)
        exposed = exposed * (1 - lift) + lift
    return exposed.clamp_(0, 1)


def _compressed(images: Tensor, step: float) -> Tensor:
    """Round the cosine transform of small blocks, finer details more coarsely."""
    n = _BLOCK
    if images.shape[1] % n or images.shape[2] % n:
        return images
    at = torch.arange(n, device=images.device)
    cosines = torch.cos(math.pi / n * (at + 0.5) * at[:, None]) * math.sqrt(2 / n)
    cosines[0] /= math.sqrt(2)
    c, i, j, k = images.shape
    blocks = images.view(c, i // n, n, j // n, n, k)
    steps = (step * (1 + at[:, None] + at)).view(1, 1, n, 1, n, 1)
    rounded = torch.einsum("pa,cxaybk,qb->cxpyqk", cosines, blocks, cosines).div_(steps).round_().mul_(steps)
    return torch.einsum("pa,cxpyqk,qb->cxaybk", cosines, rounded, cosines).reshape(c, i, j, k)
