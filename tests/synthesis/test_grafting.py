from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bratsseg.synthesis.draws import Lattice
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.grafting import GraftConfig, depth_around, regained
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.tumour import TumourConfig
from tests.synthesis.test_patient import NOTHING
from tests.synthesis.test_shapes import tumour, write

STILL = GraftConfig(scale=(1.0, 1.0), turn_deg=0, move_mm=0, bend_mm=(0, 0), mixed=0)
DEEP = (140, 90, 80)
"""Corner of a box in the right hemisphere, above the ventricles' bodies and under the cortex."""


def make(path: Path | None, index: int = 0, spacing_mm: float = 3.0, graft: GraftConfig = STILL) -> SyntheticPatient:
    real = TumourConfig(none=0, shapes=path, real_share=1.0, graft=graft)
    return synthesize_patient(4, index, spacing_mm, SynthesisConfig(tumour=real, distractors=NOTHING))


def millilitres(patient: SyntheticPatient) -> list[float]:
    return [float(region.sum()) * math.prod(patient.spacing) / 1000 for region in patient.regions]


def test_regions_have_the_volumes_of_the_map(tmp_path: Path) -> None:
    """Resized with the head alone; over some heads, whose ventricles and readers differ, without bias."""
    labels = tumour(18, rim=2.5)
    path = write(tmp_path / "s.npz", [labels], DEEP)
    wanted = [np.count_nonzero(labels >= lowest) / 1000 for lowest in (1, 2, 3)]
    wanted[2] = np.count_nonzero(labels == 3) / 1000
    made = [millilitres(make(path, index, 2.0)) for index in range(5)]
    shares = [np.array(volumes) / wanted for volumes in made]
    between = [np.array(volumes) / volumes[0] / (np.array(wanted) / wanted[0]) for volumes in made]
    assert np.median(between, axis=0) == pytest.approx(1.0, abs=0.08)
    assert 0.4 < float(np.median(shares)) < 1.6


def test_a_thin_rim_survives_a_coarse_grid(tmp_path: Path) -> None:
    labels = tumour(20, rim=1.0)
    patient = make(write(tmp_path / "s.npz", [labels], DEEP))
    share = np.count_nonzero(labels == 3) / np.count_nonzero(labels >= 2)
    assert float(patient.regions[2].sum() / patient.regions[1].sum()) == pytest.approx(share, rel=0.35)


def test_a_map_without_enhancement_makes_none(tmp_path: Path) -> None:
    labels = tumour()
    labels[labels == 3] = 2
    path = write(tmp_path / "s.npz", [labels], DEEP)
    for index in range(3):
        regions = make(path, index, graft=GraftConfig()).regions
        assert regions[1].any()
        assert not regions[2].any()


def test_regions_stay_nested_in_the_brain_however_they_are_bent(tmp_path: Path) -> None:
    wild = GraftConfig(bend_mm=(6.0, 3.0), turn_deg=60, move_mm=6, mixed=1.0)
    path = write(tmp_path / "s.npz", [tumour(24), tumour(12)], DEEP)
    for index in range(4):
        patient = make(path, index, graft=wild)
        whole, core, enhancing = patient.regions
        assert whole.any()
        assert not (enhancing & ~core).any()
        assert not (core & ~whole).any()
        assert not (whole & ~patient.brain).any()


def test_a_map_lies_where_it_lay_in_its_own_head(tmp_path: Path) -> None:
    """A map high in the frame is high in the brain, one at its front in front; left and right are a coin's."""
    low, high = ((130, 90, 30), (130, 90, 95))
    back, front = ((130, 45, 75), (130, 150, 75))

    def place(corner: tuple[int, int, int], axis: int) -> float:
        path = write(tmp_path / f"{corner}.npz", [tumour(10)], corner)
        patient = make(path)
        tumour_at, brain_at = (mask.nonzero().float().mean(0)[axis] for mask in (patient.regions[0], patient.brain))
        return float(tumour_at - brain_at) * patient.spacing[axis]

    assert place(high, 2) - place(low, 2) == pytest.approx(65, abs=20)
    assert place(front, 1) - place(back, 1) == pytest.approx(105, abs=25)


def test_the_same_seed_makes_the_same_tumour(tmp_path: Path) -> None:
    path = write(tmp_path / "s.npz", [tumour(), tumour(12)], DEEP)
    first, again = make(path, 2, graft=GraftConfig()), make(path, 2, graft=GraftConfig())
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.regions, again.regions)


def test_without_a_file_the_share_changes_nothing() -> None:
    plain = SynthesisConfig(tumour=TumourConfig(none=0), distractors=NOTHING)
    assert torch.equal(synthesize_patient(4, 1, 4.0, plain).images, make(None, 1, 4.0).images)


def test_what_is_held_back_grows_elsewhere() -> None:
    level = torch.linspace(-5, 5, 101)
    allowed = torch.ones(101, dtype=torch.bool)
    allowed[:20] = False
    grown = regained(level, allowed, 4.0)
    assert int(((grown < 0) & allowed).sum()) == pytest.approx(int((level < 0).sum()), abs=1)
    assert float((level - regained(level, allowed, 0.5)).max()) == pytest.approx(0.5)
    assert torch.equal(regained(level, torch.ones(101, dtype=torch.bool), 4.0), level)


def test_a_finger_is_thin_and_its_palm_is_not() -> None:
    """Distances to a finger 4 mm thick that leaves a ball of 14 mm: half the thickness of each, where it is."""
    lattice = Lattice((60, 40, 40), 1.0, torch.device("cpu"))
    x, y, z = (lattice.axis_mm(axis) for axis in range(3))
    ball = ((x + 15).square() + y.square() + z.square()).sqrt() - 14
    finger = torch.maximum((y.square() + z.square()).sqrt() - 2, x.abs() - 25)
    around = depth_around(torch.minimum(ball, finger), lattice)
    assert float(around[45, 20, 20]) == pytest.approx(2, abs=0.8)
    assert float(around[15, 20, 20]) == pytest.approx(14, abs=1)
