"""Do the quality figures rank cases as their true Dice does, and does *review first* find the poor ones?

usage: .venv/bin/python scripts/quality.py MODEL [--patients 100] [--seed 6161] [--workers 2] [--fit] [--drop]
       [--keep FOLDER] [--config FILE] [--synthesis synthesis.tumour.none=0 ...]   (see scripts/patients.py)
       .venv/bin/python scripts/quality.py --folder RESULTS [...] --truth REFERENCES[=DIALECT] [...]

Over synthetic patients at the model's own spacing, with all four modalities and with FLAIR + T1ce; or over results of
``bratsseg segment`` that have a reference. Spearman's rank correlation, with a bootstrap interval over cases. Each
figure stands beside the row to beat, the volume that was found: large tumours are outlined better. A figure that rises
as Dice falls (entropy) is counted with its sign turned. ``mean`` ranks cases by means over their regions. Where none
was found there is no predicted Dice; the chance of a miss is then held against what was there.

``--fit`` also fits what the model keeps as ``quality`` in its ``model.json``: how Dice is predicted (``DicePredictor``)
and the rule of review first, and prints it. Every figure that it tells of the fit is of patients that the fit did not
see (five folds), but the rule's two limits are chosen on all of them. A region keeps its fit where the mean absolute
error of the predicted Dice falls. The rule takes the smallest share of cases that holds at least four of five whose
whole tumour has a true Dice below .7, whether found or missed.

Model default 4 (84c62874), 61 synthetic patients at 1.5 mm, with all four modalities and with FLAIR + T1ce, WT/TC/ET
where found: the Soft Dice Confidence .65/.92/.88, its mean error .052/.116/.169; fitted .78/.90/.87 with
.042/.080/.117, and means of .84/.70/.60 for true ones of .84/.70/.59, where the Soft Dice Confidence has .86/.81/.75;
volume .07/.35/-.03. Review first below a fitted .76, or above a chance of a miss of .2, takes 16 of the 122 cases and 7
of the 8 whose WT is below .7; below .8 of the Soft Dice Confidence it takes 14 and 5 of the 8. That model keeps no fit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from patients import SUBSETS, Output, add_set_options, measured, patient_set
from quality_fit import choose_review, figures_of, fit, held_out, reviewed
from scipy.stats import rankdata

from bratsseg.evaluation.folders import evaluate_folders
from bratsseg.inference.decoding import decode
from bratsseg.inference.model import ModelFolder, ReleasedModel
from bratsseg.inference.quality import Doubt, QualityRules, assess, doubt_of, modality_drop
from bratsseg.results.records import find_records
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.overlap import dice
from bratsseg.study.quality import RegionQuality, ReviewRule
from bratsseg.study.regions import Region

ROUNDS = 2000
FEWEST = 20
"""Cases that a fit needs."""
MEAN = "mean"


@dataclass(frozen=True)
class Row:
    """One region of one case."""

    quality: RegionQuality
    volume_ml: float
    dice: float
    doubt: Doubt | None = None
    there: bool = True


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
    add_set_options(parser, patients=100, seed=6161)
    parser.add_argument("--drop", action="store_true", help="all four modalities, and each left out: a pass each")
    parser.add_argument("--fit", action="store_true", help="also fit the predictors and the rule of review first")
    parser.add_argument("--folder", type=Path, nargs="+", help="results of bratsseg segment")
    parser.add_argument("--truth", nargs="+", default=[], help="their references, in the same order")
    options = parser.parse_args()
    if options.folder is not None:
        if len(options.truth) != len(options.folder):
            parser.error("--folder needs as many of --truth")
        found = zip(options.folder, options.truth, strict=True)
        show([case for folder, truth in found for case in real(folder, *truth.split("="))])
        return
    cases = synthetic(options, parser)
    model = ModelFolder.find(options.model).description
    show([case for _, case in cases])
    tell_review(cases, model.quality.review)
    if options.fit:
        fitted(cases)


def synthetic(options: argparse.Namespace, parser: argparse.ArgumentParser) -> list[tuple[int, Case]]:
    """Patients of the generator by index, each with every set of modalities."""
    model = ModelFolder.find(options.model).description
    every = tuple(Modality)
    lacking = {f"without_{left}": tuple(m for m in every if m is not left) for left in every}
    with patient_set(options, parser, {"four": every} | lacking if options.drop else SUBSETS) as wanted:
        found = list(measured(wanted, options.workers, partial(assessed, model, options.drop)))
    if not options.drop:
        return [(index, case) for index, _, case, _ in found]
    whole = [(index, case, answer) for index, subset, case, answer in found if subset == "four"]
    others = [(index, subset, answer) for index, subset, _, answer in found if subset != "four"]
    return [(index, with_drop(case, answer, others, index)) for index, case, answer in whole]


def assessed(model: ReleasedModel, keep: bool, output: Output) -> tuple[int, str, Case, LabelMap | None]:
    """One output decoded and judged; the label map where it is to be kept."""
    probabilities = output.probabilities(model)
    masks = decode(probabilities, output.known, output.voxel_ml, model.decoding)
    by_region, marked, truth = (
        dict(zip(regions, each, strict=True))
        for regions, each in ((output.known, probabilities), (Region, masks), (Region, output.truth))
    )
    quality = assess(by_region, marked, output.inside, output.voxel_ml, rules=model.quality)
    case = {
        region: Row(
            quality[region],
            int(marked[region].sum()) * output.voxel_ml,
            dice(marked[region], truth[region]),
            doubt_of(by_region[region], marked[region], output.inside),
            bool(truth[region].any()),
        )
        for region in output.known
    }
    grid = Grid.of(output.inside.shape, np.diag([*[(1000 * output.voxel_ml) ** (1 / 3)] * 3, 1.0]))
    return output.index, output.subset, case, LabelMap(masks, grid, frozenset(output.known)) if keep else None


def with_drop(case: Case, answer: LabelMap, others: list[tuple[int, str, LabelMap]], patient: int) -> Case:
    """A case with the agreement of its answer with those of the same patient that lack a modality."""
    theirs = {Modality(subset.removeprefix("without_")): other for n, subset, other in others if n == patient}
    drops = modality_drop(answer, theirs)
    return {
        region: replace(row, quality=row.quality.model_copy(update={"modality_drop_dice": drops.get(region)}))
        for region, row in case.items()
    }


def tell_review(cases: list[tuple[int, Case]], rule: ReviewRule) -> None:
    """What the model's rule of review first takes, and how often what was not found is there."""
    whole = [case[Region.WT] for _, case in cases if Region.WT in case]
    print(f"\nreview first, {reviewed(rule, [row.quality for row in whole], np.array([row.dice for row in whole]))}")
    for region in Region:
        empty = [case[region] for _, case in cases if region in case and case[region].doubt is None]
        if empty:
            chance = np.mean([row.quality.missed_chance for row in empty])
            missed = sum(row.there for row in empty)
            print(f"{region}: none found in {len(empty)}, chance of a miss {chance:.2f} in the mean, missed {missed}")


