"""Make tests/evaluation/golden/: seeded pairs of small label maps and what the official BraTS scripts say of them.

Run once with what ``requirements.txt`` of BraTS-2023-Metrics asks for (Python 3.10, numpy 1.24.3, pandas 1.3.4,
scipy 1.11.1, connected-components-3d 3.12.1, nibabel 5.1.0; pandas from 1.4 on makes that script fail) and
``medpy.metric.binary`` of MedPy 0.5.2, beside checkouts of rachitsaluja's ``BraTS-2023-Metrics`` and
``BraTS-2024-Metrics``:

    python scripts/golden_lesions.py --checkout-2023 DIR --checkout-2024 DIR --out tests/evaluation/golden

The result is committed; the official scripts are never needed again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import warnings
from multiprocessing import Pool
from pathlib import Path
from types import ModuleType

import nibabel
import numpy as np
from scipy import ndimage

PAIRS = 200
# Every pair goes through GLI, and through one of the others of each year. SSA and PED of 2023 have GLI's parameters.
RUNS = (
    ("2023", "metrics", "GLI"),
    ("2023", "metrics", "MEN"),
    ("2023", "metrics", "MET"),
    ("2024", "metrics_GLI", "GLI"),
    ("2024", "metrics_SSA", "SSA"),
    ("2024", "metrics_PED", "PED"),
    ("2024", "metrics_MEN", "MEN"),
    ("2024", "metrics_MET", "MET"),
)
SCORES = ("Num_TP", "Num_FP", "Num_FN", "LesionWise_Score_Dice", "LesionWise_Score_HD95")
SCORES_2024 = (*SCORES, "LesionWise_Score_NSD @ 0.5", "LesionWise_Score_NSD @ 1.0")
ROWS = ("gt_lesion_numbers", "gt_lesion_vol", "dice_lesionwise", "hd95_lesionwise")
ROWS_2024 = (*ROWS, "nsd05_lesionwise", "nsd10_lesionwise")
SPACINGS = ((1, 1, 1), (1, 1, 1), (0.9, 0.9, 5.5), (1, 1, 1), (2, 1.5, 1), (0.5, 0.5, 1.2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout-2023", type=Path, required=True)
    parser.add_argument("--checkout-2024", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("tests/evaluation/golden"))
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    checkouts = {"2023": given.checkout_2023.resolve(), "2024": given.checkout_2024.resolve()}
    out = given.out.resolve()
    pairs = [make_pair(number) for number in range(PAIRS)]
    todo = [(number, run) for number in range(PAIRS) for run in (0, 1 + number % 2, 3, 4 + number % 4)]
    jobs = [(pairs[number], RUNS[run], checkouts[RUNS[run][0]]) for number, run in todo]
    with Pool(given.workers) as pool:
        answers = dict(zip(todo, pool.imap(ask, jobs, chunksize=4), strict=True))
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "pairs.npz", **packed(pairs))
    np.savez_compressed(out / "official.npz", **tabled(answers))
    commits = {
        f"BraTS-{year}-Metrics": subprocess.check_output(
            ["git", "-C", str(place), "rev-parse", "HEAD"], text=True
        ).strip()
        for year, place in checkouts.items()
    }
    names = [f"{year}-{name}" for year, _, name in RUNS]
    crashes = {f"{pair} {names[run]}": said for (pair, run), said in answers.items() if isinstance(said, str)}
    facts = {"commits": commits, "runs": names, "crashes": crashes}
    (out / "source.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


Pair = tuple[np.ndarray, np.ndarray, tuple[float, ...]]


def make_pair(number: int) -> Pair:
    """Prediction and truth (I, J, K) uint8 with values 0 to 4, and spacing in mm."""
    rng = np.random.default_rng([20240, number])
    spacing = SPACINGS[int(rng.integers(len(SPACINGS)))]
    shape = tuple(int(size) for size in rng.integers(18, 39, 3))
    draw = (lesions, specks, noise, lesions, lesions)[number % 5]
    truth = draw(rng, shape)
    if number in (0, 1):
        truth = np.zeros_like(truth)
    predicted = draw(rng, shape) if number % 7 == 3 else disturbed(rng, truth)
    if number == 0 or number % 40 == 15:
        predicted = np.zeros_like(truth)
    if number == 1:
        predicted = draw(rng, shape)
    if number % 40 == 24:
        truth = np.zeros_like(truth)
    if number % 40 == 33:
        predicted = truth.copy()
    return predicted, truth, tuple(float(np.float32(size)) for size in spacing)


def lesions(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Nested ellipsoids of edema, enhancement and necrosis, now and then with a cavity, some near one another."""
    labels = np.zeros(shape, np.uint8)
    centre = rng.uniform(0, shape)
    for _ in range(int(rng.integers(1, 6))):
        centre = rng.uniform(0, shape) if rng.random() < 0.5 else centre + rng.normal(0, 7, 3)
        radius = rng.uniform(1.5, 6.5)
        apart = np.linalg.norm((np.indices(shape).T - centre) / rng.uniform(0.7, 1.3, 3), axis=-1).T
        labels[apart <= radius] = 2
        labels[apart <= radius * rng.uniform(0.4, 0.9)] = 3
        labels[apart <= radius * rng.uniform(0.1, 0.5)] = 1
        if rng.random() < 0.4:
            off = np.linalg.norm(np.indices(shape).T - centre - rng.normal(0, 4, 3), axis=-1).T
            labels[off <= radius * 0.6] = 4
    return labels


