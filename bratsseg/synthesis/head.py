"""What lies around the brain in a scan that nobody stripped: fluid, bone, marrow, scalp, face, eyes; then air.

Intensities are relative to healthy white matter (1). Everything is placed by two distances: ``depth`` below the brain's
surface, which the atlas gives, and the same below its hull, which is the brain pulled down over face and neck.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from bratsseg.config import Config
from bratsseg.synthesis.anatomy import Anatomy, HeadShape
from bratsseg.synthesis.contrast import Palette, Range, Ranges
from bratsseg.synthesis.draws import Draws, Lattice

T1C = 2
EYE_MM = (33.5, 79.0, -46.0)
"""The right globe's centre in mm from the atlas' centre; ICBM 152 shows it at about (33, 62, -38) of its own mm."""


class HeadConfig(Config):
    """Thicknesses and intensities of what surrounds the brain, the latter wide: coils and fat suppression differ."""

    margin_mm: float = Field(default=33.0, gt=0)
    """Room around the atlas on every side; the thickest gap, bone and scalp below together, with some air."""
    gap_mm: Range = (0.0, 4.5)
    """Fluid and meninges between brain and bone; wider in old age."""
    bone_mm: Range = (4.0, 9.5)
    """Thickness of the vault; anatomy text books give 4 to 10 mm."""
    scalp_mm: Range = (3.0, 9.0)
    """Skin and fat outside the bone; 4 to 8 mm in most adults."""
    taper: Range = (0.05, 0.45)
    """Mm by which the outline draws in for each mm below the widest level: from a full face to a thin neck."""
    fat: Ranges = Ranges(flair=(0.6, 3.0), t1n=(1.1, 2.6), t1c=(-0.3, 0.4), t2w=(0.8, 2.4))
    """Scalp and orbital fat; brightest of all on T1 and, near a surface coil, on FLAIR."""
    suppressed: float = 0.2
    """Share of modalities with fat suppression, where fat is as dark as muscle or darker."""
    marrow: Ranges = Ranges(flair=(0.15, 1.1), t1n=(0.2, 1.4), t1c=(-0.1, 0.3), t2w=(0.2, 1.1))
    """Diploe between the tables of the vault."""
    muscle: Ranges = Ranges(flair=(0.35, 0.9), t1n=(0.45, 0.85), t1c=(0.0, 0.35), t2w=(0.2, 0.6))
    """Temporal and facial muscles, tongue, neck."""
    mucosa: Ranges = Ranges(flair=(0.8, 2.2), t1n=(0.5, 0.9), t1c=(0.3, 1.2), t2w=(1.2, 2.6))
    """Lining of the sinuses and glands: bright on FLAIR, and with contrast; no tumour."""
    vitreous: Ranges = Ranges(flair=(0.1, 0.7), t1n=(0.2, 0.45), t1c=(-0.05, 0.05), t2w=(1.5, 3.0))
    """The globes' content, a fluid that FLAIR suppresses only in part."""
    bone: Range = (0.02, 0.2)
    """Compact bone in any modality: hardly any signal."""
    face_grain_mm: Range = (5.0, 12.0)
    """Size of the parts that the face is made of."""
    air_cells: Range = (-0.3, 1.4)
    """Level of noise (sd 1) above which the front of the face is air: large sinuses to none."""


