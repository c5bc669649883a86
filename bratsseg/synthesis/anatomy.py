"""A healthy head of somebody new: one averaged atlas, bent, scaled, sharpened and aged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.synthesis.cortex import CortexConfig, fold
from bratsseg.synthesis.draws import Draws, Lattice

GREY, WHITE, DEPTH, VENTRICLE, TEXTURE, UPPER = range(6)


class AnatomyConfig(Config):
    """How far one head may differ from the atlas. One template is the generator's main limit, so it varies hard."""

    rotation_deg: tuple[float, float, float] = (16.0, 8.0, 10.0)
    """Largest turn about the R, A and S axes: nodding (the first) varies most between protocols."""
    scale: tuple[float, float] = (0.78, 1.06)
    """Common size; MNI152 is larger than most brains: with its 1.9 L this gives the 1.1-1.8 L of stripped scans."""
    aspect_sd: float = 0.035
    """Standard deviation of the size of each axis relative to the common one."""
    elastic_mm: tuple[float, float] = (3.3, 1.0)
    """Displacement sd of the two elastic fields, mm."""
    elastic_scale_mm: tuple[float, float] = (45.0, 11.0)
    """Distance between the knots of the two elastic fields, mm."""
    sharpness: tuple[float, float] = (1.6, 4.0)
    """Exponent on the averaged tissue maps: without it the average's blur teaches false partial volume."""
    tissue_bias_sd: float = 0.35
    """Sd of the log weight of each tissue: thicker or thinner cortex."""
    atrophy: tuple[float, float] = (-0.6, 1.6)
    """Log weight of cerebrospinal fluid: full sulci of the young to wide ones of the old."""
    dilation_mm: tuple[float, float] = (-1.5, 10.0)
    """How far the ventricles' wall moves outward; small values likelier."""
    dilated: float = 0.7
    """Share of heads whose ventricles differ from the atlas at all."""
    cortex: CortexConfig = CortexConfig()
    """Gyri and sulci."""


@dataclass(frozen=True)
class HeadShape:
    """What was drawn for one head: ``to_atlas`` (3, 3) maps mm of the patient to mm of the atlas, then the rest."""

    to_atlas: Tensor
    flipped: bool
    elastic: tuple[float, float]
    sharpness: float
    log_weights: tuple[float, float, float]
    dilation_mm: float


@dataclass(frozen=True)
class Anatomy:
    """Maps (I, J, K) float32 of one head, RAS.

    ``grey``, ``white``, ``fluid`` are memberships that sum to 1; ``depth`` is mm below the brain's surface (negative
    outside), ``ventricle`` a membership, ``ventricle_mm`` the distance to the ventricles (negative inside),
    ``texture`` the template's T1 contrast (white matter about 0), ``upper`` 1 above the tentorium, ``side_mm`` the
    distance to the plane between the hemispheres, positive in the right one.
    """

    grey: Tensor
    white: Tensor
    fluid: Tensor
    depth: Tensor
    ventricle: Tensor
    ventricle_mm: Tensor
    texture: Tensor
    upper: Tensor
    side_mm: Tensor


@dataclass(frozen=True)
class Atlas:
    """The averaged head: ``maps`` (6, I, J, K) float32 RAS, spacing in mm; its centre is the origin."""

    maps: Tensor
    spacing_mm: float

    def lattice_shape(self) -> tuple[int, int, int]:
        """(I, J, K)."""
        _, i, j, k = self.maps.shape
        return i, j, k


@lru_cache(maxsize=2)
def load_atlas(device: torch.device, margin_mm: float = 0.0) -> Atlas:
    """Read the packaged atlas and derive its distance maps, with room around it; once per process and device."""
    with (
        (files("bratsseg.synthesis") / "atlas.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as stored,
    ):
        grey, white, brain, texture = (
            stored[n].astype(np.float32) / 255 for n in ("grey", "white", "brain", "texture")
        )
        spacing, origin = float(stored["spacing_mm"]), stored["origin_mm"]
    room = math.ceil(margin_mm / spacing)
    grey, white, brain, texture = (np.pad(part, room) for part in (grey, white, brain, texture))
    origin = origin - np.float32(room * spacing)
    inside = brain > 0.5
    depth = ndimage.distance_transform_edt(inside, spacing) - ndimage.distance_transform_edt(~inside, spacing)
    fluid = np.clip(brain - grey - white, 0, 1)
    ventricle = _largest((fluid > 0.5) & (depth > 22))
    distance = ndimage.distance_transform_edt(~ventricle, spacing) - ndimage.distance_transform_edt(ventricle, spacing)
    expected = 0.55 * grey + 0.78 * white + 0.2 * fluid
    detail = np.where(inside, texture / (texture[white > 0.9].mean() / 0.78) - expected, 0)
    _, y, z = (origin[a] + spacing * np.arange(n) for a, n in enumerate(brain.shape))
    tentorium = -16 - 0.25 * (y + 50)  # mm: rises towards the back, above cerebellum and brainstem
    upper = np.clip((z[None, :] - tentorium[:, None]) / 6, 0, 1)
    temporal = np.clip((y + 22) / 6, 0, 1)  # in front of the brainstem all is cerebrum, however low
    upper = np.broadcast_to(np.maximum(upper, temporal[:, None])[None], brain.shape)
    maps = np.stack([grey, white, depth, distance, detail, upper]).astype(np.float32)
    return Atlas(torch.from_numpy(maps).to(device), spacing)


def _largest(mask: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(mask, np.ones((3, 3, 3)))
    if count == 0:
        return mask
    return np.asarray(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:])))


