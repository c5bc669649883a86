"""A real tumour's shape carried into a drawn head: where it was in its own, mirrored, turned, bent and resized.

The maps lie in the frame of the BraTS challenge (1 mm, 240 × 240 × 155 voxels, near SRI24); ``FRAME`` brings that to
the atlas. Positions in the drawn head follow its affine part alone: what its elastic part adds is a few mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.synthesis.anatomy import Anatomy, HeadShape, rotation
from bratsseg.synthesis.draws import Draws, Lattice
from bratsseg.synthesis.reader import Reader
from bratsseg.synthesis.shapes import ROOM, STEP_MM, Shape, load_shapes

FRAME_SCALE = (1.09, 1.085, 1.158)
FRAME_TILT_DEG = -13.0
FRAME_ORIGIN = (119.5, 119.5, 77.0)
FRAME_SHIFT_MM = (0.0, 11.2, -0.2)
"""Atlas mm = turn about R by the tilt of (scale × (voxel - origin)), + shift: fitted so that the mean brain mask of
nine public cases in the frame covers the atlas' brain. The atlas, MNI152, is larger than their brains by these."""


FADED = 4.0
"""Softnesses outside its surface where a membership has faded away."""
ENHANCING_SOFTNESS_MM = 0.5
"""Softness of what enhances, as of drawn rims."""
HELD_BACK_MM = (4.0, 2.0, 0.6)
"""The most that whole, core and enhancing part grow elsewhere where they are held back; rims are thin."""


class GraftConfig(Config):
    """How far a grown tumour may differ from the map that it comes from."""

    low_grade: float = 1.6
    """How many times their own share maps have whose core does not enhance: they are hard, and 57 of 447."""
    parts: int = Field(default=1, ge=1)
    """Map n of the file belongs to part n modulo this; tumours grow from ``taken`` alone, others can test."""
    taken: tuple[int, ...] = (0,)
    """Which of the ``parts``, from 0."""
    scale: tuple[float, float] = (0.8, 1.25)
    """Size relative to the map's, beside what the head's own size does; log-uniform."""
    largest_ml: float = 280.0
    """No whole tumour becomes larger than this in the map's own head; one of 447 public ones is."""
    turn_deg: float = 15.0
    """Largest turn about each axis; the middle is likelier."""
    move_mm: float = 4.0
    """Standard deviation of the move along each axis."""
    bend_mm: tuple[float, float] = (2.2, 0.7)
    """Largest sd of the two displacement fields; the low end is likelier for the second."""
    bend_scale_mm: tuple[float, float] = (28.0, 10.0)
    """Distance between the knots of those fields."""
    softness_mm: tuple[float, float] = (0.4, 2.4)
    """Width over which the whole tumour's border fades, the sharp end likelier; less than a drawn one's: with 4.5 mm
    FLAIR was half-way up just outside the outlines, which are a third of the way up in seven public cases."""
    mixed: float = 0.25
    """Share of tumours whose whole is mixed with that of another map; its core too where neither enhances."""

    @model_validator(mode="after")
    def _takes_parts_that_are(self) -> Self:
        if not self.taken or not set(self.taken) <= set(range(self.parts)):
            raise ValueError(f"taken must name some of the parts 0 to {self.parts - 1}, was {list(self.taken)}")
        return self


@dataclass(frozen=True)
class Part:
    """A map and the way to it: ``to_voxel`` (3, 4) takes mm of the patient, from the lattice's centre, to its frame."""

    shape: Shape
    to_voxel: Tensor


@dataclass(frozen=True)
class Graft:
    """What was drawn for one tumour of a real shape; mm of the patient from the lattice's centre."""

    first: Part
    second: Part | None
    share: float
    bend_mm: tuple[float, float]
    bend_scale_mm: tuple[float, float]
    centre_mm: tuple[float, float, float]
    core_centre_mm: tuple[float, float, float]
    radius_mm: float
    core_radius_mm: float

    @property
    def enhancing_share(self) -> float:
        """Of the core."""
        _, core, enhancing = self.first.shape.mm3
        return enhancing / max(core, 1)


def frame_to_atlas() -> tuple[Tensor, Tensor]:
    """(3, 3) and (3,): mm of the atlas from its centre = the first @ voxel of the frame + the second."""
    linear = rotation((FRAME_TILT_DEG, 0.0, 0.0)) @ torch.diag(torch.tensor(FRAME_SCALE))
    return linear, torch.tensor(FRAME_SHIFT_MM) - linear @ torch.tensor(FRAME_ORIGIN)


