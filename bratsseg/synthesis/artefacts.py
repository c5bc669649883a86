"""What the scanner and the preparation add: bias, gamma, blur, thick slices, small shifts, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.synthesis.draws import Draws, Lattice

FLAIR, T1N = 0, 1


class ArtefactConfig(Config):
    """Ranges of acquisition effects."""

    bias_sd: tuple[float, float] = (0.01, 0.11)
    """Sd of the log bias field; .015-.1 in white matter of public cases."""
    bias_scale_mm: float = 55.0
    """Distance over which the bias varies."""
    poles: float = 0.25
    """Share of modalities whose front or back is brighter: a coil lies closer there, or it is corrected badly."""
    poles_by: tuple[float, float] = (0.05, 0.25)
    """How much brighter, at 80 mm from the middle; it grows with the square of that."""
    surface: float = 0.2
    """Share of modalities that are brighter towards the brain's surface on all sides, as array coils have it."""
    surface_by: tuple[float, float] = (0.05, 0.2)
    """How much brighter there than in the middle."""
    gamma_sd: float = 0.14
    """Sd of the log exponent on intensities."""
    blur: tuple[float, float] = (0.0, 0.12)
    """Weight of each neighbour in a three-voxel average along each axis, at 1.5 mm."""
    shift_mm: float = 0.8
    """Largest misregistration of one modality along one axis."""
    thick: float = 0.25
    """Share of modalities acquired with thick slices."""
    thickness_mm: tuple[float, float] = (3.0, 6.0)
    """Their thickness."""
    noise_sd: tuple[float, float] = (0.008, 0.07)
    """Noise relative to white matter, the low end likelier but on FLAIR; .008-.05 in public cases at 1 mm."""
    noise_t1n: float = 0.6
    """Noise of T1 relative to that: the quietest of public cases, .008-.021."""


@dataclass(frozen=True)
class ModalityArtefacts:
    """What was drawn for one modality."""

    bias_sd: float
    pole: float
    surface: float
    gamma: float
    taps: tuple[tuple[float, float], ...]
    thick_axis: int | None
    thickness_mm: float
    noise_sd: float


def draw_artefacts(draws: Draws, config: ArtefactConfig, spacing_mm: float) -> list[ModalityArtefacts]:
    """Draw the acquisition of the four modalities."""
    sharpness = draws.uniform((0, 1))
    return [_draw_one(draws, config, spacing_mm, sharpness, modality=m) for m in range(4)]


def _draw_one(
    draws: Draws, config: ArtefactConfig, spacing_mm: float, sharpness: float, *, modality: int
) -> ModalityArtefacts:
    taps = []
    for _ in range(3):
        width = draws.uniform(config.blur) * sharpness
        shift = draws.middling((-config.shift_mm, config.shift_mm)) / spacing_mm
        ahead, behind = width + max(shift, 0) * 0.7, width + max(-shift, 0) * 0.7
        total = ahead + behind
        taps.append((ahead, behind) if total < 0.8 else (0.8 * ahead / total, 0.8 * behind / total))
    noise = draws.middling(config.noise_sd) if modality == FLAIR else draws.low(config.noise_sd)
    return ModalityArtefacts(
        bias_sd=draws.uniform(config.bias_sd),
        pole=_pole(draws, config),
        surface=draws.uniform(config.surface_by) if draws.chance(config.surface) else 0.0,
        gamma=math.exp(draws.normal(config.gamma_sd)),
        taps=tuple(taps),
        thick_axis=draws.index(torch.tensor([0.15, 0.15, 0.7])) if draws.chance(config.thick) else None,
        thickness_mm=draws.uniform(config.thickness_mm),
        noise_sd=noise * (config.noise_t1n if modality == T1N else 1.0),
    )


def _pole(draws: Draws, config: ArtefactConfig) -> float:
    """How much brighter the front is (positive), or the back (negative)."""
    if not draws.chance(config.poles):
        return 0.0
    return draws.uniform(config.poles_by) * (1 if draws.chance(0.5) else -1)


def acquire(
    draws: Draws, artefacts: list[ModalityArtefacts], images: Tensor, lattice: Lattice, bias_mm: float
) -> Tensor:
    """(4, I, J, K) ideal intensities → as acquired, float32."""
    bias = draws.field(lattice.shape, lattice.spacing_mm, bias_mm, 4)
    for m, effect in enumerate(artefacts):
        image = images[m]
        torch.pow(image.clamp_(min=0.02), effect.gamma, out=image)
        image.mul_(_coil(effect, bias[m].mul_(effect.bias_sd), lattice).exp_())
        noise = draws.white(lattice.shape)
        image.add_(noise, alpha=effect.noise_sd * 0.6)
        for axis, (ahead, behind) in enumerate(effect.taps):
            image = _average(image, axis, ahead, behind)
        if effect.thick_axis is not None:
            image = _thick(image, effect.thick_axis, effect.thickness_mm / lattice.spacing_mm)
        image.add_(noise.roll(1, 2), alpha=effect.noise_sd * 0.5)
        images[m] = image
    return images


def _coil(effect: ModalityArtefacts, log_bias: Tensor, lattice: Lattice) -> Tensor:
    """Add what the place of the coil's elements does to a log bias, in place."""
    across, along, up = (lattice.axis_mm(axis) for axis in range(3))
    if effect.pole:
        towards = (along * math.copysign(1 / 80, effect.pole)).clamp_(min=0)
        log_bias.add_(towards.square_(), alpha=abs(effect.pole))
    if effect.surface:
        outward = (across / 70).square_() + (along / 85).square_() + (up / 65).square_()
        log_bias.add_(outward.clamp_(max=1.5), alpha=effect.surface)
    return log_bias


def _average(image: Tensor, axis: int, ahead: float, behind: float) -> Tensor:
    """Three-voxel weighted average along ``axis``; unequal weights shift the image."""
    if ahead + behind < 0.02:
        return image
    count = image.shape[axis]
    out = image * (1 - ahead - behind)
    out.narrow(axis, 0, count - 1).add_(image.narrow(axis, 1, count - 1), alpha=ahead)
    out.narrow(axis, 1, count - 1).add_(image.narrow(axis, 0, count - 1), alpha=behind)
    return out


def _thick(image: Tensor, axis: int, slices: float) -> Tensor:
    """Average to thick slices along ``axis`` and interpolate back."""
    coarse = list(image.shape)
    coarse[axis] = max(round(coarse[axis] / max(slices, 1.0)), 2)
    averaged = F.interpolate(image[None, None], size=coarse, mode="area")
    return F.interpolate(averaged, size=list(image.shape), mode="trilinear", align_corners=False)[0, 0]
