"""Make bratsseg/synthesis/atlas.npz from the MNI152 2009a template that nilearn ships.

Run it with nilearn installed: ``python scripts/make_atlas.py``. The result is committed; nothing needs nilearn later.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nilearn import datasets
from scipy import ndimage

SPACING_MM = 1.5
MARGIN_VOXELS = 3
LEVELS = {"grey": 15, "white": 15, "brain": 15, "texture": 30}  # grey levels kept: averages hold no finer detail
OUT = Path(__file__).parents[1] / "bratsseg" / "synthesis" / "atlas.npz"


def main() -> None:
    pictures = {
        "grey": datasets.load_mni152_gm_template(resolution=1),
        "white": datasets.load_mni152_wm_template(resolution=1),
        "brain": datasets.load_mni152_brain_mask(resolution=1),
        "texture": datasets.load_mni152_template(resolution=1),
    }
    maps = {}
    for name, picture in pictures.items():
        ras = nibabel.as_closest_canonical(picture)
        voxels = ndimage.gaussian_filter(ras.get_fdata(dtype=np.float32), 0.5)
        maps[name] = ndimage.affine_transform(
            voxels, np.full(3, SPACING_MM), output_shape=tuple(int(n / SPACING_MM) for n in voxels.shape), order=1
        )
        origin = ras.affine[:3, 3]
    inside = maps["brain"] > 0.3
    box = tuple(
        slice(max(int(i.min()) - MARGIN_VOXELS, 0), int(i.max()) + MARGIN_VOXELS + 1) for i in np.nonzero(inside)
    )
    origin = origin + SPACING_MM * np.array([s.start for s in box])
    stored = {name: quantised(maps[name][box], maps["brain"][box], LEVELS[name]) for name in maps}
    np.savez_compressed(OUT, spacing_mm=np.float32(SPACING_MM), origin_mm=origin.astype(np.float32), **stored)
    print(OUT, stored["grey"].shape, origin, f"{OUT.stat().st_size / 1e6:.2f} MB")


def quantised(voxels: np.ndarray, brain: np.ndarray, levels: int) -> np.ndarray:
    """(I, J, K) float → uint8 with ``levels`` + 1 distinct values, 0 outside the brain."""
    scaled = np.clip(voxels / voxels.max(), 0, 1) * (brain > 0.02)
    return (np.round(scaled * levels) * (255 // levels)).astype(np.uint8)


if __name__ == "__main__":
    main()
