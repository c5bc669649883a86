"""How bright each tissue is in each modality: drawn in ranges, tied between modalities.

Intensities are relative to healthy white matter (1). The ranges cover the medians of public cases, stretched on both
sides so that a scanner nobody has measured is still inside them.
"""

from __future__ import annotations

from dataclasses import dataclass

from bratsseg.config import Config
from bratsseg.synthesis.draws import Draws

Range = tuple[float, float]


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
    necrosis: Ranges = Ranges(flair=(0.5, 2.3), t1n=(0.46, 0.9), t1c=(-0.08, 0.1), t2w=(1.3, 2.8))
    """Fluid necrosis: from dark as cerebrospinal fluid to bright with protein on FLAIR, where six of nine public cases
    have it brighter than edema."""
    enhancing: Ranges = Ranges(flair=(0.65, 1.22), t1n=(0.82, 1.05), t1c=(1.1, 2.1), t2w=(0.76, 1.36))
    """Enhancing tumour; FLAIR and T2 relative to edema; T1ce absolute, the low end likelier (median 1.31)."""
    solid: Ranges = Ranges(flair=(0.84, 1.3), t1n=(0.7, 1.0), t1c=(-0.08, 0.07), t2w=(0.98, 1.5))
    """Core of a tumour that enhances nowhere, FLAIR and T2 relative to edema: cellular tissue rather than necrosis.
    Four public cases without enhancement have it at .73-.98 on T1, 1.02-1.24 on T2, 1.06-1.14 on FLAIR."""
    low_contrast: float = 0.12
    """Share of patients with an enhancing tumour whose edema is hardly brighter than cortex."""
    low_contrast_solid: float = 0.35
    """The same where nothing enhances: diffuse astrocytoma is found on FLAIR alone, or late."""
    low_contrast_flair: Range = (1.05, 1.15)
    """Their edema relative to cortex, FLAIR; below 5 % nobody could tell where to draw."""
    low_contrast_t1n: Range = (0.88, 1.0)
    """The same on T1, relative to white matter: nearly normal. T1ce follows it."""
    low_contrast_t2w: Range = (1.0, 1.15)
    """The same on T2, relative to cortex."""
    mismatch: float = 0.15
    """Share of tumours without enhancement whose core is suppressed on FLAIR but for its rim, very bright on T2, dark
    on T1: the T2-FLAIR mismatch, in 12 % of lower-grade gliomas (Patel et al., Clinical Cancer Research 2017)."""
    mismatch_flair: Range = (0.9, 1.15)
    """FLAIR of such a core's middle, relative to cortex; its outer millimetres keep that of edema or more."""
    diffuse: float = 0.3
    """Share of patients whose solid core is hardly told from edema by its intensity: mostly by where it grows."""
    diffuse_solid: float = 0.5
    """The same where nothing enhances. Of four such public cases the best line through all intensities parts core
    from edema with an area under the curve of .65 and .9 in two, above .94 in the others."""
    diffuse_alike: Range = (0.4, 0.95)
    """How far its intensities lie on the way to those of edema; 1 would leave its place alone to tell."""
    cystic: float = 0.4
    """Share of patients with an enhancing tumour whose core is fluid rather than solid."""
    mixed: float = 0.28
    """Share of patients whose core is part fluid, part solid, as cysts of a tumour that does not enhance are."""
    fading: float = 0.35
    """Share of patients whose edema grows fainter towards its border, beyond what its soft border does: on FLAIR the
    outer 3 mm of nine public cases stand .45-.85 (median .55) as high above white matter as what lies deeper."""
    fading_by: Range = (0.1, 0.4)
    """How far it falls there towards what is just abnormal, ``low_contrast_flair`` at its lower end."""
    faint_rim: float = 0.15
    """Share of patients whose enhancement is faint."""
    faint_rim_t1c: Range = (1.05, 1.3)
    """T1ce of such; fainter blushes are not drawn as enhancing, and readers leave them out."""
    suppressed: float = 0.3
    """Share of patients whose necrosis is as dark as cerebrospinal fluid on FLAIR."""
    blood: float = 0.15
    """Share of patients with old blood in the core: as bright on T1 as on T1ce, so no enhancement."""
    blood_t1n: Range = (0.25, 0.8)
    """What methaemoglobin adds to T1 and T1ce alike."""
    blood_t2w: Range = (-0.6, 0.3)
    """What it adds to T2 and, by half, to FLAIR: dark inside cells, bright once free."""
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
    even_patchiness: float = 0.05
    """Largest sd of that where contrast is low, so that a part is not lost in its own variation."""
    core_evenness: Range = (0.25, 1.0)
    """That variation in a core without enhancement relative to edema's: it is the more even of the two."""
    edema_grain: Range = (0.0, 0.09)
    """Sd of fine variation inside edema."""
    enhancing_grain: Range = (0.05, 0.24)
    """Sd of fine variation inside enhancing tumour."""
    anatomy_in_edema: Range = (0.0, 0.7)
    """How much of the tissue's own contrast is still seen through edema."""
    anatomy_in_core: Range = (0.0, 0.4)
    """The same through a core without enhancement: infiltrated gyri and sulci still show."""