def fitted(cases: list[tuple[int, Case]]) -> None:
    """Fit the predictors and the rule, tell how they do on patients that a fit did not see, and print them."""
    predictors, unseen = {}, {}
    print("\nfitted, on patients that a fit did not see (Spearman's rho, mean predicted and true Dice)")
    for region in Region:
        found = [(n, case[region]) for n, (_, case) in enumerate(cases) if region in case and case[region].doubt]
        if len(found) < FEWEST:
            print(f"{region}: found in {len(found)} cases, too few to fit")
            continue
        doubts, true = [row.doubt for _, row in found], np.array([row.dice for _, row in found])
        patients = np.array([cases[n][0] for n, _ in found])
        predicted = held_out(doubts, true, patients)
        unseen[region] = dict(zip([n for n, _ in found], predicted, strict=True))
        soft = np.array([doubt.soft_dice for doubt in doubts])
        errors = [float(np.abs(each - true).mean()) for each in (predicted, soft)]
        if errors[0] < errors[1]:
            predictors[region] = fit(doubts, true)
        else:
            unseen[region] = dict(zip([n for n, _ in found], soft, strict=True))
        print(f"{region}: fitted {correlation(np.stack([predicted, true], 1))}, ", end="")
        print(f"soft Dice {correlation(np.stack([soft, true], 1))}; ", end="")
        print(f"means {predicted.mean():.3f}, {soft.mean():.3f}, true {true.mean():.3f}; ", end="")
        print(f"mean error {errors[0]:.3f}, {errors[1]:.3f}: {'fitted' if region in predictors else 'soft Dice'} kept")
    whole = [(n, case[Region.WT]) for n, (_, case) in enumerate(cases) if Region.WT in case]
    figures = [figures_of(unseen.get(Region.WT, {}).get(n, _soft(row)), row.quality.missed_chance) for n, row in whole]
    review = choose_review(figures, np.array([row.dice for _, row in whole]))
    print(f"review first, {review}")
    print(json.dumps({"quality": QualityRules(predictors=predictors, review=review.rule).model_dump(mode="json")}))


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


def _soft(row: Row) -> float | None:
    return None if row.doubt is None else row.doubt.soft_dice


def _turned(value: float | None) -> float | None:
    return None if value is None else -value


def _part(row: Row, name: str) -> float | None:
    drop = row.quality.modality_drop_dice
    return None if drop is None else float(getattr(drop, name))


if __name__ == "__main__":
    main()
