from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from bratsseg.synthesis.anatomy import Anatomy, AnatomyConfig, bend, draw_shape, fitting_lattice, load_atlas
from bratsseg.synthesis.cortex import CortexConfig
from bratsseg.synthesis.draws import Draws

SPACING_MM = 2.5
FOLDED = CortexConfig(folded=1, fissure=1, opening_mm=(1.2, 1.4), thickness_mm=(3.0, 3.0), steepness=(2.4, 2.4))


def head(index: int, cortex: CortexConfig) -> Anatomy:
    config = AnatomyConfig(cortex=cortex, dilated=0)
    draws, atlas = Draws(11, index, torch.device("cpu")), load_atlas(torch.device("cpu"))
    shape = draw_shape(draws, config)
    return bend(draws, shape, fitting_lattice(shape, atlas, SPACING_MM), atlas=atlas, pushes=[], config=config)


@pytest.mark.parametrize("index", range(2))
def test_tissues_still_share_every_voxel(index: int) -> None:
    anatomy = head(index, FOLDED)
    parts = torch.stack([anatomy.grey, anatomy.white, anatomy.fluid])
    assert float(parts.min()) >= -1e-5
    assert torch.allclose(parts.sum(0), torch.ones_like(anatomy.grey), atol=1e-4)


@pytest.mark.parametrize("index", range(2))
def test_grey_matter_lies_between_sulci_and_white_matter(index: int) -> None:
    anatomy = head(index, FOLDED)
    outer = (anatomy.depth > 3) & (anatomy.depth < 15) & (anatomy.upper > 0.99)
    sulci = (anatomy.fluid > 0.6) & outer
    beside = torch.from_numpy(ndimage.binary_dilation(sulci.numpy())) & ~sulci & outer
    assert float(anatomy.grey[beside].mean()) > 2 * float(anatomy.white[beside].mean())


@pytest.mark.parametrize("index", range(2))
def test_folds_reach_deeper_than_the_averaged_cortex_does(index: int) -> None:
    folded, smooth = head(index, FOLDED), head(index, CortexConfig(folded=0))
    zone = (folded.depth > 5) & (folded.depth < 15) & (folded.upper > 0.99)
    step = [float(a.fluid.diff(dim=0)[zone[1:]].abs().mean()) for a in (folded, smooth)]
    assert step[0] > 1.5 * step[1]


def test_hemispheres_are_parted_above_the_corpus_callosum_alone() -> None:
    anatomy = head(0, FOLDED)
    middle = anatomy.side_mm.abs() < 1.5
    above = middle & (anatomy.ventricle_mm > 25) & (anatomy.depth > 4) & (anatomy.depth < 25) & (anatomy.upper > 0.99)
    bridge = middle & (anatomy.ventricle_mm > 1) & (anatomy.ventricle_mm < 5) & (anatomy.depth > 30)
    assert float(anatomy.fluid[above].median()) > 0.3
    assert float(anatomy.fluid[bridge].median()) < 0.3


def test_every_head_has_folds_of_its_own() -> None:
    first, second = head(0, FOLDED), head(1, FOLDED)
    size = [min(a, b) for a, b in zip(first.fluid.shape, second.fluid.shape, strict=True)]
    parts = [a.fluid[: size[0], : size[1], : size[2]] for a in (first, second)]
    outer = first.depth[: size[0], : size[1], : size[2]]
    zone = (outer > 3) & (outer < 15)
    assert abs(float(torch.corrcoef(torch.stack([p[zone] for p in parts]))[0, 1])) < 0.5
