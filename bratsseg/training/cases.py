"""The cases of an experiment: found, split by patient, kept prepared; asserted the same when a run goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bratsseg.errors import ConfigError
from bratsseg.training.cache import CaseCache
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import LAST, SPLIT
from bratsseg.training.prepared import PreparedCase
from bratsseg.training.sources import TrainingCase, find_training_cases
from bratsseg.training.split import Split, read_split, settle_split, write_split


@dataclass(frozen=True)
class CaseSet:
    """The cases of one fold; ``folds`` is how many the data give."""

    cases: dict[str, TrainingCase]
    split: Split
    folds: int
    notes: tuple[str, ...]
    cache: CaseCache

    def fill_cache(self, workers: int) -> None:
        """Prepare all cases of this fold; a ``CaseError`` names all that cannot be trained on."""
        wanted = [self.cases[name] for name in (*self.split.train, *self.split.validation)]
        with tqdm(total=len(wanted), desc="preparing", unit="case", leave=False, disable=None, file=sys.stderr) as bar:
            self.cache.fill(wanted, workers, _moving(bar))

    def open_training(self) -> list[PreparedCase]:
        """Cases that are learnt from, memory-mapped."""
        return [self.cache.open(self.cases[name]) for name in self.split.train]

    def open_validation(self) -> list[PreparedCase]:
        """Cases that are held out, memory-mapped."""
        return [self.cache.open(self.cases[name]) for name in self.split.validation]


def find_case_set(experiment: Experiment, run: Path) -> CaseSet:
    """Find the cases of an experiment's fold; ``ConfigError`` when a run that goes on would get others than before."""
    data = experiment.data
    found, notes = find_training_cases(data)
    cases = {each.case.id: each for each in found}
    patients = {name: each.patient for name, each in cases.items()}
    split, folds, said = settle_split(patients, data.split, experiment.fold, experiment.seed)
    if (run / LAST).exists() and (run / SPLIT).exists():
        _require_same(read_split(run / SPLIT), split, run)
    cache = CaseCache(data.cache or run / "cache", experiment.preparation, data.modalities, data.regions)
    return CaseSet(cases, split, folds, notes + said, cache)


def record_split(case_set: CaseSet, run: Path) -> None:
    """Write RUN/split.json."""
    run.mkdir(parents=True, exist_ok=True)
    write_split(case_set.split, run / SPLIT)


def split_hash(run: Path) -> str | None:
    """The hash of a run's split; None for synthetic patients, which are not split."""
    path = run / SPLIT
    if not path.exists():
        return None
    stated: str = json.loads(path.read_text(encoding="utf-8"))["sha256"]
    return stated


def _require_same(before: Split, now: Split, run: Path) -> None:
    if before.sha256 == now.sha256:
        return
    old = {*before.train, *before.validation, *before.test}
    new = {*now.train, *now.validation, *now.test}
    changed = [f"{name} is gone" for name in sorted(old - new)] + [f"{name} is new" for name in sorted(new - old)]
    what = ", ".join(changed[:5]) + (" and more" if len(changed) > 5 else "") or "the same cases are split differently"
    raise ConfigError(
        f"run {run}: must go on with the split it was started with: {what}. Restore the data, give "
        f"data.split.file={run / SPLIT} to a new run, or give another folder"
    )


def _moving(bar: Any) -> Callable[[int, int], None]:
    def report(done: int, _: int) -> None:
        bar.update(done - bar.n)

    return report
