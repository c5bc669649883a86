"""Healthy tissue and tumour painted in the intensities of a palette."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from bratsseg.synthesis.anatomy import Anatomy
from bratsseg.synthesis.contrast import Palette
from bratsseg.synthesis.draws import Draws, Lattice
from bratsseg.synthesis.tumour import Tumour

# How much of the fine variation each modality shows: T1 is the smoothest inside tumours of public cases.
GRAIN = (1.0, 0.3, 1.2, 1.0)


def paint_tissue(draws: Draws, palette: Palette, anatomy: Anatomy, lattice: Lattice) -> Tensor:
    """Healthy tissue as (4, I, J, K) float32 in Modality order."""
    uneven = draws.field(lattice.shape, lattice.spacing_mm, 18.0, 2)
    uneven.add_(draws.field(lattice.shape, lattice.spacing_mm, 4.5, 2), alpha=palette.grain)
    images = torch.empty((4, *lattice.shape), device=lattice.device)
    for m in range(4):
        image = images[m]
        torch.mul(anatomy.grey, palette.grey[m], out=image)
        image.add_(anatomy.white).add_(anatomy.fluid, alpha=palette.fluid[m])
        image.add_(anatomy.texture, alpha=palette.texture[m])
        image.mul_((uneven[m % 2] * palette.unevenness[m]).add_(1))
    return images.clamp_(min=0.02)


def paint_tumour(
    draws: Draws, palette: Palette, images: Tensor, *, tumour: Tumour, anatomy: Anatomy, lattice: Lattice
) -> None:
    """Lay the tumour over healthy tissue, in place, inside its bounding box."""
    if not tumour.present:
        return
    box = _bounds(tumour.whole, round(10 / lattice.spacing_mm))
    whole, core, enhancing = (t[box] for t in (tumour.whole, tumour.core, tumour.enhancing))
    size = whole.shape
    patches = draws.field(size, lattice.spacing_mm, palette.patch_mm, 3)
    patches[0::2].mul_(palette.patchiness)
    patches[1].mul_(palette.core_patchiness)
    patches.add_(1).clamp_(0.4, 1.8)
    wet = _wet(draws, palette, size, lattice)
    bleeding = torch.sigmoid((draws.field(size, lattice.spacing_mm, 10.0)[0] - 0.6) * 5)
    shine = draws.field(size, lattice.spacing_mm, 6.0)[0].mul_(0.4 * palette.patchiness).add_(1).clamp_(0.6, 1.5)
    fine = draws.field(size, lattice.spacing_mm, 3.0, 2)
    fluid = anatomy.fluid[box] * (1 - anatomy.ventricle[box])
    near, core_depth = _near(whole, lattice), None
    inward = near.mul(2).sub_(1).clamp_(0, 1)
    if palette.core_border != palette.core:
        core_depth = _near(core, lattice).mul_(2.5).sub_(1.25).clamp_(0, 1)
    # The tumour's mass closes the sulci in it and over the centimetre around it.
    pressed = fluid * near.mul_(2).clamp_(max=1).maximum(whole).mul_(palette.effaced)
    for m in range(4):
        image = images[m][box]
        image -= pressed * (palette.fluid[m] - palette.grey[m])
        anatomical = image - 1
        swollen = (anatomical * palette.anatomy_in_edema).add_(1).mul_(patches[0])
        swollen.mul_(inward * (palette.edema[m] - palette.border[m]) + palette.border[m])
        swollen.mul_((fine[m % 2] * (GRAIN[m] * palette.edema_grain)).add_(1))
        inner = _core(palette, m, anatomical, core_depth)
        inner = (inner + wet * (palette.necrosis[m] - inner)) * patches[1]
        if palette.blood[m]:
            inner.add_(bleeding, alpha=palette.blood[m])
        grain = GRAIN[m] * palette.enhancing_grain
        bright = palette.enhancing[m] * (shine if m == 2 else patches[2]) * (fine[1 - m % 2] * grain).add_(1)
        image.lerp_(swollen, whole).lerp_(inner, core).lerp_(bright, enhancing)


def _core(palette: Palette, m: int, anatomical: Tensor, depth: Tensor | None) -> Tensor:
    """Solid core in one modality; what it grew into still shows, and ``depth`` (0..1) tells its middle from its rim."""
    inner = (anatomical * palette.anatomy_in_core).add_(1)
    if depth is None:
        return inner.mul_(palette.core[m])
    return inner.mul_(depth * (palette.core[m] - palette.core_border[m]) + palette.core_border[m])


def _near(membership: Tensor, lattice: Lattice) -> Tensor:
    """Share of a region in the centimetre around each voxel: 1 deep inside it, about .5 at its border."""
    width = 2 * round(5 / lattice.spacing_mm) + 1
    near = membership[None]
    for axis in (0, 1, 2) * 2:  # axis by axis: a fraction of the sums
        size, pad = (
            [number if a == axis else other for a in range(3)] for number, other in ((width, 1), (width // 2, 0))
        )
        near = F.avg_pool3d(near, size, stride=1, padding=pad, count_include_pad=False)
    return near[0]


def _wet(draws: Draws, palette: Palette, size: torch.Size, lattice: Lattice) -> Tensor:
    """Share of fluid (I, J, K) in the core."""
    if palette.fluid_share is None:
        return torch.zeros(size, device=lattice.device)
    return torch.sigmoid((draws.field(size, lattice.spacing_mm, 12.0)[0] - palette.fluid_share) * 4)


def _bounds(membership: Tensor, margin: int) -> tuple[slice, slice, slice]:
    """The box where a membership is above .01, and ``margin`` voxels more."""
    sides = []
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        line = torch.nonzero(membership.amax(others) > 0.01).flatten()
        low, high = (int(line[0]), int(line[-1]) + 1) if len(line) else (0, 2)
        sides.append(slice(max(low - margin, 0), min(max(high, low + 2) + margin, membership.shape[axis])))
    return sides[0], sides[1], sides[2]
