"""Gliomas as soft memberships on a head: where, how large, what they are made of, and what that does around them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from bratsseg.config import Config
from bratsseg.synthesis.anatomy import DEPTH, UPPER, WHITE, Anatomy, Atlas, HeadShape, Push
from bratsseg.synthesis.draws import Draws, Lattice
from bratsseg.synthesis.grafting import Graft, GraftConfig, draw_graft, grow_graft
from bratsseg.synthesis.reader import Reader
from bratsseg.synthesis.shapes import FEW


class TumourKind(StrEnum):
    """What a focus shows."""

    EDEMA = "edema"
    NON_ENHANCING = "non_enhancing"
    ENHANCING = "enhancing"


class TumourConfig(Config):
    """Shares and sizes; from the ranges that public descriptions of adult glioma cohorts give."""

    none: float = 0.12
    """Share of patients without any tumour: the network must be able to answer nothing."""
    edema_only: float = 0.05
    """Share of foci that are edema alone (a diffuse low-grade tumour called edema, or treated disease)."""
    non_enhancing: float = 0.22
    """Share of foci with a core that does not enhance: low-grade glioma."""
    radius_median_mm: float = 34.0
    """Median radius of the whole tumour."""
    radius_sigma: float = 0.42
    """Log-normal sigma of that radius."""
    radius_mm: tuple[float, float] = (4.0, 50.0)
    """Smallest and largest radius."""
    infratentorial: float = 0.04
    """Share of foci in cerebellum or brainstem: rare in adults, so that marks there stay rare."""
    second_focus: float = 0.35
    """Share of patients with a second focus, and of those with a third."""
    distant_focus: float = 0.35
    """Share of further foci that lie anywhere instead of beside the first."""
    rim_median_mm: float = 3.5
    """Median thickness of an enhancing rim; 2-4 mm in real cases."""
    thin_rim: float = 0.2
    """Share of rims that are hardly a voxel of 1.5 mm thick, ``thin_rim_mm``."""
    thin_rim_mm: tuple[float, float] = (1.1, 2.0)
    """Their thickness; thinner ones blur away and are not marked."""
    partial_rim: float = 0.4
    """Share of rims with gaps."""
    gaps: tuple[float, float] = (-0.8, 0.9)
    """Level of noise (sd 1) above which such a rim enhances: from four fifths of it to a fifth."""
    patchy: float = 0.5
    """Share of enhancing cores with solid enhancing patches as well."""
    solid: float = 0.2
    """Share of enhancing cores that enhance throughout; more when small."""
    outer_shell: float = 0.1
    """Share of enhancing cores with a non-enhancing shell around the rim; more taught that edema near a rim is core."""
    nodule: float = 0.2
    """Share of non-enhancing cores with a small enhancing nodule."""
    softness_mm: tuple[float, float] = (0.6, 4.5)
    """Width over which the whole tumour's border fades; the sharp end is likelier."""
    core_softness_mm: tuple[float, float] = (0.5, 1.1)
    """The same of a core that enhances or has a rim."""
    core_softness_solid_mm: tuple[float, float] = (0.7, 3.2)
    """The same of a core that does not enhance: T1, T2 and FLAIR of public cases pass from edema to it over 4-10 mm."""
    crosses: float = 0.12
    """Share of foci that pass the falx or the tentorium; others leave their hemisphere by the corpus callosum alone."""
    lobes: float = 0.4
    """Share of larger cores made of several lobes, with walls between them that enhance as their rims do."""
    white_pull: tuple[float, float] = (0.15, 0.9)
    """How far edema follows white matter, in radii: fingers between gyri."""
    grey_stop: tuple[float, float] = (0.1, 0.6)
    """How far grey matter holds edema back, in radii: the cortex over it is spared."""
    white_pull_solid: tuple[float, float] = (0.0, 0.25)
    """The same of a core that does not enhance: it takes white and grey matter alike, and the gyri swell."""
    grey_stop_solid: tuple[float, float] = (-0.15, 0.15)
    """The same of a core that does not enhance."""
    push: tuple[float, float] = (0.0, 0.3)
    """Mass effect in radii of the core; less near the surface, where the skull holds."""
    shapes: Path | None = None
    """A file of real label maps that tumours are grown from, beside the drawn ones: see ``scripts/make_shapes.py``."""
    real_share: float = Field(default=0.6, ge=0, le=1)
    """Share of patients with a tumour whose tumour, all its parts, has a real shape; where ``shapes`` is given."""
    graft: GraftConfig = GraftConfig()
    """What is done to a real shape."""


