"""How bright each tissue is in each modality: drawn in ranges, tied between modalities, painted in one pass.

Intensities are relative to healthy white matter (1). The ranges cover the medians of public cases, stretched on both
sides so that a scanner nobody has measured is still inside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.synthesis.anatomy import Anatomy
from bratsseg.synthesis.draws import Draws, Lattice
from bratsseg.synthesis.tumour import Tumour

Range = tuple[float, float]

# How much of the fine variation each modality shows: T1 is the smoothest inside tumours of public cases.
GRAIN = (1.0, 0.3, 1.2, 1.0)


class Ranges(Config):
    """One range per modality, relative to white matter."""

    flair: Range
    """FLAIR."""
    t1n: Range
    """T1 without contrast."""
    t1c: Range
    """T1 with contrast; for tissue that does not enhance it is tied to ``t1n`` and this is the residual change."""
    t2w: Range
    """T2."""


class ContrastConfig(Config):
    """Ranges of tissue intensities."""

    grey: Ranges = Ranges(flair=(0.93, 1.34), t1n=(0.72, 0.98), t1c=(-0.06, 0.08), t2w=(1.02, 1.34))
    """Cortex and deep nuclei; medians 1.12, .83, .84, 1.22."""
    fluid: Ranges = Ranges(flair=(0.08, 0.75), t1n=(0.25, 0.72), t1c=(-0.05, 0.08), t2w=(1.3, 3.2))
    """Cerebrospinal fluid."""
    edema: Ranges = Ranges(flair=(1.15, 1.95), t1n=(0.77, 1.01), t1c=(-0.1, 0.05), t2w=(1.12, 1.9))
    """Edema; medians 1.48, .91, .95, 1.48."""
    core: Ranges = Ranges(flair=(0.82, 1.45), t1n=(0.66, 0.98), t1c=(-0.1, 0.12), t2w=(0.95, 1.6))
    """Solid non-enhancing core; FLAIR and T2 are relative to edema, where it is usually the brighter (.99-1.27)."""
    necrosis: Ranges = Ranges(flair=(0.5, 2.3), t1n=(0.46, 0.9), t1c=(-0.08, 0.1), t2w=(1.3, 3.0))
    """Fluid necrosis: from dark as cerebrospinal fluid to bright with protein on FLAIR, where six of nine public cases
    have it brighter than edema."""
    enhancing: Ranges = Ranges(flair=(0.65, 1.22), t1n=(0.82, 1.05), t1c=(1.1, 2.1), t2w=(0.76, 1.36))
    """Enhancing tumour; FLAIR and T2 relative to edema; T1ce absolute, the low end likelier (median 1.31)."""
    low_contrast: float = 0.1
    """Share of patients whose edema is hardly brighter than cortex on FLAIR."""
    diffuse: float = 0.3
    """Share of patients whose solid core is hardly told from edema by its intensity: only by where it grows."""
    cystic: float = 0.4
    """Share of patients whose core is fluid rather than solid."""
    mixed: float = 0.28
    """Share of patients whose core is part fluid, part solid."""
    suppressed: float = 0.3
    """Share of patients whose necrosis is as dark as cerebrospinal fluid on FLAIR."""
    blood: float = 0.08
    """Share of patients with old blood in the core: bright on T1 with and without contrast."""
    texture: Range = (0.3, 1.2)
    """How much of the template's own T1 contrast (deep nuclei, myelination) shows, on T1 and T1ce."""
    unevenness: Range = (0.01, 0.06)
    """Sd of slow variation inside one tissue."""
    grain: Range = (0.0, 0.7)
    """Fine variation relative to the slow one."""
    patchiness: Range = (0.02, 0.14)
    """Sd of variation inside the tumour's parts."""
    patch_mm: Range = (6.0, 30.0)
    """Scale of that variation, coarse likelier: parts of real tumours are mostly even, or fade from end to end."""
    edema_grain: Range = (0.0, 0.09)
    """Sd of fine variation inside edema."""
    enhancing_grain: Range = (0.05, 0.24)
    """Sd of fine variation inside enhancing tumour."""
    anatomy_in_edema: Range = (0.0, 0.7)
    """How much of the tissue's own contrast is still seen through edema."""


@dataclass(frozen=True)
class Palette:
    """Drawn intensities, each (FLAIR, T1, T1ce, T2) relative to white matter, and how they vary."""

    grey: tuple[float, ...]
    fluid: tuple[float, ...]
    edema: tuple[float, ...]
    core: tuple[float, ...]
    necrosis: tuple[float, ...]
    enhancing: tuple[float, ...]
    fluid_share: float | None
    blood: float
    texture: tuple[float, ...]
    unevenness: tuple[float, ...]
    grain: float
    patchiness: float
    patch_mm: float
    edema_grain: float
    enhancing_grain: float
    anatomy_in_edema: float
    effaced: float


