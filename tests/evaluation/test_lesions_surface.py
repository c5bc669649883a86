from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_surface_dice
from scipy import ndimage

from bratsseg.evaluation.surface_distance import nsd, surface_distances, voxel_nsd

MASKS = arrays(np.bool_, (5, 4, 3))
SPACING = (0.9, 1.7, 4.0)


def blobs(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    shape = tuple(rng.integers(8, 22, 3))
    field = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(1, 2))
    other = field + ndimage.gaussian_filter(rng.normal(size=shape), 1.5) * 0.5
    return field > np.quantile(field, 0.85), other > np.quantile(other, 0.87), tuple(rng.uniform(0.5, 4, 3))


def monai_nsd(predicted: np.ndarray, reference: np.ndarray, spacing: tuple, limit: float, subvoxels: bool) -> float:
    ours, theirs = (torch.from_numpy(np.stack([~mask, mask]))[None] for mask in (predicted, reference))
    found = compute_surface_dice(ours, theirs, [limit], spacing=spacing, use_subvoxels=subvoxels)
    return float(found[0, 0])


@pytest.mark.parametrize("seed", range(50))
def test_area_weighted_nsd_equals_monai(seed: int) -> None:
    """MONAI holds areas and distances as float32: half-voxel ties aside, equal to 1e-5."""
    rng = np.random.default_rng([77, seed])
    predicted, reference, spacing = blobs(rng)
    limit = float(rng.uniform(0.3, 4))
    theirs = monai_nsd(predicted, reference, spacing, limit, subvoxels=True)
    assert nsd(predicted, reference, spacing, limit) == pytest.approx(theirs, abs=1e-5)


def test_voxel_nsd_differs_from_monai_in_what_it_averages() -> None:
    """BraTS takes the mean of two shares, MONAI the share of both surfaces' voxels together."""
    predicted, reference, spacing = blobs(np.random.default_rng(4))
    (ours,) = voxel_nsd(predicted, reference, spacing, [1.5])
    there = _shares(predicted, reference, spacing, 1.5)
    assert ours == pytest.approx((there[0][0] / there[0][1] + there[1][0] / there[1][1]) / (2 + 1e-8), abs=1e-12)
    pooled = (there[0][0] + there[1][0]) / (there[0][1] + there[1][1])
    assert monai_nsd(predicted, reference, spacing, 1.5, subvoxels=False) == pytest.approx(pooled, abs=1e-6)
    assert abs(ours - pooled) < 0.05


def _shares(predicted: np.ndarray, reference: np.ndarray, spacing: tuple, limit: float) -> list[tuple[int, int]]:
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (predicted, reference)]
    found = []
    for edge, other in (edges, edges[::-1]):
        far = ndimage.distance_transform_edt(~other, sampling=spacing)[edge]
        found.append((int((far <= limit).sum()), len(far)))
    return found


def test_empty_cases() -> None:
    nothing, something = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    something[1, 2, 3] = True
    assert surface_distances(nothing, nothing, SPACING).hausdorff_mm() == 0.0
    assert math.isnan(surface_distances(something, nothing, SPACING).hausdorff_mm())
    assert nsd(nothing, nothing, SPACING, 1.0) == 1.0
    assert nsd(something, nothing, SPACING, 1.0) == nsd(nothing, something, SPACING, 1.0) == 0.0
    assert voxel_nsd(nothing, nothing, SPACING, (0.5, 1.0)) == (1.0, 1.0)
    assert voxel_nsd(nothing, something, SPACING, (0.5, 1.0)) == (0.0, 0.0)
    with pytest.raises(ValueError, match="one shape"):
        nsd(nothing, np.zeros((1, 1, 1), bool), SPACING, 1.0)


def test_a_block_has_the_area_of_marching_cubes() -> None:
    """Six faces less a rim: each edge is cut by half a voxel, each corner to a triangle."""
    block = np.zeros((6, 7, 8), bool)
    block[1:4, 1:5, 1:6] = True  # 3 × 4 × 5 voxels
    found = surface_distances(block, block, (1.0, 1.0, 1.0))
    faces = 2 * (2 * 3 + 2 * 4 + 3 * 4)
    edges = 4 * (2 + 3 + 4) * math.sqrt(0.5)
    corners = 8 * math.sqrt(3) / 8
    assert found.predicted_mm2.sum() == pytest.approx(faces + edges + corners)
    assert found.hausdorff_mm() == 0.0


@settings(max_examples=80, deadline=None)
@given(MASKS, MASKS, st.permutations(range(3)), st.sampled_from([0, 1, 2]))
def test_neither_axes_nor_sides_matter(a: np.ndarray, b: np.ndarray, axes: list[int], flipped: int) -> None:
    straight = surface_distances(a, b, SPACING)
    turned = surface_distances(
        *(np.flip(mask.transpose(axes), flipped) for mask in (b, a)), [SPACING[axis] for axis in axes]
    )
    assert turned.hausdorff_mm() == pytest.approx(straight.hausdorff_mm(), nan_ok=True)
    assert turned.surface_dice(1.0) == pytest.approx(straight.surface_dice(1.0))
    assert voxel_nsd(a, b, SPACING, [1.0]) == pytest.approx(voxel_nsd(b, a, SPACING, [1.0]))
