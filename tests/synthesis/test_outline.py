from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from bratsseg.synthesis.draws import Draws, Lattice
from bratsseg.synthesis.outline import OutlineConfig, draw_reader, outline, smoothed
from bratsseg.synthesis.reader import Reader
from bratsseg.synthesis.tumour import Tumour

CPU = torch.device("cpu")
LATTICE = Lattice((40, 40, 40), 1.5, CPU)


def ball(radius_mm: float, softness_mm: float) -> torch.Tensor:
    squared = [LATTICE.axis_mm(axis) ** 2 for axis in range(3)]
    return torch.sigmoid((radius_mm - (squared[0] + squared[1] + squared[2]).sqrt()) / softness_mm)


def tumour(present: bool = True) -> Tumour:
    whole = ball(18, 2.5) if present else torch.zeros(LATTICE.shape)
    return Tumour(whole, ball(9, 0.7) * present, ball(6, 0.7) * present, present)


def drawn(level: float, smoothing_mm: float = 1.0, *, fluid: torch.Tensor | None = None) -> torch.Tensor:
    no_fluid = torch.zeros(LATTICE.shape)
    return outline(Reader(level, smoothing_mm), tumour(), no_fluid if fluid is None else fluid, LATTICE)


@pytest.mark.parametrize("sd", [0.4, 1.0, 1.7])
def test_smoothed_is_a_gaussian(sd: float) -> None:
    volume = np.random.default_rng(3).random((17, 19, 21), dtype=np.float32)
    wanted = ndimage.gaussian_filter(volume, sd, mode="constant", radius=max(int(np.ceil(2.5 * sd)), 1))
    assert np.allclose(smoothed(torch.from_numpy(volume), sd).numpy(), wanted, atol=1e-5)


def test_a_reader_draws_the_border_where_it_fades_out() -> None:
    """Half-way is at 18 mm; membership .2 is 2.5 mm × log(4) further out. The core stays where it is."""
    half, outer = drawn(0.5), drawn(0.2)
    radius = [(3 * float(mask[0].sum()) * LATTICE.spacing_mm**3 / (4 * np.pi)) ** (1 / 3) for mask in (half, outer)]
    assert radius[0] == pytest.approx(18.0, abs=0.4)
    assert radius[1] == pytest.approx(18.0 + 2.5 * np.log(4), abs=0.6)
    assert torch.equal(half[1:], outer[1:])
    assert not (outer[1] & ~outer[0]).any()
    assert not (outer[2] & ~outer[1]).any()


def test_wide_fluid_stays_outside_and_a_narrow_sulcus_does_not() -> None:
    wide, narrow = torch.zeros(LATTICE.shape), torch.zeros(LATTICE.shape)
    wide[33:] = 1
    narrow[33] = 1
    assert not drawn(0.2, fluid=wide)[0, 33:].any()
    assert drawn(0.2, 2.0)[0, 33].any()
    assert torch.equal(drawn(0.2, 2.0, fluid=narrow), drawn(0.2, 2.0))


def test_nobody_draws_around_nothing() -> None:
    reader = draw_reader(Draws(1, 2, CPU), OutlineConfig())
    regions = outline(reader, tumour(present=False), torch.zeros(LATTICE.shape), LATTICE)
    assert regions.shape == (3, *LATTICE.shape)
    assert not regions.any()


@pytest.mark.parametrize(("level", "smoothing_mm", "softness_mm"), [(0.2, 1.0, 4.0), (0.15, 0.6, 2.0), (0.4, 0.6, 1.5)])
def test_a_border_laid_inside_an_outline_is_cut_there(level: float, smoothing_mm: float, softness_mm: float) -> None:
    """A flat border, its half-way line moved inward from x = 0: this reader's outline passes at 0 again, nearly."""
    reader = Reader(level, smoothing_mm)
    x = LATTICE.axis_mm(0).expand(LATTICE.shape)
    whole = torch.sigmoid((x - reader.inward_mm(softness_mm)) / softness_mm)
    nothing = torch.zeros(LATTICE.shape)
    cut = outline(reader, Tumour(whole, nothing, nothing, True), nothing, LATTICE)[0, :, 20, 20]
    assert float(x[cut, 0, 0].min()) == pytest.approx(0.0, abs=1.0)
