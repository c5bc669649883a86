"""Every fold of an experiment, one run each, and the scores of all cases by the fold that never saw them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bratsseg.errors import CaseError, Code, ConfigError
from bratsseg.evaluation.agreement import bootstrap_ci
from bratsseg.evaluation.folders import Evaluation, UnscoredCase
from bratsseg.evaluation.scoring import CaseScores, score_case
from bratsseg.results.labelmaps import LabelMapFile, find_label_maps
from bratsseg.results.reading import read_label_map
from bratsseg.study.dialect import get_dialect
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.reading import read_reference
from bratsseg.study.regions import Region
from bratsseg.training.cases import CaseSet, find_case_set
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import BEST, LAST, read_checkpoint
from bratsseg.training.sources import TrainingCase


@dataclass(frozen=True)
class Fold:
    """One fold: what is trained in which folder, and the cases it holds out."""

    experiment: Experiment
    run: Path
    held_out: dict[str, TrainingCase]
    split_sha256: str

    @property
    def model_folder(self) -> Path:
        """Where its released model lies; another checkpoint gets another folder."""
        checkpoint = self.run / BEST if (self.run / BEST).exists() else self.run / LAST
        step = int(read_checkpoint(checkpoint)["global_step"])
        return self.run.parent / "models" / f"{self.run.name}-step{step}"


def plan_folds(experiment: Experiment, runs: Path) -> list[Fold]:
    """The folds of an experiment's split, as many as its patients allow, sharing one cache in ``runs``.

    ``ConfigError`` when the experiment has no folds: synthetic patients, a split from a file, or a single share.
    """
    data = experiment.data
    if data.synthetic is not None:
        raise ConfigError("train-folds: must be given scans (data.folder=…): synthetic patients are not split")
    if data.split.file is not None or data.split.validation_share is not None:
        raise ConfigError("train-folds: data.split must give folds, names a file or a share; leave both out")
    shared = data.model_copy(update={"cache": data.cache or runs / "cache"})
    experiment = experiment.model_copy(update={"data": shared})
    folds: list[Fold] = []
    count = 1
    while len(folds) < count:
        mine = experiment.model_copy(update={"fold": len(folds)})
        run = runs / f"fold{len(folds)}"
        cases = find_case_set(mine, run)
        count = cases.folds
        folds.append(Fold(mine, run, _held_out(cases), cases.split.sha256))
    return folds


def score_out_of_fold(folds: list[Fold], predicted: Path) -> Evaluation:
    """Compare the label maps in ``predicted`` with the references of the cases that each fold held out."""
    maps, without = find_label_maps(predicted, "predictions").by_case()
    scores: dict[str, CaseScores] = {}
    unscored: list[UnscoredCase] = []
    cases = {name: case for fold in folds for name, case in fold.held_out.items()}
    for name, case in sorted(cases.items()):
        if name not in maps:
            code, reason = without.get(name, (Code.NO_PREDICTION, "the reference has no prediction"))
            unscored.append(UnscoredCase(name, "no_prediction", code, reason))
            continue
        try:
            scores[name] = _score(maps[name], case)
        except CaseError as error:
            unscored.append(UnscoredCase(name, "refused", error.code, str(error)))
    dialects = tuple(sorted({item.dialect or "" for item in maps.values()}))
    return Evaluation(scores, tuple(unscored), (), dialects, tuple(sorted({case.dialect for case in cases.values()})))


def patient_intervals(evaluation: Evaluation, folds: list[Fold]) -> dict[str, Mapping[str, Any]]:
    """Mean ``vol_dice`` of each learnt region with its 95 % interval over patients, by region."""
    patients = {name: case.patient for fold in folds for name, case in fold.held_out.items()}
    intervals: dict[str, Mapping[str, Any]] = {}
    for region in folds[0].experiment.data.regions:
        rows = list(_dices(evaluation, region))
        interval = bootstrap_ci([dice for _, dice in rows], [patients[name] for name, _ in rows])
        intervals[str(region)] = interval.model_dump(mode="json")
    return intervals


def _held_out(cases: CaseSet) -> dict[str, TrainingCase]:
    return {name: cases.cases[name] for name in cases.split.validation}


def _score(ours: LabelMapFile, case: TrainingCase) -> CaseScores:
    predicted, _ = read_label_map(ours, ours.dialect or "brats2023")
    if case.case.reference is None:
        raise CaseError(f"case {case.case.id}: has no reference")
    owner = f"case {case.case.id}: reference"
    reference, dialect = read_reference(case.case.reference, owner), get_dialect(case.dialect)
    grid = reference.grid
    if not grid.physical and grid.shape == predicted.grid.shape:
        # A picture lies nowhere: its label map is compared pixel by pixel, whatever grid it was written with.
        predicted = replace(predicted, grid=grid)
    truth = LabelMap(dialect.decode(reference.values(), owner), grid, ours.assessable & dialect.expresses)
    return score_case(predicted, truth)


def _dices(evaluation: Evaluation, region: Region) -> Iterator[tuple[str, float]]:
    for name, scores in evaluation.scores.items():
        if region in scores.regions:
            yield name, scores.regions[region].dice