def draw_graft(draws: Draws, config: GraftConfig, path: Path, head: HeadShape) -> Graft:
    """Choose a map, or two, and draw what is done to them."""
    shapes = load_shapes(path)
    weights = shapes.weights(config.low_grade, config.parts, config.taken)
    shape = shapes.shape(draws.index(weights))
    way = _draw_way(draws, config, shape, head)
    second, share = None, 0.0
    if draws.chance(config.mixed):
        other = shapes.shape(draws.index(weights))
        second, share = Part(other, _alike(way, shape, other)), draws.uniform((0.2, 0.5))
    inverse = torch.linalg.inv(way[:, :3])
    size = float(torch.linalg.det(inverse).abs()) ** (1 / 3)

    def place(voxel: tuple[float, float, float]) -> tuple[float, float, float]:
        x, y, z = (inverse @ (torch.tensor(voxel) - way[:, 3])).tolist()
        return x, y, z

    radius, core_radius = (size * (3 * n / (4 * math.pi)) ** (1 / 3) for n in shape.mm3[:2])
    return Graft(
        first=Part(shape, way),
        second=second,
        share=share,
        bend_mm=(draws.uniform((0.3, 1.0)) * config.bend_mm[0], draws.low((0.0, config.bend_mm[1]))),
        bend_scale_mm=config.bend_scale_mm,
        centre_mm=place(shape.centre),
        core_centre_mm=place(shape.core_centre or shape.centre),
        radius_mm=radius,
        core_radius_mm=core_radius,
    )


def _draw_way(draws: Draws, config: GraftConfig, shape: Shape, head: HeadShape) -> Tensor:
    """(3, 4): patient → atlas → there turned, resized and moved about the tumour, perhaps mirrored → voxel."""
    frame, constant = frame_to_atlas()
    mirror = torch.diag(torch.tensor([-1.0 if draws.chance(0.5) else 1.0, 1.0, 1.0]))
    centre = mirror @ (frame @ torch.tensor(shape.centre) + constant)
    turn = rotation([draws.middling((-config.turn_deg, config.turn_deg)) for _ in range(3)])
    scale = math.exp(draws.uniform([math.log(bound) for bound in config.scale]))
    scale = min(scale, (1000 * config.largest_ml / shape.mm3[0]) ** (1 / 3))
    move = torch.tensor([draws.normal(config.move_mm) for _ in range(3)])
    about = turn / scale
    inward = torch.linalg.inv(frame)
    # patient → atlas, there about ``centre``: atlas = mirror (about (to_atlas p - centre - move) + centre)
    linear = inward @ mirror @ about @ head.to_atlas
    origin = inward @ (mirror @ (centre - about @ (centre + move)) - constant)
    return torch.cat([linear, origin[:, None]], 1)


def _alike(way: Tensor, shape: Shape, other: Shape) -> Tensor:
    """The way to ``other``, its middle where that of ``shape`` is, its outer side where the outer side is."""
    found, middle = way.clone(), FRAME_ORIGIN[0]
    found[:, 3] -= torch.tensor(shape.centre)
    if (other.centre[0] - middle) * (shape.centre[0] - middle) < 0:
        found[0] *= -1
    found[:, 3] += torch.tensor(other.centre)
    return found


@dataclass(frozen=True)
class Levels:
    """Signed mm (I, J, K) to the surfaces of the three regions inside ``box`` of the lattice, negative inside."""

    whole: Tensor
    core: Tensor
    enhancing: Tensor
    box: tuple[slice, slice, slice]


def lay(draws: Draws, graft: Graft, lattice: Lattice, room_mm: float) -> Levels:
    """The shape's distances on the lattice, bent; as far as ``room_mm`` around the maps' boxes."""
    box = _box(graft, lattice, room_mm + 2.0 * graft.bend_mm[0])
    size = [part.stop - part.start for part in box]
    where = [_cut(lattice.axis_mm(axis), axis, box).expand(size) for axis in range(3)]
    for sd, scale in zip(graft.bend_mm, graft.bend_scale_mm, strict=True):
        field = draws.field(size, lattice.spacing_mm, scale, 3).mul_(sd)
        where = [line + moved for line, moved in zip(where, field, strict=True)]
    whole, core, enhancing = _sampled(graft.first, where)
    if graft.second is not None:
        other = _sampled(graft.second, where)
        mixed = whole.lerp(other[0], graft.share)
        whole = torch.where(core < 0, torch.minimum(mixed, core), mixed)
        if not graft.first.shape.mm3[2] and not graft.second.shape.mm3[2] and graft.second.shape.mm3[1]:
            core = torch.maximum(core.lerp(other[1], graft.share), whole)
    return Levels(whole, core, enhancing, box)


def _box(graft: Graft, lattice: Lattice, room_mm: float) -> tuple[slice, slice, slice]:
    """The lattice's voxels within ``room_mm`` of the maps' boxes."""
    corners = []
    for part in (graft.first, graft.second):
        if part is None:
            continue
        low = torch.tensor(part.shape.low, dtype=torch.float32)
        high = low + torch.tensor(part.shape.signed.shape[1:]) - 1
        ends = torch.cartesian_prod(*torch.stack([low, high], 1))
        corners.append(torch.linalg.solve(part.to_voxel[:, :3], (ends - part.to_voxel[:, 3]).T))
    places = torch.cat(corners, 1)
    sides = []
    for axis, count in enumerate(lattice.shape):
        nearest, farthest = float(places[axis].min()) - room_mm, float(places[axis].max()) + room_mm
        first, last = (int(end / lattice.spacing_mm + (count - 1) / 2) for end in (nearest, farthest))
        start = min(max(first, 0), count - 4)
        sides.append(slice(start, min(max(last + 2, start + 4), count)))
    return sides[0], sides[1], sides[2]