@dataclass(frozen=True)
class Focus:
    """What was drawn for one focus; lengths in mm, positions in mm from the lattice's centre, RAS."""

    kind: TumourKind
    centre_mm: tuple[float, float, float]
    radius_mm: float
    axes: tuple[float, float, float]
    rough: tuple[float, float]
    white_pull: float
    grey_stop: float
    softness_mm: float
    core_centre_mm: tuple[float, float, float]
    core_radius_mm: float
    core_rough: tuple[float, float]
    core_softness_mm: float
    rim_mm: float
    shell_mm: float
    gaps: float | None
    patches: float | None
    patch_mm: float
    solid: bool
    nodule_mm: float
    spares_ventricle: bool
    crosses: bool
    lobes: tuple[tuple[tuple[float, float, float], float], ...]
    push: float
    graft: Graft | None = None
    """A real shape; what a shape says is then not drawn, though the fields above hold something like it."""


@dataclass(frozen=True)
class Tumour:
    """Soft memberships (I, J, K) in 0..1, nested: ``enhancing`` ≤ ``core`` ≤ ``whole``."""

    whole: Tensor
    core: Tensor
    enhancing: Tensor
    present: bool
    outlined: Tensor | None = None
    """(I, J, K) bool: the whole tumour as a real reader outlined its shape; None where the outline is to be found."""


def draw_foci(draws: Draws, config: TumourConfig, atlas: Atlas, shape: HeadShape) -> list[Focus]:
    """Draw the foci of one patient; none at all is one of the outcomes."""
    if draws.chance(config.none):
        return []
    if config.shapes is not None and draws.chance(config.real_share):
        return [_of_real_shape(draws, config, config.shapes, shape)]
    foci = [_draw_focus(draws, config, _anywhere(draws, config, atlas, shape), None)]
    while len(foci) < 3 and draws.chance(config.second_focus):
        first = foci[0]
        if draws.chance(config.distant_focus):
            centre = _anywhere(draws, config, atlas, shape)
        else:
            away, step = draws.uniform((0.5, 1.7)) * first.radius_mm, draws.direction()
            centre = _moved(first.centre_mm, step, away)
        foci.append(_draw_focus(draws, config, centre, first))
    return foci


def pushes(foci: list[Focus], atlas: Atlas, shape: HeadShape) -> list[Push]:
    """The mass effect of the foci, for the anatomy."""
    result = []
    for focus in foci:
        radius = max(focus.core_radius_mm, 0.5 * focus.radius_mm)
        room = min(max(_depth_at(focus.core_centre_mm, atlas, shape) / (1.3 * radius) - 0.2, 0.0), 1.0)
        if focus.push * room > 0.02:
            result.append(Push(focus.core_centre_mm, radius, focus.push * room))
    return result


def grow(draws: Draws, foci: list[Focus], anatomy: Anatomy, lattice: Lattice, reader: Reader | None = None) -> Tumour:
    """Turn drawn foci into memberships on the lattice; a real shape is laid where ``reader`` would outline it."""
    if reader is not None and foci and foci[0].graft is not None:
        return _grow_real_shape(draws, foci[0], foci[0].graft, anatomy, lattice=lattice, reader=reader)
    whole, core, enhancing = (torch.zeros(lattice.shape, device=lattice.device) for _ in range(3))
    for focus in foci:
        box = _box(focus, lattice)
        parts = _grow_one(draws, focus, anatomy, lattice, box)
        for full, part in zip((whole, core, enhancing), parts, strict=True):
            full[box] = torch.maximum(full[box], part)
    return Tumour(whole, core, enhancing, bool(foci))


def _anywhere(draws: Draws, config: TumourConfig, atlas: Atlas, shape: HeadShape) -> tuple[float, float, float]:
    step = 4
    coarse = atlas.maps[:, ::step, ::step, ::step].cpu()
    upper = coarse[UPPER]
    place = 1 - upper if draws.chance(config.infratentorial) else upper
    weights = (coarse[WHITE].clamp(0, 1) + 0.04 * (coarse[DEPTH] > 3)) * place
    flat = draws.index(weights.flatten())
    ijk = torch.tensor([int(n) for n in torch.unravel_index(torch.tensor(flat), weights.shape)]) * step
    size = torch.tensor(atlas.lattice_shape())
    position = (ijk - (size - 1) / 2) * atlas.spacing_mm
    if shape.flipped:
        position[0] = -position[0]
    x, y, z = (torch.linalg.inv(shape.to_atlas) @ position).tolist()
    return x, y, z


