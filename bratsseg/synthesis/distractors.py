"""Bright or odd things that are no tumour: what a network marks by mistake unless it has seen them unmarked."""

from __future__ import annotations

import torch
from torch import Tensor

from bratsseg.config import Config
from bratsseg.synthesis.anatomy import Anatomy
from bratsseg.synthesis.draws import Draws, Lattice

Range = tuple[float, float]
FLAIR, T1N, T1C, T2W = range(4)


class DistractorConfig(Config):
    """Share of patients that show each of them; each stood behind a false mark or a missed tumour on real scans."""

    hyperintensities: float = 0.4
    """White-matter hyperintensities of age, on FLAIR and T2."""
    confluent: float = 0.08
    """Large ones on both sides alike beside the ventricles (Fazekas 3), which no tumour imitates."""
    caps: float = 0.55
    """Bright rims around the ventricles, on FLAIR and T2."""
    flow: float = 0.35
    """Bright moving fluid on FLAIR."""
    vessels: float = 0.7
    """Bright vessels with contrast."""
    dura: float = 0.6
    """Bright meninges, falx and sinuses with contrast."""
    plexus: float = 0.6
    """Bright choroid plexus with contrast."""
    sinus: float = 0.6
    """Bright venous sinuses with contrast, along the midline and at the edge of the tentorium."""
    haemorrhage: float = 0.08
    """A small bleeding, cavernoma or calcification somewhere: as bright on T1 as on T1ce, so no enhancement."""
    haemorrhage_t1n: Range = (0.15, 0.8)
    """What it adds to both."""
    bright_cortex: float = 0.3
    """Regions of cortex brighter on FLAIR than the rest."""
    bright_regions: float = 0.25
    """Cerebellum or the occipital lobes brighter on FLAIR than the rest, as inflow and the coil make them."""
    cyst: float = 0.05
    """An arachnoid cyst filled with fluid."""
    cavity: float = 0.05
    """A resection cavity that reaches the surface: fluid, a narrow edge of gliosis, some blood, and in part a line of
    enhancement thinner and fainter than most tumours have (below 2 mm: expected in the weeks after an operation)."""
    cavity_line_t1c: Range = (0.08, 0.4)
    """What that line adds to T1ce."""
    residue: float = 0.4
    """Skull, fat or meninges left outside the brain by the stripping."""
    dark_rim: float = 0.5
    """The brain's outermost millimetres darkened by what lies beyond them."""
    tight: float = 0.4
    """A mask that cuts into the cortex."""
    field_cut: float = 0.12
    """Top or bottom of the head outside the field of view."""


def add_distractors(draws: Draws, config: DistractorConfig, images: Tensor, anatomy: Anatomy, lattice: Lattice) -> None:
    """Change healthy ``images`` (4, I, J, K) in place."""
    if draws.chance(config.bright_cortex):
        patch = torch.sigmoid((_noise(draws, lattice, 30.0) - draws.uniform((0.2, 1.0))) * 4)
        images[FLAIR] += patch.mul_(anatomy.grey).mul_(draws.uniform((0.05, 0.3)))
    if draws.chance(config.caps):
        width = _noise(draws, lattice, 14.0).mul_(2.0) + draws.uniform((0.5, 4.5))
        _brighten(draws, images, torch.sigmoid((width - anatomy.ventricle_mm) * 1.2).mul_(1 - anatomy.ventricle))
    if draws.chance(config.hyperintensities):
        spots = torch.sigmoid((_noise(draws, lattice, draws.uniform((5.0, 9.0))) - draws.uniform((1.4, 2.4))) * 7)
        _brighten(draws, images, spots.mul_(anatomy.white))
    if draws.chance(config.confluent):
        _add_confluent(draws, images, anatomy, lattice)
    if draws.chance(config.bright_regions):
        _brighten_back(draws, images, anatomy, lattice)
    if draws.chance(config.flow):
        moving = torch.sigmoid((_noise(draws, lattice, 10.0) - draws.uniform((0.0, 1.2))) * 4).mul_(anatomy.fluid)
        images[FLAIR] += moving.mul_(draws.uniform((0.2, 1.0)))
    _add_contrast_agent(draws, config, images, anatomy, lattice)
    if draws.chance(config.cyst):
        _add_cyst(draws, images, anatomy, lattice)
    if draws.chance(config.cavity):
        _add_cavity(draws, config, images, anatomy, lattice)
    if draws.chance(config.haemorrhage):
        _add_haemorrhage(draws, config, images, lattice)


def _noise(draws: Draws, lattice: Lattice, scale_mm: float) -> Tensor:
    return draws.field(lattice.shape, lattice.spacing_mm, scale_mm)[0]


