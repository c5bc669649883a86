"""Validation cases for a machine that reads no scans: cropped arrays, one .npz a case; and how a model scores on them.

usage: python scripts/gpu_cases.py MODEL CASES [--device cuda:0] [--json FILE]

A file holds for each modality the voxels of the brain's box as 16-bit integers with slope and intercept (exact for
integers, otherwise the range in 65,535 steps), the affine of the box in RAS mm, and the reference's regions.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from bratsseg import Grid, Modality, Region, Segmenter, Study, Volume, read_study
from bratsseg.study.brain import find_brain
from bratsseg.tensors.transforms import expand_box
from bratsseg.training.cache import read_truth
from bratsseg.training.sources import DataConfig, TrainingCase, find_training_cases
from bratsseg.training.validation import score_masks

MARGIN = 3
"""Voxels kept around the brain, so that the border shows what air is."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a model folder, such as a run's average")
    parser.add_argument("cases", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    segmenter = Segmenter.load(options.model, options.device)
    scores: dict[str, dict[str, float]] = {}
    for path in sorted(options.cases.glob("*.npz")):
        scores[path.stem] = score(segmenter, path)
        print(path.stem, *(f"{name} {value:.4f}" for name, value in scores[path.stem].items()), flush=True)
        if options.json is not None:
            options.json.write_text(json.dumps(scores, indent=1), encoding="utf-8")
    if len(scores) > 1:
        names = [str(region) for region in Region]
        print("mean", *(f"{n} {np.mean([one[n] for one in scores.values()]):.4f}" for n in names))


def packed_cases(folder: Path) -> list[TrainingCase]:
    """The cases of a folder that have a reference, as training finds them."""
    found, notes = find_training_cases(DataConfig(folder=folder))
    for note in notes:
        print(note)
    return found


def write_case(case: TrainingCase, out: Path) -> Path:
    """Write one case; returns its file."""
    study = read_study(case.case)
    grid = study.require_one_grid()
    box = expand_box(find_brain(study).box, grid.shape, MARGIN)
    affine = grid.affine.copy()
    affine[:3, 3] += grid.affine[:3, :3] @ [part.start for part in box]
    arrays: dict[str, Any] = {"affine": affine}
    for modality, volume in study.volumes.items():
        arrays[str(modality)], arrays[f"{modality}_scale"] = in_16_bits(volume.values(box))
    arrays["regions"] = read_truth(case, grid, tuple(Region))[(slice(None), *box)]
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{case.case.id.replace('/', '_')}.npz"
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return path


def in_16_bits(values: Any) -> tuple[Any, Any]:
    """``values`` as integers, and (slope, intercept) that take them back."""
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.rint(values)).all()) and high - low < 65_536
    slope = 1.0 if whole else max(high - low, 1e-12) / 65_535
    return np.rint((values - low) / slope).astype(np.uint16), np.array([slope, low])


def read_case(path: Path) -> tuple[Study, Any]:
    """The study of a file, and its reference's regions (3, I, J, K) bool."""
    with np.load(path, allow_pickle=False) as stored:
        regions = stored["regions"]
        grid = Grid.of(regions.shape[1:], stored["affine"])
        volumes = {
            modality: Volume(stored[str(modality)], grid, *stored[f"{modality}_scale"].tolist())
            for modality in Modality
            if str(modality) in stored
        }
    return Study(path.stem, volumes), regions


def score(segmenter: Segmenter, path: Path) -> dict[str, float]:
    """Dice of WT, TC and ET on the case's own grid; 1 where both are empty."""
    study, regions = read_case(path)
    found = segmenter.segment(study).label_map.regions
    said, true = (dict(zip(Region, masks, strict=True)) for masks in (found, regions))
    scores = score_masks(said, true)
    return {str(region): scores[f"vol_dice_{region}"] for region in Region}


if __name__ == "__main__":
    main()