@dataclass(frozen=True)
class Palette:
    """Drawn intensities, each (FLAIR, T1, T1ce, T2) relative to white matter, and how they vary."""

    grey: tuple[float, ...]
    fluid: tuple[float, ...]
    edema: tuple[float, ...]
    border: tuple[float, ...]
    core: tuple[float, ...]
    core_border: tuple[float, ...]
    necrosis: tuple[float, ...]
    enhancing: tuple[float, ...]
    fluid_share: float | None
    blood: tuple[float, ...]
    texture: tuple[float, ...]
    unevenness: tuple[float, ...]
    grain: float
    patchiness: float
    core_patchiness: float
    patch_mm: float
    edema_grain: float
    enhancing_grain: float
    anatomy_in_edema: float
    anatomy_in_core: float
    effaced: float


def draw_palette(draws: Draws, config: ContrastConfig, *, enhances: bool = True) -> Palette:
    """Draw the intensities of one patient, whose main tumour ``enhances`` or does not."""
    grey = _tied(draws, config.grey)
    low = draws.chance(config.low_contrast if enhances else config.low_contrast_solid)
    edema = _draw_edema(draws, config, grey, low)
    core, core_border = _draw_core(draws, config, grey, edema=edema, enhances=enhances)
    enhancing = _draw_enhancing(draws, config, edema, core)
    fluid, necrosis = _tied(draws, config.fluid), list(_tied(draws, config.necrosis))
    if draws.chance(config.suppressed):
        necrosis[0] = fluid[0] * draws.uniform((0.9, 1.4))
        necrosis[3] = max(necrosis[3], 0.75 * fluid[3])  # what FLAIR suppresses is free water
    cystic, mixed = draws.chance(config.cystic) and enhances, draws.chance(config.mixed)
    strength = draws.uniform(config.texture)
    patchiness = draws.uniform(config.patchiness)
    if low:
        patchiness = min(patchiness, config.even_patchiness)
    return Palette(
        grey=grey,
        fluid=fluid,
        edema=tuple(edema),
        border=_draw_border(draws, config, grey, edema),
        core=tuple(core),
        core_border=tuple(core_border),
        necrosis=tuple(necrosis),
        enhancing=tuple(enhancing),
        fluid_share=draws.uniform((-0.8, 0.8) if enhances else (0.2, 1.4)) if mixed else (-9.0 if cystic else None),
        blood=_draw_blood(draws, config),
        texture=(draws.normal(0.25), strength, strength * draws.uniform((0.6, 1.0)), draws.normal(0.3) - 0.4),
        unevenness=tuple(draws.uniform(config.unevenness) for _ in range(4)),
        grain=draws.uniform(config.grain),
        patchiness=patchiness,
        core_patchiness=patchiness * (1.0 if enhances else draws.uniform(config.core_evenness)),
        patch_mm=config.patch_mm[1] - draws.low((0.0, config.patch_mm[1] - config.patch_mm[0])),
        edema_grain=draws.uniform(config.edema_grain),
        enhancing_grain=draws.uniform(config.enhancing_grain),
        anatomy_in_edema=draws.uniform(config.anatomy_in_edema),
        anatomy_in_core=0.0 if enhances else draws.uniform(config.anatomy_in_core),
        effaced=draws.uniform((0.2, 1.0)),
    )