def _brighten(draws: Draws, images: Tensor, where: Tensor) -> None:
    strength = draws.uniform((0.1, 0.7))
    images[FLAIR].addcmul_(where, torch.ones_like(where), value=strength)
    images[T2W].addcmul_(where, torch.ones_like(where), value=strength * draws.uniform((0.4, 1.0)))
    images[T1N].addcmul_(where, torch.ones_like(where), value=-0.15 * strength)
    images[T1C].addcmul_(where, torch.ones_like(where), value=-0.15 * strength)


def _add_contrast_agent(
    draws: Draws, config: DistractorConfig, images: Tensor, anatomy: Anatomy, lattice: Lattice
) -> None:
    if draws.chance(config.vessels):
        # Where two smooth noises both vanish there is a tube.
        first, second = draws.field(lattice.shape, lattice.spacing_mm, draws.uniform((9.0, 18.0)), 2)
        tube = first.square_().add_(second.square_()).mul_(-1 / draws.uniform((0.01, 0.04))).exp_()
        images[T1C] += tube.mul_((anatomy.fluid + 0.12).mul_(draws.uniform((0.3, 1.6))))
    if draws.chance(config.dura):
        shell = torch.exp(-((anatomy.depth - 0.8) / draws.uniform((0.8, 2.2))).square_())
        falx = torch.exp(-(lattice.axis_mm(0) / draws.uniform((1.0, 2.5))).square_()) * (anatomy.fluid > 0.3)
        sheet = torch.maximum(shell, falx * (anatomy.ventricle < 0.3))
        sheet = sheet.mul_(torch.sigmoid((_noise(draws, lattice, 20.0) - draws.uniform((-0.8, 1.0))) * 3))
        images[T1C] += sheet * draws.uniform((0.2, 1.5))
        images[FLAIR] += sheet * draws.uniform((0.0, 0.6))
    if draws.chance(config.plexus):
        tuft = torch.sigmoid((_noise(draws, lattice, 6.0) - draws.uniform((0.5, 1.6))) * 6).mul_(anatomy.ventricle)
        images[T1C] += tuft * draws.uniform((0.4, 1.6))
        images[FLAIR] += tuft.mul_(draws.uniform((0.0, 0.8)))
    if draws.chance(config.sinus):
        near_surface = torch.exp(-(anatomy.depth / draws.uniform((2.0, 5.0))).square_())
        middle = torch.exp(-(anatomy.side_mm / draws.uniform((2.0, 4.5))).square_()).mul_(anatomy.upper)
        tentorial = (anatomy.upper * (1 - anatomy.upper)).mul_(4 * draws.uniform((0.0, 1.0)))
        images[T1C].add_(torch.maximum(middle, tentorial).mul_(near_surface), alpha=draws.uniform((0.3, 1.5)))


def _add_confluent(draws: Draws, images: Tensor, anatomy: Anatomy, lattice: Lattice) -> None:
    noise = _noise(draws, lattice, 16.0)
    both = (noise + noise.flip(0)).mul_(0.7).add_((18 - anatomy.ventricle_mm).mul_(0.12))
    _brighten(draws, images, torch.sigmoid((both - draws.uniform((1.0, 2.0))) * 3).mul_(anatomy.white))


def _brighten_back(draws: Draws, images: Tensor, anatomy: Anatomy, lattice: Lattice) -> None:
    if draws.chance(0.5):
        where = 1 - anatomy.upper
    else:
        where = torch.sigmoid((-lattice.axis_mm(1) - draws.uniform((20.0, 45.0))) / 10) * anatomy.upper
    images[FLAIR].mul_(where.mul_(draws.uniform((0.05, 0.25))).add_(1))


def _add_cyst(draws: Draws, images: Tensor, anatomy: Anatomy, lattice: Lattice) -> None:
    centre = [draws.uniform((-0.4, 0.4)) * extent for extent in lattice.extent_mm]
    _fill(images, torch.sigmoid(_outside_mm(draws, lattice, centre, draws.uniform((5.0, 22.0))) * -1.5), anatomy)


def _outside_mm(draws: Draws, lattice: Lattice, centre_mm: list[float], radius_mm: float) -> Tensor:
    """Mm outside an uneven ball, negative inside."""
    squared = sum((lattice.axis_mm(a) - centre_mm[a]) ** 2 for a in range(3))
    assert isinstance(squared, Tensor)
    return squared.sqrt_().add_(_noise(draws, lattice, 15.0), alpha=0.2 * radius_mm).sub_(radius_mm)