def specks(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes of 1 to 60 voxels: at, under and over every threshold."""
    labels = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(2, 14))):
        size = ((1, 1, 1), (2, 1, 1), (3, 1, 1), (5, 2, 1), (5, 2, 2), (3, 7, 1), (5, 5, 2), (3, 17, 1))[
            rng.integers(8)
        ]
        size = rng.permutation(size)
        start = [int(rng.integers(0, max(1, s - e))) for s, e in zip(shape, size, strict=True)]
        labels[tuple(slice(a, a + e) for a, e in zip(start, size, strict=True))] = rng.integers(1, 5)
    return labels


def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Irregular parts of all tissues that touch in all ways."""
    labels = np.zeros(shape, np.uint8)
    for value in rng.permutation([1, 2, 3, 4]):
        field = ndimage.gaussian_filter(rng.normal(size=shape), rng.uniform(1.0, 2.2))
        labels[field > np.quantile(field, rng.uniform(0.93, 0.995))] = value
    return labels


def disturbed(rng: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    """The truth as a network might see it: shifted, grown or shrunk, parts lost, parts added, tissues mistaken."""
    labels = np.roll(truth, rng.integers(-2, 3, 3), axis=(0, 1, 2))
    if rng.random() < 0.5:
        labels = ndimage.grey_dilation(labels, 3) if rng.random() < 0.5 else ndimage.grey_erosion(labels, 3)
    parts, count = ndimage.label(labels)
    for part in range(1, count + 1):
        if rng.random() < 0.25:
            labels[parts == part] = 0
    if rng.random() < 0.4:
        labels = np.maximum(labels, specks(rng, truth.shape))
    if rng.random() < 0.3:
        labels[labels == rng.integers(1, 5)] = rng.integers(0, 5)
    return labels.astype(np.uint8)


def ask(job: tuple[Pair, tuple[str, str, str], Path]) -> dict[str, np.ndarray] | str:
    """What an official script answers: scores by region and one row for each truth lesion; the error if it crashed."""
    (predicted, truth, spacing), (year, file, name), checkout = job
    warnings.simplefilter("ignore")
    script = official(checkout, file)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the scripts of 2024 write where they stand
        for stem, labels in (("pred", predicted), ("gt", truth)):
            nibabel.save(nibabel.Nifti1Image(labels, np.diag([*spacing, 1.0])), f"{stem}.nii.gz")
        try:
            if year == "2023":
                return answer_2023(script, name)
            results, rows = script.get_LesionWiseResults("pred.nii.gz", "gt.nii.gz", f"BraTS-{name}")
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        scores = results[list(SCORES_2024)].to_numpy(np.float64)
        regions = {label: number for number, label in enumerate(results["Labels"])}
        found = rows["predicted_lesion_numbers"].map(len).to_numpy() if len(rows) else []
        table = np.column_stack([rows["Label"].map(regions), rows[list(ROWS_2024)], found]) if len(rows) else []
        return {"scores": scores, "rows": np.asarray(table, np.float64).reshape(-1, len(ROWS_2024) + 2)}


def answer_2023(script: ModuleType, name: str) -> dict[str, np.ndarray]:
    """That year's script keeps its lesion rows to itself: they are overheard."""
    inner, heard = script.get_LesionWiseScores, []
    script.get_LesionWiseScores = lambda **given: heard.append(inner(**given)) or heard[-1]
    try:
        results = script.get_LesionWiseResults("pred.nii.gz", "gt.nii.gz", f"BraTS-{name}")
    finally:
        script.get_LesionWiseScores = inner
    nothing = np.full((len(results), 2), np.nan)
    rows = [
        (region, number, volume, dice, hd, np.nan, np.nan, len(matched))
        for region, answer in enumerate(heard)
        for matched, number, volume, dice, hd in answer[4]
    ]
    table = np.asarray(rows, np.float64).reshape(-1, len(ROWS_2024) + 2)
    table[np.isinf(table)] = 374
    return {"scores": np.column_stack([results[list(SCORES)].to_numpy(np.float64), nothing]), "rows": table}


def official(checkout: Path, file: str) -> ModuleType:
    """Both years name a package ``surface_distance``; it is the same one."""
    if str(checkout) not in sys.path:
        sys.path.append(str(checkout))
    spec = importlib.util.spec_from_file_location(f"official_{checkout.name}_{file}", checkout / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def packed(pairs: list[Pair]) -> dict[str, np.ndarray]:
    """All label maps as three bit planes, one after another."""
    voxels = np.concatenate([labels.ravel() for predicted, truth, _ in pairs for labels in (predicted, truth)])
    planes = np.stack([np.packbits(voxels >> bit & 1) for bit in range(3)])
    shapes = np.asarray([truth.shape for _, truth, _ in pairs], np.uint8)
    return {"planes": planes, "shapes": shapes, "spacings": np.asarray([spacing for *_, spacing in pairs])}


def tabled(answers: dict[tuple[int, int], dict[str, np.ndarray] | str]) -> dict[str, np.ndarray]:
    """Scores and lesion rows, each led by the number of the pair and of the run."""
    tables: dict[str, list[np.ndarray]] = {"scores": [], "rows": []}
    for lead_by, answer in answers.items():
        if isinstance(answer, str):
            continue
        for kind, lines in tables.items():
            lead = np.tile(lead_by, (len(answer[kind]), 1))
            lines.append(np.column_stack([lead, answer[kind]]))
    return {kind: np.concatenate(lines) for kind, lines in tables.items()}


if __name__ == "__main__":
    main()
