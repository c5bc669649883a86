from __future__ import annotations

import torch
from scipy import ndimage

from bratsseg.synthesis.anatomy import Anatomy, AnatomyConfig, bend, draw_shape, fitting_lattice, load_atlas
from bratsseg.synthesis.draws import Draws
from bratsseg.synthesis.tumour import Focus, Tumour, TumourConfig, draw_foci, grow

SPACING_MM = 3.0
ONE = {"none": 0.0, "second_focus": 0.0, "edema_only": 0.0, "non_enhancing": 0.0, "infratentorial": 0.0}


def grown(index: int, **changes: object) -> tuple[Tumour, Anatomy, Focus]:
    config = TumourConfig(**{**ONE, **changes})  # type: ignore[arg-type]
    draws, atlas = Draws(5, index, torch.device("cpu")), load_atlas(torch.device("cpu"))
    shape = draw_shape(draws, AnatomyConfig())
    foci = draw_foci(draws, config, atlas, shape)
    lattice = fitting_lattice(shape, atlas, SPACING_MM)
    anatomy = bend(draws, shape, lattice, atlas=atlas, pushes=[], config=AnatomyConfig())
    return grow(draws, foci, anatomy, lattice), anatomy, foci[0]


def beyond_the_falx(tumour: Tumour, anatomy: Anatomy) -> float:
    """ML of whole tumour on the smaller side, far from what joins the hemispheres."""
    free = (anatomy.ventricle_mm > 20) & (anatomy.depth < 35) & (anatomy.side_mm.abs() > 4)
    whole = (tumour.whole > 0.5) & free
    sides = [float((whole & (anatomy.side_mm * sign > 0)).sum()) for sign in (1, -1)]
    return min(sides) * SPACING_MM**3 / 1000


def test_falx_holds_tumours_back() -> None:
    large = {"radius_mm": (38.0, 42.0), "radius_median_mm": 40.0}
    held = [beyond_the_falx(*grown(n, crosses=0.0, **large)[:2]) for n in range(4)]
    free = [beyond_the_falx(*grown(n, crosses=1.0, **large)[:2]) for n in range(4)]
    assert max(held) < 1
    assert max(free) > 5


def test_tentorium_holds_tumours_back() -> None:
    for index in range(4):
        tumour, anatomy, _ = grown(index, crosses=0.0)
        whole = tumour.whole > 0.5
        below, above = whole & (anatomy.upper < 0.05), whole & (anatomy.upper > 0.95)
        assert not below.any() or not above.any()


def test_walls_between_lobes_enhance() -> None:
    thin = {"rim_median_mm": 1.5, "partial_rim": 0.0, "patchy": 0.0, "solid": 0.0, "outer_shell": 0.0}
    large = {"radius_mm": (38.0, 42.0), "radius_median_mm": 40.0}
    inner = {share: sum(deep_enhancement(n, lobes=share, **thin, **large) for n in range(3)) for share in (0.0, 1.0)}
    assert inner[1.0] > 0.5
    assert inner[0.0] < 0.2 * inner[1.0]


def deep_enhancement(index: int, **changes: object) -> float:
    """ML of enhancing tumour deeper in the core than a rim reaches."""
    tumour, _, focus = grown(index, **changes)
    deep = ndimage.distance_transform_edt((tumour.core > 0.5).numpy(), SPACING_MM) > 2 * focus.rim_mm + 2
    return float((deep & (tumour.enhancing > 0.5).numpy()).sum()) * SPACING_MM**3 / 1000
