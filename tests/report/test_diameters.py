"""RANO's two diameters against slow oracles that search every point and every line."""

from __future__ import annotations

import itertools

import nibabel as nib
import numpy as np
import pytest

from bratsseg.report.diameters import bidimensional
from bratsseg.study.grid import Grid
from tests.conftest import ball

SPACINGS = ((1.0, 1.0, 1.0), (0.5, 0.9, 4.0), (2.0, 1.0, 3.0))


def grid_of(mask: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Grid:
    return Grid.of(mask.shape, np.diag([*spacing, 1.0]))


def blob(seed: int, shape: tuple[int, int, int] = (18, 16, 4)) -> np.ndarray:
    """Connected in each slice: a union of boxes that all hold the middle."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, dtype=bool)
    for k in range(shape[2]):
        for _ in range(3):
            low, high = rng.integers(0, (9, 8)), rng.integers((9, 8), shape[:2]) + 1
            mask[low[0] : high[0], low[1] : high[1], k] = True
    return mask


def contour(slice_: np.ndarray, spacing: tuple[float, float]) -> list[tuple[float, float]]:
    points = []
    for i, j in np.argwhere(slice_):
        for di, dj in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            a, b = i + di, j + dj
            inside = 0 <= a < slice_.shape[0] and 0 <= b < slice_.shape[1] and slice_[a, b]
            if not inside:
                points.append(((i + di / 2) * spacing[0], (j + dj / 2) * spacing[1]))
    return points


def oracle(slice_: np.ndarray, spacing: tuple[float, float]) -> tuple[float, float]:
    """Longest distance of any two contour points; longest chord across it over every pair of points' edges."""
    points = contour(slice_, spacing)
    longest, a, b = max((float(np.hypot(p[0] - q[0], p[1] - q[1])), p, q) for p in points for q in points)
    along = np.subtract(b, a) / longest
    turned = [
        (float(np.dot(np.subtract(p, a), along)), float(np.cross((*along, 0), (*np.subtract(p, a), 0))[2]))
        for p in points
    ]
    best = 0.0
    for s, _ in turned:  # any chord of the hull lies between segments of two points each
        heights = [t for x, t in turned if x == s]
        for (x, t), (y, u) in itertools.combinations(turned, 2):
            if min(x, y) < s < max(x, y):
                heights.append(t + (u - t) * (s - x) / (y - x))
        best = max(best, max(heights) - min(heights))
    return longest, best


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", range(4))
def test_both_diameters_are_those_of_an_exhaustive_search(seed: int, spacing: tuple[float, float, float]) -> None:
    mask = blob(seed)[:14, :14, :2]
    found = bidimensional(mask, grid_of(mask, spacing))
    every = [oracle(mask[:, :, k], spacing[:2]) for k in range(mask.shape[2])]
    best = max(every, key=lambda pair: pair[0] * pair[1])
    assert found is not None
    assert found.longest_mm == pytest.approx(best[0], abs=1e-9)
    assert found.product_mm2 == pytest.approx(best[0] * best[1], rel=1e-6)
    assert every[found.slice_index][0] * every[found.slice_index][1] == pytest.approx(found.product_mm2, rel=1e-6)


def test_a_disc_measures_its_own_width() -> None:
    mask = ball((64, 64, 1), (32, 32, 0), 20.3)
    found = bidimensional(mask, grid_of(mask))
    assert found is not None
    assert found.longest_mm == pytest.approx(41, abs=0.6)
    assert found.perpendicular_mm == pytest.approx(41, abs=0.6)


def test_an_ellipse_lying_askew() -> None:
    i, j = np.meshgrid(np.arange(80) - 40.0, np.arange(80) - 40.0, indexing="ij")
    turned = (0.8 * i + 0.6 * j, -0.6 * i + 0.8 * j)
    mask = ((turned[0] / 30) ** 2 + (turned[1] / 12) ** 2 <= 1)[:, :, None]
    found = bidimensional(mask, grid_of(mask))
    assert found is not None
    assert found.longest_mm == pytest.approx(60, abs=1)
    assert found.perpendicular_mm == pytest.approx(24, abs=1)


def test_one_voxel_measures_its_own_size() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[2, 2, 2] = True
    found = bidimensional(mask, grid_of(mask, (3.0, 2.0, 5.0)))
    assert found is not None
    assert (found.longest_mm, found.perpendicular_mm) == (pytest.approx(3), pytest.approx(2))


def test_a_ring_is_measured_across_its_middle() -> None:
    ring = ball((40, 40, 1), (20, 20, 0), 15) & ~ball((40, 40, 1), (20, 20, 0), 12)
    full = ball((40, 40, 1), (20, 20, 0), 15)
    found, whole = bidimensional(ring, grid_of(ring)), bidimensional(full, grid_of(full))
    assert found is not None
    assert whole is not None
    assert found.product_mm2 == pytest.approx(whole.product_mm2)


def test_parts_that_do_not_touch_are_not_bridged() -> None:
    mask = np.zeros((40, 20, 1), dtype=bool)
    mask[2:6, 5:9] = mask[30:38, 5:10] = True
    found = bidimensional(mask, grid_of(mask))
    assert found is not None
    assert found.longest_mm < 10


@pytest.mark.parametrize("codes", [("R", "A", "S"), ("L", "P", "S"), ("A", "S", "R"), ("I", "L", "P"), ("S", "R", "A")])
def test_the_order_of_axes_changes_nothing(codes: tuple[str, str, str]) -> None:
    mask, spacing = blob(1), (0.5, 0.9, 4.0)
    image = nib.Nifti1Image(mask.astype(np.uint8), np.diag([*spacing, 1.0]))
    wanted = nib.orientations.axcodes2ornt(codes)
    turned = image.as_reoriented(nib.orientations.ornt_transform(nib.orientations.io_orientation(image.affine), wanted))
    plain = bidimensional(mask, grid_of(mask, spacing))
    found = bidimensional(np.asarray(turned.dataobj) > 0, Grid.of(turned.shape, turned.affine))
    assert plain is not None
    assert found is not None
    assert found.longest_mm == pytest.approx(plain.longest_mm)
    assert found.perpendicular_mm == pytest.approx(plain.perpendicular_mm)
    ends = nib.affines.apply_affine(turned.affine, found.ends)
    assert np.hypot(*(ends[0] - ends[1])[:2]) == pytest.approx(found.longest_mm)
    assert abs(float((ends[0] - ends[1]) @ (ends[2] - ends[3]))) < 1e-6


def test_an_oblique_scan_is_measured_in_its_own_plane() -> None:
    mask, angle = blob(2), np.radians(20)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([0.7, 0.7, 3.0])
    straight, oblique = (
        bidimensional(mask, grid_of(mask, (0.7, 0.7, 3.0))),
        bidimensional(mask, Grid.of(mask.shape, affine)),
    )
    assert straight is not None
    assert oblique is not None
    assert oblique.product_mm2 == pytest.approx(straight.product_mm2)


def test_nothing_and_a_picture_have_none() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    assert bidimensional(mask, grid_of(mask)) is None
    mask[2] = True
    assert bidimensional(mask, Grid(mask.shape, np.eye(4), physical=False)) is None
