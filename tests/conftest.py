"""Synthetic studies that every test may use, and the way to real scans where there are some."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume

REAL = Path(os.environ.get("BRATSSEG_REAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


@pytest.fixture
def real_data() -> Path:
    if not REAL.is_dir():
        pytest.skip("real scans: no folder beside the project (set BRATSSEG_REAL_DATA)")
    return REAL


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> np.ndarray:
    """Voxels within ``radius`` voxels of ``centre``."""
    grids = np.meshgrid(*(np.arange(size) - middle for size, middle in zip(shape, centre, strict=True)), indexing="ij")
    return sum(grid.astype(float) ** 2 for grid in grids) <= radius**2


def make_study(
    modalities: tuple[Modality, ...] = (Modality.FLAIR, Modality.T1C),
    shape: tuple[int, int, int] = (48, 56, 44),
    affine: np.ndarray | None = None,
    seed: int = 0,
) -> Study:
    """A round brain of noise on air of 0, with one lesion that is bright on FLAIR and T2."""
    rng = np.random.default_rng(seed)
    centre = tuple(size / 2 for size in shape)
    brain = ball(shape, centre, min(shape) * 0.42)
    lesion = ball(shape, (centre[0] - 6, centre[1] + 5, centre[2]), 6)
    grid = Grid.of(shape, np.diag([2.0, 2.0, 2.0, 1.0]) if affine is None else affine)
    volumes = {}
    for modality in modalities:
        values = 100 + rng.normal(0, 5, shape)
        if modality in (Modality.FLAIR, Modality.T2W):
            values[lesion] += 80
        volumes[modality] = Volume(np.where(brain, values, 0).astype(np.int16), grid)
    return Study("round-head", volumes)


def head_slice() -> np.ndarray:
    """A picture of a synthetic head, (rows, columns) uint8: one axial slice of FLAIR."""
    from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
    from bratsseg.synthesis.head import HeadConfig
    from bratsseg.synthesis.pictures import PictureConfig, take_pictures

    config = SynthesisConfig(head=HeadConfig())
    stack = take_pictures(synthesize_patient(4, 1, 2.5, config), 4, 1, PictureConfig(size=96)).images[0].numpy()
    return np.rint(255 * stack[:, :, stack.shape[2] // 2].T).astype(np.uint8)