def add_head(
    draws: Draws,
    config: HeadConfig,
    images: Tensor,
    *,
    palette: Palette,
    anatomy: Anatomy,
    shape: HeadShape,
    lattice: Lattice,
) -> None:
    """Paint everything outside the brain of ``images`` (4, I, J, K), in place."""
    depth, step = anatomy.depth, lattice.spacing_mm
    gap, bone, scalp = (draws.uniform(b) for b in (config.gap_mm, config.bone_mm, config.scalp_mm))
    uneven = draws.field(lattice.shape, step, 28.0, 2)
    inner = depth + (uneven[0] * (0.25 * gap) + gap).clamp_(min=0)
    skin = _hull(depth, lattice, draws.uniform(config.taper)) + uneven[1].mul_(1.2).add_(gap + bone + scalp)
    below_scalp, in_bone = _soft(skin - scalp, step), _soft(inner + bone, step)
    outline, in_skull, in_brain = _soft(skin, step), _soft(inner, step), _soft(depth, step)
    diploe = torch.exp(-((inner + bone / 2) / (0.28 * bone)).square_())
    fatty, lined, airy = _face(draws, config, shape, lattice)
    orbit, eye = _eyes(lattice, shape, draws.uniform((11.0, 13.0)))
    fatty = torch.maximum(fatty, orbit)
    fat, marrow, muscle, mucosa, vitreous = (
        _drawn(draws, ranges) for ranges in (config.fat, config.marrow, config.muscle, config.mucosa, config.vitreous)
    )
    meninges = draws.uniform((0.0, 0.8))
    for m in range(4):
        compact = draws.uniform(config.bone)
        if draws.chance(config.suppressed):
            fat[m] = muscle[m] * draws.uniform((0.4, 1.1))
            marrow[m] = compact + 0.2 * marrow[m]
        face = torch.full_like(depth, muscle[m]).lerp_(torch.full_like(depth, fat[m]), fatty)
        face.lerp_(torch.full_like(depth, mucosa[m]), lined).mul_(1 - airy)
        face.lerp_(torch.full_like(depth, vitreous[m]), eye)
        around = outline * fat[m]
        around.lerp_(face, below_scalp)
        around.lerp_(diploe * (marrow[m] - compact) + compact, in_bone)
        fluid = palette.fluid[m] + (meninges if m == T1C else 0.25 * meninges)
        around.lerp_(torch.full_like(depth, fluid), in_skull)
        images[m] = around.lerp_(images[m], in_brain)


def _soft(level_mm: Tensor, spacing_mm: float) -> Tensor:
    """Membership of a voxel whose centre lies ``level_mm`` inside a surface."""
    return (level_mm / spacing_mm + 0.5).clamp_(0, 1)


def _hull(depth: Tensor, lattice: Lattice, taper: float) -> Tensor:
    """The largest depth straight above, less ``taper`` for each mm that it lies above: never less than ``depth``."""
    ramp = lattice.axis_mm(2) * taper
    return (depth - ramp).flip(2).cummax(2).values.flip(2) + ramp


def _face(draws: Draws, config: HeadConfig, shape: HeadShape, lattice: Lattice) -> tuple[Tensor, Tensor, Tensor]:
    """Memberships of fat, lining and air among what is neither brain, bone nor scalp."""
    size = draws.uniform(config.face_grain_mm)
    parts = draws.field(lattice.shape, lattice.spacing_mm, size, 3)
    fatty = torch.sigmoid((parts[0] - draws.uniform((0.1, 1.0))) * 5)
    front = _from_atlas((0.0, 62.0, -50.0), shape)
    middle = ((lattice.axis_mm(0) - front[0]) / 22).square() + ((lattice.axis_mm(1) - front[1]) / 34).square()
    middle = torch.exp(-middle)  # nose, ethmoid and sphenoid sinus: air and its lining in the middle
    level = draws.uniform(config.air_cells)
    airy = torch.sigmoid((parts[1] - level - 2.2 * (1 - middle)) * 6)
    lined = torch.sigmoid((parts[2].abs_().neg_() + 0.45) * 6).mul_(middle * draws.uniform((0.2, 1.0)))
    return fatty, lined, airy


def _eyes(lattice: Lattice, shape: HeadShape, radius_mm: float) -> tuple[Tensor, Tensor]:
    """Memberships of the orbits' fat and of the globes."""
    orbit, eye = (torch.zeros(lattice.shape, device=lattice.device) for _ in range(2))
    for side in (1.0, -1.0):
        centre = _from_atlas((side * EYE_MM[0], EYE_MM[1], EYE_MM[2]), shape)
        squared = [(lattice.axis_mm(a) - centre[a]) ** 2 for a in range(3)]
        distance = (squared[0] + squared[1] + squared[2]).sqrt_()
        eye = torch.maximum(eye, _soft(radius_mm - distance, lattice.spacing_mm))
        orbit = torch.maximum(orbit, torch.sigmoid((radius_mm + 6 - distance) * 0.7))
    return orbit, eye


def _from_atlas(place_mm: tuple[float, float, float], shape: HeadShape) -> list[float]:
    """Mm of the atlas to mm of the patient, before elastic bending; the atlas is all but symmetric."""
    found: list[float] = (torch.linalg.inv(shape.to_atlas) @ torch.tensor(place_mm)).tolist()
    return found


def _drawn(draws: Draws, ranges: Ranges) -> list[float]:
    """One intensity per modality; T1ce is T1 and what contrast adds."""
    t1 = draws.uniform(ranges.t1n)
    return [draws.uniform(ranges.flair), t1, t1 + draws.uniform(ranges.t1c), draws.uniform(ranges.t2w)]
