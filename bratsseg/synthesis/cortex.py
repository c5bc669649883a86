"""Gyri and sulci. The averaged atlas has lost nearly all of them, and every real brain is full of them.

A sulcus is a thin sheet of fluid that runs inward from the brain's surface, with a ribbon of grey matter along it. The
sheets are where smooth noise on the surface, drawn out towards the middle of the brain, crosses zero; so they are new
in each head, upright on the surface, and about as far apart as gyri are wide.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.synthesis.draws import Draws, Lattice

_MIDDLE_MM = (0.0, (-45.0, 15.0), 5.0)
"""What sulci point to, in mm from the atlas's centre, RAS: a line from back to front."""
_SURFACE_MM = 62.0
"""About how far the surface is from that line."""
_REACH_MM, _KNOT_MM = 105.0, 3.0
"""Half the edge of the cube of noise, and its sampling."""


class CortexConfig(Config):
    """The cortex that replaces the averaged one."""

    folded: float = 0.9
    """Share of heads that get it; the rest keep the average's smooth one, as a heavily blurred scan shows it."""
    gyrus_mm: tuple[float, float] = (4.5, 7.5)
    """Scale of the noise; sulci lie about 1.8 times that apart, 8-14 mm (adult gyri are 10-15 mm wide)."""
    depth_mm: tuple[float, float] = (9.0, 22.0)
    """Depth of the deepest sulci; 10-25 mm in adults."""
    thickness_mm: tuple[float, float] = (2.2, 3.8)
    """Thickness of the grey matter; 2-4.5 mm (Fischl and Dale, PNAS 2000), with the blur of a voxel."""
    opening_mm: tuple[float, float] = (0.1, 1.4)
    """Half-width of a sulcus at the surface, narrow ones likelier; it closes towards its bottom."""
    cover_mm: tuple[float, float] = (0.0, 1.5)
    """Fluid between the brain's surface and the gyri's crowns."""
    steepness: tuple[float, float] = (1.1, 2.4)
    """How sharp the borders between fluid, grey and white matter are, per mm."""
    fissure: float = 0.9
    """Share of folded heads whose hemispheres are parted by a fissure above the corpus callosum."""


def fold(
    draws: Draws,
    config: CortexConfig,
    tissues: tuple[Tensor, Tensor, Tensor],
    *,
    position: Tensor,
    depth: Tensor,
    ventricle_mm: Tensor,
    upper: Tensor,
    lattice: Lattice,
) -> Tensor:
    """Lay a folded cortex over grey, white and fluid (I, J, K) in place; returns where it was laid, 0..1.

    ``position`` (I, J, K, 3) is in mm of the atlas from its centre, (S, A, R) last; ``depth`` mm below the brain's
    surface; ``upper`` 1 above the tentorium: cerebellum and brainstem stay as the average has them.
    """
    if not draws.chance(config.folded):
        return torch.zeros_like(depth)
    gyrus, bottom = draws.uniform(config.gyrus_mm), draws.uniform(config.depth_mm)
    thickness, cover = draws.uniform(config.thickness_mm), draws.low(config.cover_mm)
    opening, steepness = draws.low(config.opening_mm), draws.uniform(config.steepness)
    below = depth
    if draws.chance(config.fissure):
        below = torch.minimum(depth, _beside_fissure(position, depth, ventricle_mm, upper))
    away = _distance_to_sheets(draws, position, gyrus, lattice)
    uneven = draws.field(lattice.shape, lattice.spacing_mm, 25.0, 2)
    bottoms = uneven[0].mul_(0.3 * bottom).add_(bottom).clamp_(3.0, 26.0)
    closing = (1 - below / bottoms).clamp_(0, 1)
    wide = closing.mul_(uneven[1].mul_(0.5).add_(1).clamp_(min=0)).mul_(opening)
    pial_mm = torch.minimum(below - cover, torch.maximum(away - wide, below - bottoms))
    where = torch.sigmoid((27.0 - below).mul_(0.6)).mul_(upper)
    _lay(tissues, pial_mm, where, thickness, steepness)
    return where


def _beside_fissure(position: Tensor, depth: Tensor, ventricle_mm: Tensor, upper: Tensor) -> Tensor:
    """How deep below the hemispheres' inner faces, in mm that are shorter than real ones: sulci are shallower there.

    Not through the corpus callosum, which lies on the ventricles, nor through the thalamus, deepest of all.
    """
    parted = torch.sigmoid((ventricle_mm - 9).mul_(0.7)).mul_(torch.sigmoid((42 - depth).mul_(0.5))).mul_(upper)
    return position[..., 2].abs().mul_(1.6).add_(parted.neg_().add_(1).mul_(60.0))


def _lay(
    tissues: tuple[Tensor, Tensor, Tensor], pial_mm: Tensor, where: Tensor, thickness_mm: float, steepness: float
) -> None:
    """Fluid outside the pial surface, a ribbon of grey matter inside it, white matter below; as far as ``where``."""
    grey, white, fluid = tissues
    wet = torch.sigmoid(pial_mm * -steepness)
    ribbon = torch.sigmoid((thickness_mm - pial_mm).mul_(steepness)).sub_(wet).clamp_(min=0)
    water = torch.maximum(fluid, wet * where)
    solid = 1 - water
    share = grey / (grey + white).clamp_(min=1e-4)
    share.lerp_(ribbon / (1 - wet).clamp_(min=1e-2), where).clamp_(0, 1)
    torch.mul(solid, share, out=grey)
    torch.sub(solid, grey, out=white)
    fluid.copy_(water)


def _distance_to_sheets(draws: Draws, position: Tensor, gyrus_mm: float, lattice: Lattice) -> Tensor:
    """Mm to the nearest sheet: the noise over its slope."""
    count = round(2 * _REACH_MM / _KNOT_MM)
    noise = draws.field((count, count, count), _KNOT_MM, gyrus_mm)
    x, (back, front), z = _MIDDLE_MM
    middle = torch.empty_like(position)
    middle[..., 2] = x
    middle[..., 1] = position[..., 1].clamp(back, front)
    middle[..., 0] = z
    outward = position - middle
    length = torch.linalg.vector_norm(outward, dim=-1, keepdim=True).clamp_(min=20.0)
    outward.mul_(0.25 + (0.75 * _SURFACE_MM) / length).add_(middle).div_(_REACH_MM)
    sheet = F.grid_sample(noise[None], outward[None], mode="bilinear", padding_mode="border", align_corners=False)[0, 0]
    slope = torch.zeros_like(sheet)
    for axis in range(3):
        count = sheet.shape[axis]
        step = sheet.narrow(axis, 2, count - 2) - sheet.narrow(axis, 0, count - 2)
        slope.narrow(axis, 1, count - 2).add_(step.square_())
    slope.sqrt_().div_(2 * lattice.spacing_mm).clamp_(min=0.25 / gyrus_mm)
    return sheet.abs_().div_(slope)