def _fill(images: Tensor, inside: Tensor, anatomy: Anatomy) -> None:
    """Lay the ventricles' fluid over the images."""
    fluid = (anatomy.ventricle > 0.6) & (anatomy.depth > 0)
    for m in range(4):
        wet = images[m][fluid]
        images[m].lerp_(wet.mean() if wet.numel() else images[m].mean(), inside)


def _add_cavity(draws: Draws, config: DistractorConfig, images: Tensor, anatomy: Anatomy, lattice: Lattice) -> None:
    shallow = torch.nonzero(((anatomy.depth > 3) & (anatomy.depth < 14) & (anatomy.upper > 0.5))[::3, ::3, ::3])
    if not len(shallow):
        return
    place = shallow[int(draws.uniform((0, len(shallow) - 1)))].tolist()
    centre = [(3 * i - (n - 1) / 2) * lattice.spacing_mm for i, n in zip(place, lattice.shape, strict=True)]
    outside = _outside_mm(draws, lattice, centre, draws.uniform((7.0, 22.0)))
    uneven = draws.field(lattice.shape, lattice.spacing_mm, 12.0, 2)
    _brighten(draws, images, torch.sigmoid(draws.uniform((1.5, 6.0)) + uneven[0] * 1.5 - outside))
    _fill(images, torch.sigmoid(outside * -1.5), anatomy)
    edge = torch.exp(-((outside - 0.5) / draws.uniform((0.7, 1.1))).square_())
    line = edge * torch.sigmoid((uneven[0] - draws.uniform((0.0, 1.5))) * 4)
    images[T1C].add_(line, alpha=draws.uniform(config.cavity_line_t1c))
    if draws.chance(0.5):
        _bleed(draws, config, images, edge.mul_(torch.sigmoid((uneven[1] - draws.uniform((0.3, 1.5))) * 4)))


def _add_haemorrhage(draws: Draws, config: DistractorConfig, images: Tensor, lattice: Lattice) -> None:
    centre = [draws.uniform((-0.35, 0.35)) * extent for extent in lattice.extent_mm]
    inside = torch.sigmoid(_outside_mm(draws, lattice, centre, draws.low((1.5, 8.0))) * -1.5)
    _bleed(draws, config, images, inside)


def _bleed(draws: Draws, config: DistractorConfig, images: Tensor, where: Tensor) -> None:
    """Methaemoglobin: T1 and T1ce rise alike; T2 and FLAIR fall inside cells, and rise where it is free."""
    bright, t2 = draws.uniform(config.haemorrhage_t1n), draws.uniform((-0.6, 0.4))
    for m, by in ((T1N, bright), (T1C, bright * draws.uniform((0.9, 1.1))), (T2W, t2), (FLAIR, 0.5 * t2)):
        images[m].add_(where, alpha=by).clamp_(min=0.02)


def cut_brain(draws: Draws, config: DistractorConfig, images: Tensor, anatomy: Anatomy, lattice: Lattice) -> Tensor:
    """The brain mask (I, J, K) bool as a stripping tool would give it; fills what it wrongly leaves, in ``images``."""
    edge = anatomy.depth.clone()
    if draws.chance(config.dark_rim):
        rim = torch.exp(-(anatomy.depth.clamp(min=0) / draws.uniform((0.8, 2.5))).square_())
        for m in range(4):
            images[m].mul_(1 - rim * draws.uniform((0.0, 1.0)))
    if draws.chance(config.residue):
        _leave_residue(draws, images, edge, lattice)
    if draws.chance(config.tight):
        edge -= (_noise(draws, lattice, 25.0) * 0.8 + draws.uniform((0.3, 2.6))).clamp_(min=0)
    mask = edge > 0
    if draws.chance(config.field_cut):
        lost = int(draws.uniform((4, 28)) / lattice.spacing_mm)
        if draws.chance(0.5):
            mask[:, :, :lost] = False
        else:
            mask[:, :, lattice.shape[2] - lost :] = False
    return mask


def _leave_residue(draws: Draws, images: Tensor, edge: Tensor, lattice: Lattice) -> None:
    reach = draws.uniform((0.5, 6.0))
    extra = (_noise(draws, lattice, 22.0) * 0.7 + draws.uniform((-0.6, 0.6))).clamp_(min=0).mul_(reach)
    outside = torch.sigmoid(edge * -3)
    texture = draws.field(lattice.shape, lattice.spacing_mm, 4.0, 2)
    for m in range(4):
        level, rough = draws.low((0.03, 1.6)), draws.uniform((0.05, 0.4))
        images[m].lerp_((texture[m % 2] * rough + level).clamp_(min=0.02), outside)
    edge += extra
