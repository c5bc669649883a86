"""A folder of label maps against a folder of references: pair, score, and account for every case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np

from bratsseg.errors import CaseError, Code, UsageError
from bratsseg.evaluation.convention import settle_dialects
from bratsseg.evaluation.lesion_rules import LesionRules
from bratsseg.evaluation.scoring import CaseScores, score_case
from bratsseg.results.labelmaps import LabelMapFile, Reason, find_label_maps, find_references
from bratsseg.results.reading import label_map_of, read_labels
from bratsseg.study.account import Account
from bratsseg.study.dialect import get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.overlap import Mask
from bratsseg.study.volume import Volume
from bratsseg.wording import some

Status = Literal["refused", "no_prediction", "no_reference"]


@dataclass(frozen=True)
class UnscoredCase:
    """A case that has no scores, and why; ``code`` is stable."""

    case: str
    status: Status
    code: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """What came of comparing two folders: every case is in ``scores`` or in ``unscored``, none in both."""

    scores: dict[str, CaseScores]
    unscored: tuple[UnscoredCase, ...]
    warnings: tuple[str, ...]
    predicted_dialects: tuple[str, ...]
    reference_dialects: tuple[str, ...]
    accounts: tuple[tuple[str, Account], ...] = ()
    """What became of every image file of each folder, by the folder's name."""

    @property
    def complete(self) -> bool:
        """True when every reference was compared with a prediction, and no label map was overlooked."""
        compared = all(item.status == "no_reference" and item.code != Code.LABELS_AMBIGUOUS for item in self.unscored)
        return compared and not any(account.overlooked for _, account in self.accounts)


def evaluate_folders(
    predicted: Path,
    reference: Path,
    predicted_dialect: str | None = None,
    reference_dialect: str | None = None,
    *,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
    rules: LesionRules | None = None,
    workers: int = 1,
) -> Evaluation:
    """Compare label maps of any program with references of anyone, case by case.

    Cases are paired by id. A dialect comes from the argument, from our own record, or from file names that prove it;
    otherwise ``DialectError``. With ``rules`` each case is scored lesion by lesion too. ``workers`` are processes,
    each with one case in memory; the result does not depend on how many. ``progress`` may wrap the list of case ids
    (tqdm does).
    """
    made, drawn = find_label_maps(predicted, "PREDICTED"), find_references(reference)
    (ours, no_map), (theirs, no_reference) = made.by_case(), drawn.by_case()
    predicted_dialects = settle_dialects(predicted, ours, predicted_dialect, "--predicted-dialect")
    reference_dialects = settle_dialects(reference, theirs, reference_dialect, "--reference-dialect")
    unscored = [*_unpaired(ours, no_map, theirs, no_reference)]
    pairs = sorted(ours.keys() & theirs.keys())
    if not pairs:
        raise UsageError(
            f"no case of {predicted} has a reference in {reference}; the case ids must agree, were such as "
            f"{some(list(ours), 3) or 'none'} and {some(list(theirs), 3) or 'none'}"
        )
    scores: dict[str, CaseScores] = {}
    warnings: list[str] = []
    work = [
        _Pair(ours[case], theirs[case], predicted_dialects[case], reference_dialects[case], rules) for case in pairs
    ]
    for case, came in zip(progress(pairs), _compared(work, workers), strict=True):
        if isinstance(came, UnscoredCase):
            unscored.append(came)
        else:
            scores[case], notes = came
            warnings += notes
    return Evaluation(
        scores,
        tuple(sorted(unscored, key=lambda item: item.case)),
        tuple(warnings),
        tuple(sorted({predicted_dialects[case] for case in pairs})),
        tuple(sorted({reference_dialects[case] for case in pairs})),
        ((predicted.name, made.account), (reference.name, drawn.account)),
    )


@dataclass(frozen=True)
class _Pair:
    """What one comparison needs; small, so that it can be sent to another process."""

    ours: LabelMapFile
    theirs: LabelMapFile
    predicted_dialect: str
    reference_dialect: str
    rules: LesionRules | None


_Scored = tuple[CaseScores, tuple[str, ...]]


def _compared(work: list[_Pair], workers: int) -> Iterator[_Scored | UnscoredCase]:
    """In the order given. No more than two cases a worker are waiting, so an interrupt ends soon."""
    count = min(workers, len(work))
    if count < 2:
        yield from map(_compare, work)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        rest = iter(work)
        waiting = [pool.submit(_compare, pair) for pair in islice(rest, 2 * count)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(_compare, pair) for pair in islice(rest, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _read(item: LabelMapFile, dialect: str, onto: Grid | None = None) -> tuple[LabelMap, Volume, Mask | None]:
    """The label map, its file, and the resection cavity where the dialect has one."""
    convention = get_dialect(dialect)
    volume, values = read_labels(item, onto)
    label_map = label_map_of(item, dialect, volume, values)
    cavities = [value for value, held in convention.meaning.items() if not held]
    cavity = np.isin(values, cavities) if cavities else None
    return label_map, volume, cavity


def _compare(pair: _Pair) -> _Scored | UnscoredCase:
    case = pair.ours.case
    try:
        return _score(pair)
    except CaseError as error:
        reason = str(error) if str(error).startswith(f"case {case}:") else f"case {case}: {error}"
        return UnscoredCase(case, "refused", error.code, reason)


def _score(pair: _Pair) -> _Scored:
    predicted, _, mine = _read(pair.ours, pair.predicted_dialect)
    reference, volume, known = _read(pair.theirs, pair.reference_dialect, predicted.grid)
    if predicted.grid.shape != reference.grid.shape:
        predicted, _, mine = _read(pair.ours, pair.predicted_dialect, reference.grid)
    grid = predicted.grid
    notes: tuple[str, ...] = ()
    if grid.shape == reference.grid.shape and not grid.same_as(reference.grid) and _lies_nowhere(volume):
        note = f"case {pair.ours.case}: the reference does not say where it lies; the prediction's grid was taken"
        reference, notes = replace(reference, grid=grid), (note,)
    cavities = None if mine is None or known is None else (mine, known)
    return score_case(predicted, reference, pair.rules, cavities), notes


def _lies_nowhere(volume: Volume) -> bool:
    """True for a header that a tool wrote without geometry: no form code, or the identity of NIfTI or of ITK."""
    affine, header = volume.grid.affine, volume.header
    if header is not None and not int(header["sform_code"]) and not int(header["qform_code"]):
        return True
    return any(np.allclose(affine, np.diag(signs), atol=1e-6) for signs in ((1, 1, 1, 1), (-1, -1, 1, 1)))


def _unpaired(
    ours: Mapping[str, LabelMapFile],
    no_map: Mapping[str, Reason],
    theirs: Mapping[str, LabelMapFile],
    no_reference: Mapping[str, Reason],
) -> Iterable[UnscoredCase]:
    """Every case but those that both sides have a label map of, with the reason that whoever reads the table needs."""
    for case in sorted(theirs.keys() - ours.keys()):
        why = no_map.get(case, (Code.NO_PREDICTION, "the reference has no prediction"))
        yield UnscoredCase(case, "no_prediction", *why)
    for case in sorted(no_reference):
        yield UnscoredCase(case, "refused", *no_reference[case])
    for case in sorted((ours.keys() | no_map.keys()) - theirs.keys() - no_reference.keys()):
        why = no_map.get(case, (Code.NO_REFERENCE, "the prediction has no reference"))
        yield UnscoredCase(case, "no_reference", *why)
