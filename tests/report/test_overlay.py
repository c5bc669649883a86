"""Cuts hang as a radiologist hangs them, in the right proportions, with outlines where the regions are."""

from __future__ import annotations

import io

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from bratsseg.report.overlay import Window, choose_window, compose, grey_cut, layer_png, outline_factor, outlines, png
from bratsseg.report.planes import View, axis_of, plane_at
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.study.volume import Volume
from tests.conftest import ball
from tests.report.results import SHAPE, head, tumour

WHOLE = tuple(slice(0, size) for size in SHAPE)
AXES = [("R", "A", "S"), ("L", "P", "S"), ("A", "S", "R"), ("I", "L", "P"), ("S", "R", "A")]


@pytest.mark.parametrize("codes", AXES)
@pytest.mark.parametrize(
    ("view", "up", "left"),
    [(View.AXIAL, (0, 1, 0), (1, 0, 0)), (View.CORONAL, (0, 0, 1), (1, 0, 0)), (View.SAGITTAL, (0, 0, 1), (0, 1, 0))],
)
def test_right_is_left_and_front_is_up(
    codes: tuple[str, str, str], view: View, up: tuple[int, int, int], left: tuple[int, int, int]
) -> None:
    spacing = (1.0, 2.0, 3.0)
    values = np.full((30, 32, 34), 10, dtype=np.int16)
    middle = np.array([15, 16, 17])
    values[tuple(middle + 8 * np.array(up))] = 1000
    values[tuple(middle + 8 * np.array(left))] = 500
    image = nib.Nifti1Image(values, np.diag([*spacing, 1.0]))
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
        )
    )
    grid = Grid.of(turned.shape, turned.affine)
    volume = Volume(np.asarray(turned.dataobj), grid)
    axis = axis_of(grid, view)
    index = round((np.linalg.inv(turned.affine) @ [*(middle * spacing), 1.0])[axis])
    plane = plane_at(grid, view, index, tuple(slice(0, size) for size in grid.shape))
    shown = grey_cut(volume, grid, plane, Window(0.0, 1000.0))
    assert shown.shape == plane.shape
    height, width = plane.shape
    top = np.unravel_index(int(shown.argmax()), shown.shape)
    assert top[0] < height / 2
    beside = np.argwhere((shown > 60) & (shown < 200) & (np.abs(np.arange(height) - height / 2)[:, None] < 6))
    assert beside[:, 1].mean() < width / 2 - 3
    letters = {
        View.AXIAL: ("R", "A", "L", "P"),
        View.CORONAL: ("R", "S", "L", "I"),
        View.SAGITTAL: ("A", "S", "P", "I"),
    }
    assert plane.letters == letters[view]


def test_thick_slices_keep_their_proportions() -> None:
    grid = Grid.of((40, 40, 10), np.diag([1.0, 1.0, 4.0, 1.0]))
    box = (slice(0, 40), slice(0, 40), slice(0, 10))
    assert plane_at(grid, View.CORONAL, 20, box).shape == (40, 40)
    assert plane_at(grid, View.AXIAL, 5, box).shape == (40, 40)
    assert plane_at(grid, View.SAGITTAL, 20, (slice(0, 40), slice(10, 30), slice(0, 10))).shape == (40, 20)


def test_a_cut_shows_the_stored_voxels() -> None:
    rng = np.random.default_rng(0)
    grid = Grid.of((20, 24, 8), np.eye(4))
    volume = Volume(rng.integers(0, 255, grid.shape).astype(np.int16), grid)
    box = (slice(0, 20), slice(0, 24), slice(0, 8))
    window = Window(0.0, 255.0)
    shown = grey_cut(volume, grid, plane_at(grid, View.AXIAL, 3, box), window)
    assert np.array_equal(shown, volume.voxels[::-1, ::-1, 3].T)


def test_a_picture_is_shown_as_it_is_stored() -> None:
    rng = np.random.default_rng(0)
    grid = Grid((20, 24, 8), np.eye(4), physical=False)
    volume = Volume(rng.integers(0, 255, grid.shape).astype(np.int16), grid)
    box = (slice(0, 20), slice(0, 24), slice(0, 8))
    plane = plane_at(grid, View.AXIAL, 3, box)
    window = Window(0.0, 255.0)
    assert np.array_equal(grey_cut(volume, grid, plane, window), volume.voxels[:, :, 3].T)
    assert plane.letters == ("", "", "", "")
    assert plane.pixel_mm is None


def test_a_scan_on_another_grid_is_shown_in_the_patients_space() -> None:
    fine = Grid.of((40, 40, 40), np.diag([1.0, 1.0, 1.0, 1.0]))
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = 0.5
    coarse = Grid.of((20, 20, 20), affine)
    volume = Volume((ball((20, 20, 20), (12, 6, 9), 3) * 100).astype(np.int16), coarse)
    box = (slice(0, 40),) * 3
    window = Window(0.0, 100.0)
    shown = grey_cut(volume, fine, plane_at(fine, View.AXIAL, 18, box), window)
    rows, columns = np.argwhere(shown > 127).mean(axis=0)
    assert (39 - columns, 39 - rows) == (pytest.approx(24.5, abs=0.6), pytest.approx(12.5, abs=0.6))


def test_outlines_run_round_the_regions_in_the_palette() -> None:
    study, regions = head(), tumour()
    grid = study.reference.grid
    plane = plane_at(grid, View.AXIAL, 22, WHOLE)
    finer = plane.finer(outline_factor(plane))
    layer = outlines(LabelMap(regions, grid), finer)
    ground = np.full(plane.shape, 99, dtype=np.uint8)
    shown = compose(ground, layer)
    for code, region in enumerate(Region, start=1):
        assert (shown[layer == code] == APPEARANCE[region].colour).all()
        places = np.argwhere(layer == code) / outline_factor(plane) - 0.5
        rows, columns = (SHAPE[1] - 1 - places[:, 0], SHAPE[0] - 1 - places[:, 1])
        radius = np.hypot(rows - 33, columns - 16)
        assert radius.mean() == pytest.approx((7, 4, 2)[code - 1], abs=0.7)
    assert (shown[layer == 0] == 99).all()
    hidden = outlines(LabelMap(regions, grid, frozenset({Region.WT})), finer)
    assert set(np.unique(hidden)) == {0, 1}


def test_equal_input_gives_equal_bytes_and_the_layer_is_clear() -> None:
    study, regions = head(), tumour()
    plane = plane_at(study.reference.grid, View.CORONAL, 33, WHOLE)
    layers = [layer_png(outlines(LabelMap(regions, study.reference.grid), plane.finer(3))) for _ in range(2)]
    assert layers[0] == layers[1]
    picture = Image.open(io.BytesIO(layers[0])).convert("RGBA")
    assert picture.getpixel((0, 0))[3] == 0
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert png(grey) == png(grey)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(grey)))), grey)


def test_the_window_spans_the_brain_and_not_the_air() -> None:
    values = np.full((40, 40, 40), -5.0, dtype=np.float32)
    values[10:30, 10:30, 10:30] = np.random.default_rng(0).normal(100, 10, (20, 20, 20))
    volume = Volume(values, Grid.of(values.shape, np.eye(4)))
    for brain in (None, values > 0):
        window = choose_window(volume, brain, (slice(None), slice(None), slice(None)))
        assert 70 < window.low < 85
        assert 115 < window.high < 140
    flat = choose_window(Volume(np.zeros((8, 8, 8), np.int16), Grid.of((8, 8, 8), np.eye(4))), None, (slice(None),) * 3)
    assert flat.high > flat.low
