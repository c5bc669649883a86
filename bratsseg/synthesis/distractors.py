"""Bright or odd things that are no tumour: what a network marks by mistake unless it has seen them unmarked."""

from __future__ import annotations

import torch
from torch import Tensor

from bratsseg.config import Config
from bratsseg.synthesis.anatomy import Anatomy
from bratsseg.synthesis.draws import Draws, Lattice

FLAIR, T1N, T1C, T2W = range(4)


class DistractorConfig(Config):
    """Share of patients that show each of them; each stood behind a false mark or a missed tumour on real scans."""

    hyperintensities: float = 0.4
    """White-matter hyperintensities of age, on FLAIR and T2."""
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
    bright_cortex: float = 0.3
    """Regions of cortex brighter on FLAIR than the rest."""
    cyst: float = 0.05
    """A cavity or arachnoid cyst filled with fluid."""
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
    if draws.chance(config.flow):
        moving = torch.sigmoid((_noise(draws, lattice, 10.0) - draws.uniform((0.0, 1.2))) * 4).mul_(anatomy.fluid)
        images[FLAIR] += moving.mul_(draws.uniform((0.2, 1.0)))
    _add_contrast_agent(draws, config, images, anatomy, lattice)
    if draws.chance(config.cyst):
        _add_cyst(draws, images, anatomy, lattice)


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


def _add_cyst(draws: Draws, images: Tensor, anatomy: Anatomy, lattice: Lattice) -> None:
    centre = [draws.uniform((-0.4, 0.4)) * extent for extent in lattice.extent_mm]
    radius = draws.uniform((5.0, 22.0))
    squared = sum((lattice.axis_mm(a) - centre[a]) ** 2 for a in range(3))
    assert isinstance(squared, Tensor)
    inside = torch.sigmoid((squared.sqrt() + _noise(draws, lattice, 15.0) * 0.2 * radius - radius) * -1.5)
    fluid = (anatomy.ventricle > 0.6) & (anatomy.depth > 0)
    for m in range(4):
        wet = images[m][fluid]
        images[m].lerp_(wet.mean() if wet.numel() else images[m].mean(), inside)


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