def _depth_at(centre_mm: tuple[float, float, float], atlas: Atlas, shape: HeadShape) -> float:
    """Mm below the undeformed brain's surface."""
    place = shape.to_atlas @ torch.tensor(centre_mm)
    if shape.flipped:
        place[0] = -place[0]
    size = torch.tensor(atlas.lattice_shape())
    i, j, k = (place / atlas.spacing_mm + (size - 1) / 2).round().long().clamp_(min=0).minimum(size - 1).tolist()
    return float(atlas.maps[DEPTH, i, j, k])


def _of_real_shape(draws: Draws, config: TumourConfig, path: Path, head: HeadShape) -> Focus:
    graft = draw_graft(draws, config.graft, path, head)
    kind = TumourKind.EDEMA
    if graft.core_radius_mm > 0:
        kind = TumourKind.NON_ENHANCING if graft.enhancing_share < FEW else TumourKind.ENHANCING
    share = graft.core_radius_mm / graft.radius_mm
    focus = _with_details(draws, config, kind, graft.centre_mm, radius=graft.radius_mm, share=share)
    softness = draws.low(config.graft.softness_mm)
    return replace(focus, softness_mm=softness, core_centre_mm=graft.core_centre_mm, lobes=(), graft=graft)


def _grow_real_shape(
    draws: Draws, focus: Focus, graft: Graft, anatomy: Anatomy, *, lattice: Lattice, reader: Reader
) -> Tumour:
    whole, core, enhancing, outlined = grow_graft(
        draws,
        graft,
        (focus.softness_mm, focus.core_softness_mm),
        spares_ventricle=focus.spares_ventricle,
        anatomy=anatomy,
        lattice=lattice,
        reader=reader,
    )
    return Tumour(whole, core, enhancing, present=True, outlined=outlined)


def _draw_focus(draws: Draws, config: TumourConfig, centre: tuple[float, float, float], first: Focus | None) -> Focus:
    kind = _draw_kind(draws, config, first)
    radius = draws.log_normal(config.radius_median_mm, config.radius_sigma, config.radius_mm)
    if first is not None:
        radius = max(first.radius_mm * draws.low((0.2, 0.9)), config.radius_mm[0])
    return _with_details(draws, config, kind, centre, radius=radius, share=_draw_core_share(draws, kind, radius))


def _with_details(
    draws: Draws,
    config: TumourConfig,
    kind: TumourKind,
    centre: tuple[float, float, float],
    *,
    radius: float,
    share: float,
) -> Focus:
    """The focus of a kind, ``radius`` mm and a core of ``share`` radii with all else drawn."""
    stretch = [math.exp(draws.normal(0.17)) for _ in range(3)]
    enhancing = kind is TumourKind.ENHANCING
    core_radius = share * radius
    return Focus(
        kind=kind,
        centre_mm=centre,
        radius_mm=radius,
        axes=(stretch[0], stretch[1], stretch[2]),
        rough=(draws.uniform((0.08, 0.34)), draws.uniform((0.03, 0.14))),
        white_pull=draws.uniform(
            config.white_pull if kind is not TumourKind.NON_ENHANCING else config.white_pull_solid
        ),
        grey_stop=draws.uniform(config.grey_stop if kind is not TumourKind.NON_ENHANCING else config.grey_stop_solid),
        softness_mm=draws.low(config.softness_mm),
        core_centre_mm=_moved(centre, draws.direction(), draws.uniform((0, 0.75)) * (radius - core_radius)),
        core_radius_mm=core_radius,
        core_rough=(draws.uniform((0.05, 0.3)), draws.uniform((0.03, 0.16))),
        core_softness_mm=draws.uniform(config.core_softness_mm if enhancing else config.core_softness_solid_mm),
        rim_mm=_draw_rim(draws, config) if enhancing else 0.0,
        shell_mm=draws.uniform((1.0, 4.0)) if enhancing and draws.chance(config.outer_shell) else 0.0,
        gaps=draws.uniform(config.gaps) if enhancing and draws.chance(config.partial_rim) else None,
        patches=draws.uniform((-0.3, 1.1)) if enhancing and draws.chance(config.patchy) else None,
        patch_mm=draws.uniform((3.5, 9.0)),
        solid=enhancing and draws.chance(config.solid if core_radius > 9 else 0.45),
        nodule_mm=draws.uniform((2.0, 7.0))
        if kind is TumourKind.NON_ENHANCING and draws.chance(config.nodule)
        else 0.0,
        spares_ventricle=draws.chance(0.85),
        crosses=draws.chance(config.crosses),
        lobes=_draw_lobes(draws, core_radius) if core_radius > 9 and draws.chance(config.lobes) else (),
        push=draws.uniform(config.push) if radius > 10 else 0.0,
    )


