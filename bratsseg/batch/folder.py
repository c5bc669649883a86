"""A folder of studies to a folder of results."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bratsseg.batch.moving import follow_cases
from bratsseg.batch.names import Names
from bratsseg.batch.options import BatchOptions
from bratsseg.batch.pipeline import overlap
from bratsseg.batch.sharing import SharedSteps, share
from bratsseg.batch.step import Steps
from bratsseg.batch.threads import Threads, shared_fairly
from bratsseg.batch.work import OnStage, Outcome
from bratsseg.errors import CaseError, UsageError
from bratsseg.exchange import add_bids
from bratsseg.report.cohort_report import write_index
from bratsseg.results.filenames import BIDS_FOLDER, INDEX, TABLE
from bratsseg.results.moves import Moves
from bratsseg.results.progress import RunProgress
from bratsseg.results.staging import Staging
from bratsseg.results.table import rebuild_table
from bratsseg.study.account import Account
from bratsseg.study.case import Case
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.accounting import account_for
from bratsseg.study.stack import archive_of
from bratsseg.wording import some

if TYPE_CHECKING:
    from bratsseg.inference import Segmenter

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Is told how a batch gets on."""

    def begin(self, total: int) -> None:
        """So many cases are at hand."""

    def settled(self, outcome: Outcome) -> None:
        """One more case is done, refused or failed."""


@dataclass(frozen=True)
class BatchSummary:
    """What came of a batch, case by case in the order of their ids."""

    out: Path
    outcomes: tuple[Outcome, ...]
    moves: Moves = field(default_factory=Moves)
    unwritten: tuple[str, ...] = ()
    """What was derived from the results and could not be written, or lacks a case, in words."""

    def count(self, status: str) -> int:
        """How many cases ended so."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def computed(self) -> int:
        """How many cases this run computed; the others were finished before."""
        return sum(outcome.fresh for outcome in self.outcomes)

    @property
    def kept_by_hand(self) -> tuple[Outcome, ...]:
        """The cases whose files were kept because a person changed them."""
        return tuple(outcome for outcome in self.outcomes if outcome.by_hand)

    @property
    def all_done(self) -> bool:
        """True when no case was refused or failed, and the table, index and data set over them are written."""
        return not self.unwritten and all(outcome.status == "done" for outcome in self.outcomes)

    def reasons(self) -> list[tuple[str, str, int]]:
        """(status, code, number of cases) of everything that was not done, the most frequent first."""
        counted = Counter((o.status, o.code) for o in self.outcomes if o.status != "done")
        return [(status, code, number) for (status, code), number in counted.most_common()]


def segment_folder(
    folder: Path, out: Path, options: BatchOptions, segmenter: Segmenter, watcher: Watcher | None = None
) -> BatchSummary:
    """Segment every study found in ``folder`` and write the results into ``out``.

    One case that cannot be used never stops the others. Raises ``UsageError`` when the call itself is wrong.
    """
    chosen = choose_cases(folder, out, options)
    return segment_cases(chosen.cases, folder, out, options, segmenter, watcher=watcher)


@dataclass(frozen=True)
class Choice:
    """The cases that a batch takes, in the order of their ids, and what became of every image file of the folder."""

    cases: list[Case]
    account: Account


def choose_cases(folder: Path, out: Path, options: BatchOptions) -> Choice:
    """The cases of ``folder`` that ``options`` ask for; ``UsageError`` when none is left."""
    if not folder.is_dir() and archive_of(folder) is None:
        what = "was a file; name single scans with --flair, --t1ce, …" if folder.exists() else "there is none"
        raise UsageError(f"IN {folder}: must be a folder of studies, {what}")
    refuse_overlap(folder, out)
    found = sorted(find_cases(folder, options.layout), key=lambda case: case.id)
    if not found:
        raise UsageError(
            f"IN {folder}: no study was found. Looked for a folder per case, BraTS of every year, nnU-Net (_0000), "
            "MSD and .mha files, with a modality in each file name (flair, t1, t1ce, t2 and their variants); "
            "describe any other layout with --layout FILE"
        )
    chosen = [case for case in found if options.only is None or fnmatchcase(case.id, options.only)]
    if not chosen:
        some = "" if options.salt else f", such as {', '.join(case.id for case in found[:3])}"
        raise UsageError(f"--only {options.only!r}: must match some of the {len(found)} case ids{some}")
    layout = None if options.layout is None else Path(options.layout)
    return Choice(list(islice(chosen, options.limit)), account_for(folder, found, layout=layout))


def refuse_overlap(folder: Path, out: Path) -> None:
    """``UsageError`` when OUT is a file, or when one of the two folders lies inside the other."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"OUT {out}: must be a folder, was a file")
    inside, results = folder.resolve(), out.resolve()
    if results.is_relative_to(inside) or inside.is_relative_to(results):
        raise UsageError(f"OUT {out}: must lie apart from IN {folder}, so that results never become inputs")


