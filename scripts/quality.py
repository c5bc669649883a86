"""Do the quality figures rank cases as their true Dice does? Spearman's rank correlation, with a bootstrap interval.

usage: .venv/bin/python scripts/quality.py MODEL [--patients 100] [--seed 6161] [--modalities flair,t1ce] [--drop]
       .venv/bin/python scripts/quality.py --folder RESULTS [...] --truth REFERENCES[=DIALECT] [...]

Over synthetic patients, or over results of ``bratsseg segment`` that have a reference. Each figure stands beside the
row to beat, the volume that was found: large tumours are outlined better. A figure that rises as Dice falls (entropy)
is counted with its sign turned. ``mean`` ranks cases by means over their regions.

Model default 4 (84c62874), 40 synthetic patients with all four modalities at 1.5 mm, WT/TC/ET: predicted Dice
.58/.95/.65, entropy .66/.62/.44 where there is a surface, volume -.06/.19/-.13; predicted .87/.88/.79 in the mean for
.86/.80/.72. On nine public cases .35/.18/.38, entropy .33/.62/.61, volume .15/-.68/.00, with wide intervals.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from calibrate import study_of
from numpy.typing import NDArray
from scipy.stats import rankdata

from bratsseg.evaluation.folders import evaluate_folders
from bratsseg.inference import Segmenter
from bratsseg.results.records import find_records
from bratsseg.study.modality import Modality, modality_of
from bratsseg.study.overlap import dice
from bratsseg.study.quality import RegionQuality
from bratsseg.study.regions import Region
from bratsseg.synthesis.generator import synthesize_patient

ROUNDS = 2000
MEAN = "mean"


@dataclass(frozen=True)
class Row:
    """One region of one case."""

    quality: RegionQuality
    volume_ml: float
    dice: float


Case = dict[Region, Row]
FIGURES: Mapping[str, Callable[[Row], float | None]] = {
    "predicted Dice": lambda row: row.quality.predicted_dice,
    "boundary entropy, turned": lambda row: _turned(row.quality.boundary_entropy),
    "modality drop, mean": lambda row: _part(row, "mean"),
    "modality drop, worst": lambda row: _part(row, "worst"),
    "volume found": lambda row: row.volume_ml,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--seed", type=int, default=6161)
    parser.add_argument("--spacing", type=float, default=1.0, help="mm")
    parser.add_argument("--modalities", default="flair,t1,t1ce,t2")
    parser.add_argument("--drop", action="store_true", help="also leave each modality out: a pass each")
    parser.add_argument("--folder", type=Path, nargs="+", help="results of bratsseg segment")
    parser.add_argument("--truth", nargs="+", default=[], help="their references, in the same order")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.folder is not None:
        if len(options.truth) != len(options.folder):
            parser.error("--folder needs as many of --truth")
        found = zip(options.folder, options.truth, strict=True)
        cases = [case for folder, truth in found for case in real(folder, *truth.split("="))]
    else:
        subset = tuple(filter(None, map(modality_of, options.modalities.split(","))))
        cases = list(synthetic(options, Segmenter.load(options.model, "auto"), subset))
    show(cases)


def synthetic(options: argparse.Namespace, segmenter: Segmenter, subset: tuple[Modality, ...]) -> Iterator[Case]:
    """Patients of the generator, segmented here."""
    for index in range(options.patients):
        patient = synthesize_patient(options.seed, index, options.spacing)
        prepared = segmenter.prepare(study_of(patient, subset))
        without = segmenter.run_without(prepared) if options.drop else None
        found = segmenter.finish(prepared, segmenter.run(prepared), without)
        truth = dict(zip(Region, patient.regions.numpy(), strict=True))
        yield {
            region: Row(
                found.quality[region],
                found.label_map.volume_ml(region) or 0.0,
                dice(found.label_map.region(region), truth[region]),
            )
            for region in Region
            if region in found.label_map.assessable
        }


def real(folder: Path, truth: str, dialect: str | None = None) -> Iterator[Case]:
    """Results that have a reference; their figures are those of the records."""
    scores = evaluate_folders(folder, Path(truth), reference_dialect=dialect).scores
    for _, record in find_records(folder):
        if record.case in scores and record.quality:
            scored = scores[record.case].regions
            yield {
                region: Row(record.quality[region], scored[region].predicted_ml, scored[region].dice)
                for region in Region
                if region in scored
            }


def show(cases: list[Case]) -> None:
    """The tables, Markdown."""
    print(f"{len(cases)} cases; Spearman's rho with true Dice [95 % interval], number of cases\n")
    print(f"| figure | {' | '.join([*Region, MEAN])} |\n|{'---|' * (len(Region) + 2)}")
    for name, figure in FIGURES.items():
        cells = [correlation(pairs(cases, figure, (region,))) for region in Region]
        print(f"| {name} | {' | '.join([*cells, correlation(pairs(cases, figure, tuple(Region)))])} |")
    print(f"\n| mean of | {' | '.join([*Region, MEAN])} |\n|{'---|' * (len(Region) + 2)}")
    for name, value in {"true Dice": lambda row: row.dice, **FIGURES}.items():
        means = [pairs(cases, value, regions) for regions in (*((region,) for region in Region), tuple(Region))]
        print(f"| {name} | {' | '.join(f'{each[:, 0].mean():.3f}' if len(each) else '–' for each in means)} |")


def pairs(cases: list[Case], figure: Callable[[Row], float | None], regions: tuple[Region, ...]) -> NDArray[np.float64]:
    """(N, 2): the figure and true Dice of every case, each a mean over those of ``regions`` that have the figure."""
    found = []
    for case in cases:
        known = [
            (value, case[region].dice) for region in regions if (value := _value(case, region, figure)) is not None
        ]
        if known:
            found.append(np.mean(known, axis=0))
    return np.array(found).reshape(-1, 2)


def _value(case: Case, region: Region, figure: Callable[[Row], float | None]) -> float | None:
    return figure(case[region]) if region in case else None


def correlation(values: NDArray[np.float64]) -> str:
    """ ".81 [.70, .88] 100"; a dash where there are fewer than four cases or nothing varies."""
    if len(values) < 4 or np.ptp(values, axis=0).min() == 0:
        return f"– {len(values)}"
    drawn = np.random.default_rng(0).integers(0, len(values), (ROUNDS, len(values)))
    low, high = np.nanpercentile([spearman(values[rows]) for rows in drawn], (2.5, 97.5))
    return f"{spearman(values):.2f} [{low:.2f}, {high:.2f}] {len(values)}"


def spearman(values: NDArray[np.float64]) -> float:
    """Rank correlation of two columns, equal values sharing a rank; NaN where one does not vary."""
    first, second = rankdata(values[:, 0]), rankdata(values[:, 1])
    first, second = first - first.mean(), second - second.mean()
    length = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / length if length > 0 else float("nan")


def _turned(value: float | None) -> float | None:
    return None if value is None else -value


def _part(row: Row, name: str) -> float | None:
    drop = row.quality.modality_drop_dice
    return None if drop is None else float(getattr(drop, name))


if __name__ == "__main__":
    main()