def _draw_rim(draws: Draws, config: TumourConfig) -> float:
    """Thickness of an enhancing rim, mm."""
    if draws.chance(config.thin_rim):
        return draws.uniform(config.thin_rim_mm)
    return draws.log_normal(config.rim_median_mm, 0.4, (1.2, 9.0))


def _draw_lobes(draws: Draws, core_radius_mm: float) -> tuple[tuple[tuple[float, float, float], float], ...]:
    """Offset from the core's centre and radius, mm, of each lobe."""
    lobes = []
    for _ in range(2 + int(draws.uniform((0, 4)))):
        radius = core_radius_mm * draws.uniform((0.4, 0.75))
        lobes.append((_moved((0.0, 0.0, 0.0), draws.direction(), 1.05 * core_radius_mm - radius), radius))
    return tuple(lobes)


def _draw_kind(draws: Draws, config: TumourConfig, first: Focus | None) -> TumourKind:
    if first is not None and draws.chance(0.7):
        return first.kind
    share = draws.uniform((0, 1))
    if share < config.edema_only:
        return TumourKind.EDEMA
    return TumourKind.NON_ENHANCING if share < config.edema_only + config.non_enhancing else TumourKind.ENHANCING


def _draw_core_share(draws: Draws, kind: TumourKind, radius_mm: float) -> float:
    if kind is TumourKind.EDEMA:
        return 0.0
    if kind is TumourKind.NON_ENHANCING:
        return draws.uniform((0.6, 1.06))
    if radius_mm < 10:
        return draws.uniform((0.4, 0.95))
    where = draws.uniform((0, 1))
    if where < 0.15:
        return draws.uniform((0.15, 0.5))
    return draws.uniform((0.9, 1.05)) if where > 0.75 else draws.uniform((0.6, 1.0))


def _moved(
    start: tuple[float, float, float], step: tuple[float, float, float], by: float
) -> tuple[float, float, float]:
    return start[0] + by * step[0], start[1] + by * step[1], start[2] + by * step[2]


def _box(focus: Focus, lattice: Lattice) -> tuple[slice, slice, slice]:
    reach = 1.75 * focus.radius_mm * max(focus.axes) + 6
    sides = []
    for count, centre in zip(lattice.shape, focus.centre_mm, strict=True):
        middle = centre / lattice.spacing_mm + (count - 1) / 2
        low = min(max(int(middle - reach / lattice.spacing_mm), 0), count - 4)
        sides.append(slice(low, min(max(int(middle + reach / lattice.spacing_mm) + 1, low + 4), count)))
    return sides[0], sides[1], sides[2]


def _distance(
    centre: tuple[float, float, float],
    axes: tuple[float, float, float],
    lattice: Lattice,
    box: tuple[slice, slice, slice],
) -> Tensor:
    """Distance in mm from ``centre``, measured along stretched axes."""
    squared = []
    for a in range(3):
        index = tuple(box[a] if n == a else slice(None) for n in range(3))
        squared.append(((lattice.axis_mm(a)[index] - centre[a]) / axes[a]) ** 2)
    return (squared[0] + squared[1] + squared[2]).sqrt_()