def _cut(line: Tensor, axis: int, box: tuple[slice, slice, slice]) -> Tensor:
    return line[tuple(box[axis] if a == axis else slice(None) for a in range(3))]


def _sampled(part: Part, where: list[Tensor]) -> Tensor:
    """Distances (3, I, J, K) in mm of the patient at ``where``, interpolated: a thin rim stays one."""
    device = where[0].device
    signed = torch.from_numpy(part.shape.signed.copy()).to(device).float().mul_(STEP_MM)
    rows = part.to_voxel.tolist()
    grid = torch.empty((*where[0].shape, 3), device=device)
    beyond = torch.zeros_like(where[0])
    for axis, (row, low) in enumerate(zip(rows, part.shape.low, strict=True)):
        count = signed.shape[axis + 1]
        voxel = where[0] * row[0] + where[1] * row[1] + where[2] * row[2] + (row[3] - low)
        inside = voxel.clamp(0, count - 1)
        beyond += (voxel - inside).square_()
        grid[..., 2 - axis] = (2 * inside + 1) / count - 1
    found = F.grid_sample(signed[None], grid[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
    mm = float(torch.linalg.det(part.to_voxel[:, :3]).abs()) ** (-1 / 3)
    return found.add_(beyond.sqrt_()).mul_(mm)


def regained(level: Tensor, allowed: Tensor, most_mm: float) -> Tensor:
    """``level`` lowered, by at most ``most_mm``, until the region is as large in ``allowed`` as it was without it.

    A tumour that meets bone or a wide ventricle is not smaller for it: it has grown where it could.
    """
    inside = level < 0
    wanted, left = int(inside.sum()), level[allowed]
    if wanted == 0 or wanted > left.numel() or wanted == int((left < 0).sum()):
        return level
    threshold = float(left.kthvalue(wanted).values)
    return level - min(max(threshold, 0.0), most_mm)


def grow_graft(
    draws: Draws,
    graft: Graft,
    softness_mm: tuple[float, float],
    *,
    spares_ventricle: bool,
    anatomy: Anatomy,
    lattice: Lattice,
    reader: Reader,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Memberships of whole, core and enhancing (I, J, K) in 0..1, nested, and the outline of the whole (I, J, K) bool.

    The outline is the real one, where the shape may grow; the membership is ``reader``'s level there and half-way
    inside it, by the softness of the whole tumour, the first of ``softness_mm``. The core is cut half-way.
    """
    levels = lay(draws, graft, lattice, FADED * max(softness_mm) - ROOM)
    box = levels.box
    room = (anatomy.depth[box] > 0).float()
    if spares_ventricle:
        room *= 1 - anatomy.ventricle[box]
    allowed = room > 0.5
    found = (levels.whole, levels.core, levels.enhancing)
    whole, core, enhancing = (regained(level, allowed, most) for level, most in zip(found, HELD_BACK_MM, strict=True))
    # Less far in where the tumour is thin, so that it is still seen there.
    inward = depth_around(whole, lattice).mul_(0.5).clamp_(max=max(reader.inward_mm(softness_mm[0]), 0.0))
    bright = torch.sigmoid(enhancing / -ENHANCING_SOFTNESS_MM)
    inner = torch.maximum(torch.sigmoid(core / -softness_mm[1]), bright)
    outer = torch.maximum(torch.sigmoid((whole + inward) / -softness_mm[0]), inner)
    parts = (outer * room, inner * room, bright * room, (whole < 0) & allowed)
    placed = [_placed(part, box, lattice) for part in parts]
    return placed[0], placed[1], placed[2], placed[3]


def depth_around(level: Tensor, lattice: Lattice) -> Tensor:
    """How deep the region goes within about 6 mm of each voxel, mm, smoothly: half its thickness where it is thin."""
    reach = max(round(6 / lattice.spacing_mm), 1)
    depth = level.neg().clamp_(min=0)[None, None]
    for axis in range(3):
        kernel, padding = [1, 1, 1], [0, 0, 0]
        kernel[axis], padding[axis] = 2 * reach + 1, reach
        depth = F.max_pool3d(depth, kernel, stride=1, padding=padding)
    return F.avg_pool3d(depth, 3, stride=1, padding=1, count_include_pad=False)[0, 0]


def _placed(part: Tensor, box: tuple[slice, slice, slice], lattice: Lattice) -> Tensor:
    full = torch.zeros(lattice.shape, dtype=part.dtype, device=lattice.device)
    full[box] = part
    return full