def segment_cases(
    cases: Sequence[Case],
    root: Path,
    out: Path,
    options: BatchOptions,
    segmenter: Segmenter,
    *,
    watcher: Watcher | None = None,
    on_stage: OnStage | None = None,
    since_ns: int | None = None,
) -> BatchSummary:
    """Segment ``cases``, whose files lie below ``root``; ``cases.csv`` is rebuilt whatever happens.

    Other runs may do so at the same time, here or on other machines: each case is computed by one of them. ``since_ns``
    is when all of them began, where one began them (see ``sharing``).
    """
    outcomes: list[Outcome] = []
    with Staging(out) as staging:
        names = Names(root, options.salt, cases, ignores_case=staging.ignores_case())
        with staging.alone("moves"):
            moves = follow_cases(cases, names, staging, options)
        steps = Steps(segmenter, options, out, names, staging, on_stage=on_stage)
        shared = SharedSteps(steps, staging, names, since_ns)
        progress = RunProgress(staging, len(cases), shared.since_ns, segmenter.runtime.device)
        if watcher is not None:
            watcher.begin(len(cases))
        try:
            threads = Threads.of(segmenter.runtime.device, options.workers)
            with shared_fairly(segmenter.runtime.device):
                for outcome in share(
                    cases, shared, lambda some, taken: overlap(some, taken.read, taken.compute, taken.write, threads)
                ):
                    progress.settled()
                    if watcher is not None:
                        watcher.settled(outcome)
                    outcomes.append(outcome.small())
        finally:
            unwritten = _written(staging, lambda: rebuild_table(staging), out / TABLE)
        if options.report or (moves.moved and (out / INDEX).exists()):
            unwritten += _written(staging, lambda: write_index(out), out / INDEX)
        if "bids" in options.formats or (moves.moved and (out / BIDS_FOLDER).is_dir()):
            unwritten += _written(staging, lambda: _add_bids(out), out / BIDS_FOLDER)
    place = {names.case_id(case): number for number, case in enumerate(cases)}
    outcomes.sort(key=lambda outcome: place.get(outcome.case, len(place)))
    return BatchSummary(out, tuple(outcomes), moves, tuple(unwritten))


def _add_bids(out: Path) -> list[str]:
    """The BIDS data set is derived from the records, as ``cases.csv`` is; the done cases that it lacks, in words."""
    conversion = add_bids(out)
    for refused in conversion.refused:
        log.warning("%s is not in the BIDS data set: %s", refused.file, refused.reason)
    for name in conversion.kept:
        log.warning("%s was changed by hand and kept", name)
    lacking = [item.file for item in conversion.refused if not item.file.endswith(".json")]
    return [f"{out / BIDS_FOLDER} lacks {some(lacking)}"] if lacking else []


def _written(staging: Staging, work: Callable[[], object], path: Path) -> list[str]:
    """Write what is derived from the records, and can be made again; what went wrong or is lacking, in words.

    One run does so at a time, and reads the records then: whichever comes last writes of all.
    """
    try:
        with staging.alone("tables"):
            lacking = work()
    except (OSError, CaseError) as error:
        return [f"{path} could not be written: {error}"]
    return lacking if isinstance(lacking, list) else []