def _grow_one(
    draws: Draws, focus: Focus, anatomy: Anatomy, lattice: Lattice, box: tuple[slice, slice, slice]
) -> tuple[Tensor, Tensor, Tensor]:
    white, grey = anatomy.white[box], anatomy.grey[box]
    size, radius = white.shape, focus.radius_mm

    def noise(scale_mm: float) -> Tensor:
        return draws.field(size, lattice.spacing_mm, scale_mm)[0]

    level = _distance(focus.centre_mm, focus.axes, lattice, box)
    level += noise(max(0.8 * radius, 5)).mul_(-radius * focus.rough[0]) - radius
    level += noise(max(0.28 * radius, 3)).mul_(-radius * focus.rough[1])
    core_level, wall_mm = _core_level(focus, noise, lattice, box)
    level += (0.45 - white).mul_(focus.white_pull * radius * 0.6).add_(grey, alpha=focus.grey_stop * radius * 0.6)
    # The core takes its surroundings with it: a millimetre or two of edema nearly everywhere around it.
    level = torch.minimum(level, core_level + 1.0) if focus.core_radius_mm > 0 else level
    allowed = _allowed(focus, anatomy, lattice, box)
    whole = torch.sigmoid(level / -focus.softness_mm).mul_(allowed)
    if focus.core_radius_mm <= 0:
        return whole, torch.zeros_like(whole), torch.zeros_like(whole)
    core = torch.minimum(torch.sigmoid(core_level / -focus.core_softness_mm).mul_(allowed), whole)
    depth_mm = -core_level if wall_mm is None else torch.minimum(-core_level, wall_mm)
    return whole, core, torch.minimum(_enhancement(focus, depth_mm, noise), core)


def _core_level(
    focus: Focus, noise: Callable[[float], Tensor], lattice: Lattice, box: tuple[slice, slice, slice]
) -> tuple[Tensor, Tensor | None]:
    """Signed mm to the core's surface, negative inside; and mm to the nearest wall between two lobes, if it has any."""
    radius, wall = focus.core_radius_mm, None
    if focus.lobes:
        spheres = [
            _distance(_moved(focus.core_centre_mm, offset, 1.0), focus.axes, lattice, box).sub_(size)
            for offset, size in focus.lobes
        ]
        nearest = torch.stack(spheres).topk(2, dim=0, largest=False).values
        level, wall = nearest[0], (nearest[1] - nearest[0]).div_(2)
    else:
        level = _distance(focus.core_centre_mm, focus.axes, lattice, box) - radius
    level += noise(max(0.8 * radius, 5)).mul_(-radius * focus.core_rough[0])
    level += noise(max(0.3 * radius, 3)).mul_(-radius * focus.core_rough[1])
    return level, wall


def _allowed(focus: Focus, anatomy: Anatomy, lattice: Lattice, box: tuple[slice, slice, slice]) -> Tensor:
    """Where the focus may grow: in the brain, mostly not in the ventricles, nor through the falx or the tentorium."""
    allowed = (anatomy.depth[box] > 0).float()
    if focus.spares_ventricle:
        allowed *= 1 - anatomy.ventricle[box]
    if focus.crosses:
        return allowed
    middle = [
        min(max(round(c / lattice.spacing_mm + (n - 1) / 2), 0), n - 1)
        for c, n in zip(focus.centre_mm, lattice.shape, strict=True)
    ]
    i, j, k = middle
    upper = anatomy.upper[box]
    allowed *= upper if float(anatomy.upper[i, j, k]) > 0.5 else 1 - upper
    side = float(anatomy.side_mm[i, j, k])
    if abs(side) > 6:
        other = torch.sigmoid(anatomy.side_mm[box] * math.copysign(1.5, -side))
        bridge = torch.sigmoid((12 - anatomy.ventricle_mm[box]) * 0.7)
        allowed *= 1 - other * (1 - torch.maximum(bridge, torch.sigmoid((anatomy.depth[box] - 42) * 0.5)))
    return allowed


def _enhancement(focus: Focus, depth_mm: Tensor, noise: Callable[[float], Tensor]) -> Tensor:
    """Enhancing membership from the depth below the core's surface, mm."""
    if focus.kind is TumourKind.NON_ENHANCING and focus.nodule_mm > 0:
        blob = noise(9.0).mul_(3.0) - 4.5 + 0.1 * focus.nodule_mm
        return torch.sigmoid(blob * 2).mul_(torch.sigmoid(depth_mm))
    if focus.kind is not TumourKind.ENHANCING:
        return torch.zeros_like(depth_mm)
    below = torch.sigmoid((depth_mm - focus.shell_mm) * 2)
    if focus.solid:
        return below.mul_(torch.sigmoid((noise(focus.patch_mm) + 1.3) * 6))
    thickness = noise(11.0).mul_(0.35).exp_().mul_(focus.rim_mm)
    rim = torch.sigmoid((thickness + focus.shell_mm - depth_mm) * 2)
    if focus.gaps is not None:
        rim = rim.mul_(torch.sigmoid((noise(14.0) - focus.gaps) * 6))
    if focus.patches is not None:
        rim = torch.maximum(rim, torch.sigmoid((noise(focus.patch_mm) - focus.patches) * 6))
    return rim.mul_(below)