def draw_palette(draws: Draws, config: ContrastConfig) -> Palette:
    """Draw the intensities of one patient."""
    grey = _tied(draws, config.grey)
    low = draws.chance(config.low_contrast)
    severity = draws.middling((0, 1))
    edema = list(_tied(draws, config.edema, severity))
    floor = grey[0] * (draws.uniform((1.0, 1.1)) if low else draws.uniform((1.06, 1.16)))
    edema[0] = floor if low else max(edema[0], floor)
    edema[3] = max(edema[3], grey[3] * draws.uniform((0.97, 1.1)))
    core = _relative(_tied(draws, config.core), edema)
    core[1] = min(core[1], edema[1] * 1.02)
    core[2] = min(core[2], edema[2] * 1.08)
    if draws.chance(config.diffuse):
        alike = draws.uniform((0.4, 0.95))
        core = [c + alike * (e - c) for c, e in zip(core, edema, strict=True)]
    enhancing = _relative(_tied(draws, config.enhancing), edema)
    enhancing[2] = max(draws.low(config.enhancing.t1c), 1.12 * max(edema[2], core[2]))
    fluid, necrosis = _tied(draws, config.fluid), list(_tied(draws, config.necrosis))
    if draws.chance(config.suppressed):
        necrosis[0] = fluid[0] * draws.uniform((0.9, 1.4))
    cystic, mixed = draws.chance(config.cystic), draws.chance(config.mixed)
    strength = draws.uniform(config.texture)
    return Palette(
        grey=grey,
        fluid=fluid,
        edema=tuple(edema),
        core=tuple(core),
        necrosis=tuple(necrosis),
        enhancing=tuple(enhancing),
        fluid_share=draws.uniform((-0.8, 0.8)) if mixed else (-9.0 if cystic else None),
        blood=draws.uniform((0.25, 0.8)) if draws.chance(config.blood) else 0.0,
        texture=(draws.normal(0.25), strength, strength * draws.uniform((0.6, 1.0)), draws.normal(0.3) - 0.4),
        unevenness=tuple(draws.uniform(config.unevenness) for _ in range(4)),
        grain=draws.uniform(config.grain),
        patchiness=draws.uniform(config.patchiness),
        patch_mm=config.patch_mm[1] - draws.low((0.0, config.patch_mm[1] - config.patch_mm[0])),
        edema_grain=draws.uniform(config.edema_grain),
        enhancing_grain=draws.uniform(config.enhancing_grain),
        anatomy_in_edema=draws.uniform(config.anatomy_in_edema),
        effaced=draws.uniform((0.2, 1.0)),
    )


def _tied(draws: Draws, ranges: Ranges, severity: float | None = None) -> tuple[float, ...]:
    """One intensity per modality; T1ce follows T1, and with ``severity`` FLAIR and T2 rise together."""
    t1 = draws.middling(ranges.t1n)
    if severity is None:
        flair, t2 = draws.middling(ranges.flair), draws.middling(ranges.t2w)
    else:
        together = 0.6 * severity + 0.4 * draws.uniform((0, 1))
        flair = ranges.flair[0] + severity * (ranges.flair[1] - ranges.flair[0])
        t2 = ranges.t2w[0] + together * (ranges.t2w[1] - ranges.t2w[0])
    return flair, t1, t1 + draws.middling(ranges.t1c), t2


def _relative(values: tuple[float, ...], edema: list[float]) -> list[float]:
    return [values[0] * edema[0], values[1], values[2], values[3] * edema[3]]


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
    patches = (
        draws.field(size, lattice.spacing_mm, palette.patch_mm, 3).mul_(palette.patchiness).add_(1).clamp_(0.4, 1.8)
    )
    wet = _wet(draws, palette, size, lattice)
    bleeding = torch.sigmoid((draws.field(size, lattice.spacing_mm, 10.0)[0] - 0.6) * 5).mul_(palette.blood)
    shine = draws.field(size, lattice.spacing_mm, 6.0)[0].mul_(0.4 * palette.patchiness).add_(1).clamp_(0.6, 1.5)
    fine = draws.field(size, lattice.spacing_mm, 3.0, 2)
    fluid = anatomy.fluid[box] * (1 - anatomy.ventricle[box])
    pressed = fluid * _around(whole, lattice).mul_(palette.effaced)
    for m in range(4):
        image = images[m][box]
        image -= pressed * (palette.fluid[m] - palette.grey[m])
        swollen = (image - 1).mul_(palette.anatomy_in_edema).add_(1).mul_(patches[0] * palette.edema[m])
        swollen.mul_((fine[m % 2] * (GRAIN[m] * palette.edema_grain)).add_(1))
        inner = palette.core[m] + wet * (palette.necrosis[m] - palette.core[m])
        inner = inner * patches[1]
        if palette.blood and m in (1, 2):
            inner = inner + bleeding
        grain = GRAIN[m] * palette.enhancing_grain
        bright = palette.enhancing[m] * (shine if m == 2 else patches[2]) * (fine[1 - m % 2] * grain).add_(1)
        image.lerp_(swollen, whole).lerp_(inner, core).lerp_(bright, enhancing)


def _around(whole: Tensor, lattice: Lattice) -> Tensor:
    """1 in the tumour, falling to 0 over the centimetre around it: its mass closes the sulci there."""
    width = 2 * round(5 / lattice.spacing_mm) + 1
    near = whole[None]
    for _ in range(2):
        near = F.avg_pool3d(near, width, stride=1, padding=width // 2, count_include_pad=False)
    return near[0].mul_(2).clamp_(max=1).maximum(whole)


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