def draw_shape(draws: Draws, config: AnatomyConfig) -> HeadShape:
    """Draw what makes this head differ from the atlas."""
    size = draws.uniform(config.scale)
    axes = [size * math.exp(draws.normal(config.aspect_sd)) for _ in range(3)]
    turn = rotation([draws.middling((-limit, limit)) for limit in config.rotation_deg])
    strengths = (config.elastic_mm[0] * draws.uniform((0.3, 1.4)), config.elastic_mm[1] * draws.uniform((0.2, 1.4)))
    atrophy = draws.uniform(config.atrophy)
    weights = (draws.normal(config.tissue_bias_sd), draws.normal(config.tissue_bias_sd), atrophy)
    dilation = draws.low(config.dilation_mm) if draws.chance(config.dilated) else 0.0
    return HeadShape(
        to_atlas=torch.diag(torch.tensor([1 / a for a in axes])) @ turn,
        flipped=draws.chance(0.5),
        elastic=strengths,
        sharpness=draws.uniform(config.sharpness),
        log_weights=weights,
        dilation_mm=dilation,
    )


def rotation(degrees: Sequence[float]) -> Tensor:
    """(3, 3) that turns about the R, A and S axes, in this order."""
    turn = torch.eye(3)
    for axis, angle in enumerate(degrees):
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        a, b = [n for n in range(3) if n != axis]
        step = torch.eye(3)
        step[a, a], step[a, b], step[b, a], step[b, b] = c, -s, s, c
        turn = step @ turn
    return turn


def fitting_lattice(shape: HeadShape, atlas: Atlas, spacing_mm: float) -> Lattice:
    """The smallest grid that holds the head."""
    stretch = torch.linalg.vector_norm(shape.to_atlas, dim=1).reciprocal()
    sizes = [
        math.ceil(n * atlas.spacing_mm * float(s) / spacing_mm)
        for n, s in zip(atlas.lattice_shape(), stretch, strict=True)
    ]
    return Lattice((sizes[0], sizes[1], sizes[2]), spacing_mm, atlas.maps.device)


@dataclass(frozen=True)
class Push:
    """Mass effect: tissue within about 2 × ``radius_mm`` of ``centre_mm`` moves outward by up to ``strength`` radii."""

    centre_mm: tuple[float, float, float]
    radius_mm: float
    strength: float


def bend(
    draws: Draws, shape: HeadShape, lattice: Lattice, *, atlas: Atlas, pushes: Sequence[Push], config: AnatomyConfig
) -> Anatomy:
    """Sample the atlas once, through affine, elastic fields and mass effect together."""
    device = lattice.device
    where = [lattice.axis_mm(a).expand(lattice.shape) for a in range(3)]
    for push in pushes:
        where = _pushed(where, push)
    fields = [
        draws.field(lattice.shape, lattice.spacing_mm, scale, 3).mul_(strength)
        for scale, strength in zip(config.elastic_scale_mm, shape.elastic, strict=True)
    ]
    moved = [where[a] + fields[0][a] + fields[1][a] for a in range(3)]
    matrix = shape.to_atlas.tolist()
    if shape.flipped:
        matrix[0] = [-v for v in matrix[0]]
    place = torch.empty((*lattice.shape, 3), device=device)
    for a in range(3):  # grid_sample wants (z, y, x) as its last axis, and sees our I as its depth
        torch.add(moved[0] * matrix[a][0], moved[1], alpha=matrix[a][1], out=place[..., 2 - a])
        place[..., 2 - a].add_(moved[2], alpha=matrix[a][2])
    half = [n * atlas.spacing_mm / 2 for n in reversed(atlas.lattice_shape())]
    grid = place / torch.tensor(half, device=device)
    maps = F.grid_sample(atlas.maps[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
    return _aged(draws, maps, place, shape=shape, lattice=lattice, config=config)


def _pushed(where: list[Tensor], push: Push) -> list[Tensor]:
    offset = [where[a] - push.centre_mm[a] for a in range(3)]
    squared = (offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2).div_(push.radius_mm**2)
    pull = squared.mul_(-0.5).exp_().mul_(push.strength)
    return [where[a] - offset[a] * pull for a in range(3)]


def _aged(
    draws: Draws, maps: Tensor, place: Tensor, *, shape: HeadShape, lattice: Lattice, config: AnatomyConfig
) -> Anatomy:
    grey = maps[GREY].clamp(1e-4, 1)
    white = maps[WHITE].clamp(1e-4, 1)
    fluid = (1 - grey - white).clamp_(1e-4, 1)
    parts = [
        part.log_().mul_(shape.sharpness).add_(weight).exp_()
        for part, weight in zip((grey, white, fluid), shape.log_weights, strict=True)
    ]
    total = (parts[0] + parts[1]).add_(parts[2])
    grey, white, fluid = (part.div_(total) for part in parts)
    wall = maps[VENTRICLE]
    if shape.dilation_mm:
        uneven = draws.field(lattice.shape, lattice.spacing_mm, 30.0)[0].mul_(0.25 * shape.dilation_mm)
        wall = wall - shape.dilation_mm - uneven
    folds = fold(
        draws,
        config.cortex,
        (grey, white, fluid),
        position=place,
        depth=maps[DEPTH],
        ventricle_mm=wall,
        upper=maps[UPPER],
        lattice=lattice,
    )
    ventricle = torch.sigmoid(wall * -1.6)
    keep = 1 - ventricle
    return Anatomy(
        grey=grey * keep,
        white=white * keep,
        fluid=fluid.mul_(keep).add_(ventricle),
        depth=maps[DEPTH],
        ventricle=ventricle,
        ventricle_mm=wall,
        texture=maps[TEXTURE].mul_(1 - folds),
        upper=maps[UPPER],
        side_mm=-place[..., 2] if shape.flipped else place[..., 2],
    )
