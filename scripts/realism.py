"""How far synthetic patients are from real ones: one table, the worst difference first.

usage: .venv/bin/python scripts/realism.py FOLDER_OF_REAL_CASES [--patients 40] [--seed 31337] [--spacing 1.5]

Each case, real or synthetic, becomes what the default model's network would see (brain box, z-score, ``--spacing`` mm);
then intensities of the tumour's parts, contrasts across borders, sharpness, texture, noise and label volumes are
measured by the same code. ``z`` is the difference of the medians over the synthetic patients' own spread: |z| > 1 says
that the middle real case lies at the rim of what the generator draws. A summary of statistics, never of images: real
cases inform ranges here and nothing else.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from bratsseg.study.brain import find_brain
from bratsseg.study.case import Case
from bratsseg.study.dialect import get_dialect
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_study
from bratsseg.study.reading.study import read_reference
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.tensors.transforms import Preparation, normalise, prepare, to_model_frame

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]
Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=31337)
    parser.add_argument("--spacing", type=float, default=1.5)
    options = parser.parse_args()
    real = [measure(*case, options.spacing) for case in real_cases(options.folder, options.spacing)]
    made = [measure(*case, options.spacing) for case in synthetic_cases(options)]
    print(f"{len(real)} real, {len(made)} synthetic cases with a tumour, {options.spacing} mm")
    print(f"{'':34}{'real median (range)':>28}{'synthetic median (10-90 %)':>32}{'z':>8}")
    for line in sorted(compare(real, made), key=lambda line: -abs(line[1])):
        print(line[0])


def real_cases(folder: Path, spacing: float) -> Iterator[tuple[Array, Mask, Mask]]:
    """Images (4, I, J, K), regions (3, I, J, K), brain (I, J, K) of every case with a reference of a known dialect."""
    for case in find_cases(folder):
        if case.reference is not None:
            yield real_case(case, spacing)


def real_case(case: Case, spacing: float) -> tuple[Array, Mask, Mask]:
    study = read_study(case)
    brain = find_brain(study)
    images, inside, placement = prepare(study, brain, tuple(Modality), Preparation(spacing_mm=spacing))
    assert case.reference is not None
    labels = np.rint(read_reference(case.reference, case.id).values()).astype(int)
    regions = get_dialect(case.dialect or "brats2013").decode(labels, f"case {case.id}")
    inner = torch.from_numpy(regions[(slice(None), *placement.box)]).float()
    return images.numpy(), (to_model_frame(inner, placement) > 0.5).numpy() & inside.numpy(), inside.numpy()


def synthetic_cases(options: argparse.Namespace) -> Iterator[tuple[Array, Mask, Mask]]:
    for index in range(options.patients):
        patient = synthesize_patient(options.seed, index, options.spacing)
        if patient.regions[0].any():
            images = normalise(patient.images, patient.brain).numpy()
            yield images, patient.regions.numpy(), patient.brain.numpy()


def measure(images: Array, regions: Mask, brain: Mask, spacing: float) -> Row:
    """Every statistic of one case; what a case lacks is nan."""
    whole, core, enhancing = regions
    around = ndimage.binary_dilation(whole, iterations=round(15 / spacing)) & brain & ~whole
    near = ndimage.binary_dilation(whole, iterations=round(6 / spacing)) & brain & ~whole
    parts = {
        "healthy": brain & ~ndimage.binary_dilation(whole, iterations=3),
        "edema": whole & ~core,
        "necrosis": core & ~enhancing,
        "enhancing": enhancing,
    }
    row = volumes(whole, core, enhancing, brain, spacing)
    for m, modality in enumerate(Modality):
        image = images[m]
        if not image.any():
            continue
        row |= {f"{name} {modality} median": middle(image[mask]) for name, mask in parts.items() if name != "healthy"}
        row |= {f"{name} {modality} iqr": spread(image[mask]) for name, mask in parts.items()}
        row |= texture(image, parts, modality)
        row[f"healthy {modality} p99"] = quantile(image[parts["healthy"]], 0.99)
        row[f"healthy {modality} p01"] = quantile(image[parts["healthy"]], 0.01)
        row[f"edema - near {modality}"] = middle(image[parts["edema"]]) - middle(image[near])
        row[f"edge of WT {modality}"] = edge(image, whole, brain)
        row |= outline(image, whole, parts["edema"], brain, name=f"WT {modality}", spacing=spacing)
        row[f"edge of ET {modality}"] = edge(image, enhancing, brain)
        row[f"necrosis - edema {modality}"] = middle(image[parts["necrosis"]]) - middle(image[parts["edema"]])
        row[f"enhancing - edema {modality}"] = middle(image[enhancing]) - middle(image[parts["edema"]])
        row[f"around {modality} p95"] = quantile(image[around], 0.95)
    return row


def volumes(whole: Mask, core: Mask, enhancing: Mask, brain: Mask, spacing: float) -> Row:
    surface = np.count_nonzero(whole ^ ndimage.binary_erosion(whole))
    size = np.count_nonzero(whole)
    parts, count = ndimage.label(whole, np.ones((3, 3, 3)))
    largest = np.bincount(parts.ravel())[1:].max() if count else 0
    middles = [np.argwhere(mask).mean(0) if mask.any() else np.full(3, np.nan) for mask in (whole, core, brain)]
    return {
        "WT share of brain": size / np.count_nonzero(brain),
        "TC share of WT": np.count_nonzero(core) / size,
        "ET share of TC": np.count_nonzero(enhancing) / max(np.count_nonzero(core), 1),
        "WT surface / volume^(2/3)": surface / size ** (2 / 3),
        "ET surface / volume": ratio(np.count_nonzero(enhancing ^ ndimage.binary_erosion(enhancing)), enhancing),
        "WT parts": count,
        "WT largest part": largest / size,
        "core off the middle, mm": float(np.linalg.norm(middles[1] - middles[0])) * spacing,
        "brain mL": np.count_nonzero(brain) * spacing**3 / 1000,
    }


def texture(image: Array, parts: dict[str, Mask], modality: Modality) -> Row:
    """Fine variation: sd of the image less its 3³ mean, and how far neighbours agree in it."""
    fine = image - ndimage.uniform_filter(image, 3)
    row = {}
    for name, mask in parts.items():
        inner = ndimage.binary_erosion(mask)
        row[f"{name} {modality} fine sd"] = float(fine[inner].std()) if np.count_nonzero(inner) > 50 else np.nan
    inner = ndimage.binary_erosion(parts["healthy"], iterations=2)
    a, b = fine[:-1][inner[:-1] & inner[1:]], fine[1:][inner[:-1] & inner[1:]]
    row[f"healthy {modality} lag-1"] = float(np.corrcoef(a, b)[0, 1])
    return row


def edge(image: Array, mask: Mask, brain: Mask) -> float:
    """Step from the voxels outside a border to those inside it, over the step from 4 voxels out to 4 in: 1 is sharp."""
    mask = mask & brain
    if np.count_nonzero(mask) < 200:
        return np.nan
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    near = middle(image[(inside > 0) & (inside <= 1.5)]) - middle(image[(outside > 0) & (outside <= 1.5) & brain])
    far = middle(image[inside > 3]) - middle(image[(outside > 3) & (outside <= 6) & brain])
    return near / far if abs(far) > 0.1 else np.nan


def outline(image: Array, whole: Mask, edema: Mask, brain: Mask, *, name: str, spacing: float) -> Row:
    """Where the reference passes on the slope from the surroundings, 6-14 mm away (0), to the middle edema (1).

    In the layer of voxels just outside it, in the one just inside, 3-6 mm inside; and the share of the whole tumour
    that is less than half-way up. A synthetic reference that lies half-way up makes a network mark real tumours too
    small.
    """
    inside, outside = (ndimage.distance_transform_edt(mask) * spacing for mask in (whole, ~whole))
    far = middle(image[brain & (outside > 6) & (outside <= 14)])
    step = middle(image[edema if edema.sum() > 0.1 * whole.sum() else whole]) - far
    if not abs(step) > 0.1:
        return {}

    def height(layer: Mask) -> float:
        return (middle(image[brain & layer]) - far) / step

    return {
        f"just outside {name}": height((outside > 0) & (outside <= spacing)),
        f"just inside {name}": height((inside > 0) & (inside <= spacing)),
        f"3-6 mm inside {name}": height((inside > 3) & (inside <= 6)),
        f"below half-way in {name}": float(np.mean((image[whole] - far) / step < 0.5)),
    }


def compare(real: list[Row], made: list[Row]) -> Iterator[tuple[str, float]]:
    for name in dict.fromkeys(name for row in real for name in row):
        ours = np.array([row.get(name, np.nan) for row in made])
        theirs = np.array([row.get(name, np.nan) for row in real])
        ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
        if len(ours) < 3 or not len(theirs):
            continue
        low, mid, high = np.quantile(ours, [0.1, 0.5, 0.9])
        z = float((np.median(theirs) - mid) / max((high - low) / 2.56, 1e-6))
        found = f"{np.median(theirs):.3f} ({theirs.min():.3f} to {theirs.max():.3f})"
        yield f"{name:34}{found:>28}{f'{mid:.3f} ({low:.3f} to {high:.3f})':>32}{z:8.2f}", z


def middle(values: Array) -> float:
    return quantile(values, 0.5)


def quantile(values: Array, share: float) -> float:
    return float(np.quantile(values, share)) if values.size > 20 else np.nan


def spread(values: Array) -> float:
    return quantile(values, 0.75) - quantile(values, 0.25)


def ratio(part: int, mask: Mask) -> float:
    return part / np.count_nonzero(mask) if mask.any() else np.nan


if __name__ == "__main__":
    main()