def _draw_edema(draws: Draws, config: ContrastConfig, grey: tuple[float, ...], low: bool) -> list[float]:
    """Edema's intensities; where contrast is ``low`` FLAIR stands just above cortex, and the rest is near normal."""
    edema = list(_tied(draws, config.edema, draws.middling((0, 1))))
    if low:
        t1 = draws.uniform(config.low_contrast_t1n)
        flair, t2 = draws.uniform(config.low_contrast_flair), draws.uniform(config.low_contrast_t2w)
        return [grey[0] * flair, t1, t1 + draws.middling(config.edema.t1c), grey[3] * t2]
    edema[0] = max(edema[0], grey[0] * draws.uniform((1.06, 1.16)))
    edema[3] = max(edema[3], grey[3] * draws.uniform((0.97, 1.1)))
    return edema


def _draw_border(
    draws: Draws, config: ContrastConfig, grey: tuple[float, ...], edema: list[float]
) -> tuple[float, ...]:
    """Edema at its border, on the way to what is just abnormal: FLAIR above cortex, T1 and T2 near normal."""
    by = draws.uniform(config.fading_by) if draws.chance(config.fading) else 0.0
    just = (config.low_contrast_flair[0] * grey[0], 1.0, 1.0, 0.5 * (1 + grey[3]))
    faint = (min(just[0], edema[0]), max(just[1], edema[1]), max(just[2], edema[2]), min(just[3], edema[3]))
    return tuple(e + by * (f - e) for e, f in zip(edema, faint, strict=True))


def _draw_core(
    draws: Draws, config: ContrastConfig, grey: tuple[float, ...], *, edema: list[float], enhances: bool
) -> tuple[list[float], list[float]]:
    """Solid core in its middle and at its border; darker than edema on T1, mostly brighter on T2."""
    core = _relative(_tied(draws, config.core if enhances else config.solid), edema)
    core[1] = min(core[1], edema[1] * 1.02)
    core[2] = min(core[2], edema[2] * 1.08)
    if not enhances and draws.chance(config.mismatch):
        rim = list(core)
        rim[0] = edema[0] * draws.uniform((1.0, 1.2))
        core[0] = grey[0] * draws.uniform(config.mismatch_flair)
        core[1] = min(core[1], edema[1] * draws.uniform((0.72, 0.9)))
        core[2] = min(core[2], core[1] + draws.uniform((0.0, 0.06)))
        core[3] = edema[3] * draws.uniform((1.2, 1.7))
        return core, rim
    if draws.chance(config.diffuse if enhances else config.diffuse_solid):
        alike = draws.uniform(config.diffuse_alike)
        core = [c + alike * (e - c) for c, e in zip(core, edema, strict=True)]
    return core, core


def _draw_enhancing(draws: Draws, config: ContrastConfig, edema: list[float], core: list[float]) -> list[float]:
    """Enhancing tumour, on T1ce brighter than what lies on both sides of it."""
    enhancing = _relative(_tied(draws, config.enhancing), edema)
    faint = draws.chance(config.faint_rim)
    level = draws.uniform(config.faint_rim_t1c) if faint else draws.low(config.enhancing.t1c)
    enhancing[2] = max(level, (1.08 if faint else 1.12) * max(edema[2], core[2]))
    enhancing[1] = min(enhancing[1], enhancing[2] - 0.1)
    return enhancing


def _draw_blood(draws: Draws, config: ContrastConfig) -> tuple[float, ...]:
    """What old blood adds to each modality; nothing in most patients."""
    if not draws.chance(config.blood):
        return (0.0, 0.0, 0.0, 0.0)
    bright, t2 = draws.uniform(config.blood_t1n), draws.uniform(config.blood_t2w)
    return 0.5 * t2, bright, bright * draws.uniform((0.9, 1.1)), t2


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
