from __future__ import annotations

import numpy as np
import pytest
import torch

from bratsseg.inference import Segmenter
from bratsseg.inference.decoding import Decoding, decode
from bratsseg.inference.placed import bring_home
from bratsseg.inference.quality import BAND_VOXELS, assess
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.transforms import Placement, Preparation, place_back, plan
from tests.conftest import ball, make_study

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
DEVICES = ["cpu", pytest.param("cuda:0", marks=GPU)]
SHAPE, VOXEL_ML = (40, 44, 36), 0.008
REGIONS = tuple(Region)


def placed_in(affine: np.ndarray) -> Placement:
    box = (slice(3, 37), slice(2, 40), slice(4, 33))
    return plan(Grid.of(SHAPE, affine), box, Preparation(spacing_mm=2.5, multiple=4))


def logits_of(placement: Placement, at: float) -> torch.Tensor:
    """Two lesions, nested regions in each, and noise."""
    size = placement.padded
    rng = np.random.default_rng(3)
    values = rng.normal(-4, 0.5, (3, *size))
    for channel in range(3):
        values[channel, ball(size, (10, 10, 10), 7 - 2 * channel)] = at - channel
        values[channel, ball(size, (20, 22, 17), 4 - channel)] = at
    return torch.from_numpy(values).float()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("wanted", [REGIONS, (Region.WT,), (Region.WT, Region.ET)], ids=len)
@pytest.mark.parametrize(
    "rules",
    [Decoding(), Decoding(nesting="outer", thresholds=dict(zip(REGIONS, (0.9, 0.5, 0.3), strict=True)))],
    ids=["inner", "outer"],
)
@pytest.mark.parametrize("at", [3.0, -3.0], ids=["tumour", "none"])
def test_the_box_that_comes_home_decodes_as_all_of_it(device, wanted, rules, at):
    """Also in a frame that is turned, mirrored and finer; the edge of the box is the edge of the brain box at most."""
    placement = placed_in(np.diag([-2.0, 2.0, 2.0, 1.0])[:, [1, 0, 2, 3]])
    inside = ball(tuple(part.stop - part.start for part in placement.box), (17, 19, 14), 16)
    logits = logits_of(placement, at)
    everywhere = place_back(logits, placement).sigmoid().numpy()[[REGIONS.index(r) for r in wanted]] * inside
    masks = dict(zip(REGIONS, decode(everywhere, wanted, VOXEL_ML, rules), strict=True))
    figures = assess(dict(zip(wanted, everywhere, strict=True)), masks, inside, VOXEL_ML)

    placed = bring_home(
        logits.to(device), placement, inside, target="regions", known=REGIONS, wanted=wanted, rules=rules
    )
    assert (placed.near is None) == (at < 0)
    near = placed.near or np.s_[:0, :0, :0]
    found = np.zeros((3, *inside.shape), dtype=bool)
    if placed.near is not None:
        found[(slice(None), *near)] = decode(placed.there, wanted, VOXEL_ML, rules)
    assert all(np.array_equal(found[REGIONS.index(region)], masks[region]) for region in REGIONS)
    assert found.any() == (at > 0)
    here = dict(zip(wanted, placed.there, strict=True))
    cut = {region: found[REGIONS.index(region)][near] for region in wanted}
    assert assess(here, cut, inside[near], VOXEL_ML, over_the_brain=placed.over_the_brain) == figures
    for region, values in zip(wanted, everywhere, strict=True):
        np.testing.assert_allclose(placed.all_of(region), values, atol=1e-6)


def test_the_box_reaches_beyond_what_may_be_marked():
    placement = placed_in(np.diag([2.0, 2.0, 2.0, 1.0]))
    inside = np.ones(tuple(part.stop - part.start for part in placement.box), dtype=bool)
    logits = torch.full((3, *placement.padded), -9.0)
    logits[0, 12:14, 12:14, 12:14] = 9.0
    placed = bring_home(logits, placement, inside, target="regions", known=REGIONS, wanted=REGIONS, rules=Decoding())
    marked = np.argwhere(placed.all_of(Region.WT) >= 0.5)
    for part, low, high in zip(placed.near, marked.min(0), marked.max(0), strict=True):
        assert (part.start, part.stop) == (low - BAND_VOXELS, high + 1 + BAND_VOXELS)


def test_without_images_and_probabilities_the_answer_is_the_same():
    segmenter, study = Segmenter.load("flair-threshold", "cpu"), make_study(tuple(Modality))
    prepared = segmenter.prepare(study)
    raw = segmenter.run(prepared)
    full, lean = segmenter.finish(prepared, raw), segmenter.finish(prepared.spent(), raw, probabilities=False)
    assert np.array_equal(full.label_map.regions, lean.label_map.regions)
    assert full.label_map.regions.any()
    assert (full.quality, full.facts) == (lean.quality, lean.facts)
    with pytest.raises(ValueError, match="probabilities must be asked for"):
        lean.probability(Region.WT)


@GPU
def test_a_gpu_answers_as_the_cpu_does():
    study = make_study(tuple(Modality))
    ours, theirs = (Segmenter.load("flair-threshold", device).segment(study) for device in ("cuda:0", "cpu"))
    differing = np.count_nonzero(ours.label_map.regions != theirs.label_map.regions)
    assert differing <= 0.005 * np.count_nonzero(theirs.label_map.regions)


@GPU
def test_what_a_gpu_has_no_room_for_is_made_on_the_cpu():
    study, segmenter = make_study(tuple(Modality)), Segmenter.load("flair-threshold", "cuda:0")
    there = segmenter.segment(study).label_map.regions
    raw = segmenter.run(segmenter.prepare(study))
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        prepared = segmenter.prepare(study)
        found = segmenter.finish(prepared, raw).label_map.regions
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert prepared.images.device.type == "cpu"
    assert np.count_nonzero(found != there) <= 0.005 * np.count_nonzero(there)
