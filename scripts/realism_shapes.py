"""How far the shapes of synthetic tumours are from real label maps: one table, drawn tumours and grown ones.

usage: .venv/bin/python scripts/realism_shapes.py SHAPES.npz [--patients 100] [--seed 31337] [--spacing 2]

SHAPES.npz is a file that ``scripts/make_shapes.py`` makes. Its maps are measured as they are, at ``--spacing`` mm; then
as many patients with tumours that are all drawn, and as many whose tumours are all grown from the maps. Places are
those in the atlas, on the affine way that led there. A column holds the median (10th to 90th percentile).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from bratsseg.synthesis.anatomy import DEPTH, UPPER, VENTRICLE, Atlas, HeadShape, draw_shape, load_atlas
from bratsseg.synthesis.draws import Draws
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.grafting import frame_to_atlas
from bratsseg.synthesis.shapes import Shapes, cleaned
from bratsseg.synthesis.tumour import TumourConfig

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Row = dict[str, float]
SHARES = ("no core", "no enhancement", "ET below .12 of TC", "several parts of WT", "mostly below the tentorium")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", type=Path)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--seed", type=int, default=31337)
    parser.add_argument("--spacing", type=float, default=2.0)
    options = parser.parse_args()
    atlas = load_atlas(torch.device("cpu"))
    columns = {
        "label maps": [measure(*case, options.spacing, atlas) for case in real_maps(options.shapes, options.spacing)],
        "drawn": [measure(*case, options.spacing, atlas) for case in patients(options, TumourConfig(none=0))],
        "grown": [
            measure(*case, options.spacing, atlas)
            for case in patients(options, TumourConfig(none=0, shapes=options.shapes, real_share=1))
        ],
    }
    print(f"{'':32}" + "".join(f"{f'{name} ({len(rows)})':>30}" for name, rows in columns.items()))
    for name in columns["label maps"][0]:
        print(f"{name:32}" + "".join(f"{shown(name, rows):>30}" for rows in columns.values()))


def real_maps(path: Path, spacing: float) -> Iterator[tuple[Mask, Array, Array]]:
    """Regions (3, I, J, K) at ``spacing`` mm, and the (3, 3) and (3,) that take a voxel to mm of the atlas."""
    shapes = Shapes(path)
    linear, constant = (part.numpy().astype(float) for part in frame_to_atlas())
    for number in range(len(shapes)):
        regions = cleaned(np.pad(shapes.labels(number), 2))
        low = shapes.low(number) - 2
        index = [np.arange(0.5 * (spacing - 1), size, spacing).round().astype(int) for size in regions.shape[1:]]
        index = [line[line < size] for line, size in zip(index, regions.shape[1:], strict=True)]
        first = np.array([line[0] for line in index])
        yield regions[:, *np.ix_(*index)], linear * spacing, linear @ (low + first) + constant


def patients(options: argparse.Namespace, tumour: TumourConfig) -> Iterator[tuple[Mask, Array, Array]]:
    """The same of synthetic patients."""
    config = SynthesisConfig(tumour=tumour)
    for index in range(options.patients):
        patient = synthesize_patient(options.seed, index, options.spacing, config)
        if patient.regions[0].any():
            head = draw_shape(Draws(options.seed, index, torch.device("cpu")), config.anatomy)
            yield patient.regions.numpy(), *_way(head, patient.regions.shape[1:], options.spacing)


def _way(head: HeadShape, size: torch.Size, spacing: float) -> tuple[Array, Array]:
    flip = np.diag([-1.0 if head.flipped else 1.0, 1, 1])
    linear = flip @ head.to_atlas.numpy().astype(float) * spacing
    return linear, -linear @ ((np.array(size) - 1) / 2)


def measure(regions: Mask, linear: Array, constant: Array, spacing: float, atlas: Atlas) -> Row:
    """Every statistic of one case; what a case lacks is nan."""
    volumes = [float(np.count_nonzero(region)) * spacing**3 / 1000 for region in regions]
    whole, core, enhancing = volumes
    row = {
        "WT mL": whole,
        "TC mL": core or np.nan,
        "ET mL": enhancing or np.nan,
        "TC / WT": core / whole,
        "ET / TC": enhancing / core if core else np.nan,
        "necrosis or solid / WT": (core - enhancing) / whole,
        "no core": float(core == 0),
        "no enhancement": float(enhancing == 0),
        "ET below .12 of TC": float(core > 0 and enhancing < 0.12 * core),
    }
    for name, region in zip(("WT", "TC", "ET"), regions, strict=True):
        row |= form(name, region, spacing)
    row["several parts of WT"] = float(row["WT parts"] > 1)
    if core:
        middles = [np.argwhere(region).mean(0) for region in regions[:2]]
        row["core off the middle, mm"] = float(np.linalg.norm(middles[1] - middles[0])) * spacing
    else:
        row["core off the middle, mm"] = np.nan
    return row | place(regions, linear, constant, atlas)


def form(name: str, region: Mask, spacing: float) -> Row:
    """Parts of 20 mm³ and more, raggedness, and thickness: the depth that half of the region does not exceed."""
    if not region.any():
        return dict.fromkeys(
            (f"{name} parts", f"{name} largest part", f"{name} surface / V^(2/3)", f"{name} depth, mm"), np.nan
        )
    labels, _ = ndimage.label(region, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    padded = np.pad(region, 1)
    faces = sum(np.count_nonzero(np.diff(padded, axis=axis)) for axis in range(3))
    depth = ndimage.distance_transform_edt(padded)[padded] * spacing
    return {
        f"{name} parts": float(np.count_nonzero(sizes * spacing**3 >= 20)),
        f"{name} largest part": float(sizes.max() / sizes.sum()),
        f"{name} surface / V^(2/3)": faces / np.count_nonzero(region) ** (2 / 3),
        f"{name} depth, mm": float(np.median(depth)),
    }


def place(regions: Mask, linear: Array, constant: Array, atlas: Atlas) -> Row:
    """Where it lies in the atlas; distances to cortex and ventricles are its nearest 5 %."""
    inside = np.argwhere(regions[0])
    mm = inside @ linear.T + constant
    middle = mm.mean(0)
    voxel = mm / atlas.spacing_mm + (np.array(atlas.lattice_shape()) - 1) / 2
    depth, ventricle, upper = (
        ndimage.map_coordinates(atlas.maps[channel].numpy(), voxel.T, order=1, mode="nearest")
        for channel in (DEPTH, VENTRICLE, UPPER)
    )
    return {
        "beside the midline, mm": abs(float(middle[0])),
        "in front of the centre, mm": float(middle[1]),
        "above the centre, mm": float(middle[2]),
        "across the midline, share": float(min(np.mean(mm[:, 0] > 0), np.mean(mm[:, 0] < 0))),
        "mostly below the tentorium": float(np.mean(upper < 0.5) > 0.5),
        "below the surface, mm": float(np.quantile(depth, 0.05)),
        "middle below the surface, mm": float(np.median(depth)),
        "from the ventricles, mm": float(np.quantile(ventricle, 0.05)),
    }


def shown(name: str, rows: list[Row]) -> str:
    values = np.array([row[name] for row in rows])
    values = values[np.isfinite(values)]
    if name in SHARES:
        return f"{values.mean():.3f}"
    low, mid, high = np.quantile(values, [0.1, 0.5, 0.9])
    return f"{mid:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
