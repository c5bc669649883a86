"""A folder of label maps against a folder of references: pair, score, and account for every case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np

from bratsseg.errors import CaseError, Code, UsageError
from bratsseg.evaluation.convention import read_labels, settle_dialects
from bratsseg.evaluation.labelled import Labelled, find_predictions, find_references
from bratsseg.evaluation.lesion_rules import LesionRules
from bratsseg.evaluation.overlap import Mask
from bratsseg.evaluation.scoring import CaseScores, score_case
from bratsseg.study.dialect import get_dialect
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.volume import Volume

Status = Literal["refused", "no_prediction", "no_reference"]


@dataclass(frozen=True)
class Unscored:
    """A case that has no scores, and why; ``code`` is stable."""

    case: str
    status: Status
    code: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """What came of comparing two folders: every case is in ``scores`` or in ``unscored``, none in both."""

    scores: dict[str, CaseScores]
    unscored: tuple[Unscored, ...]
    warnings: tuple[str, ...]
    predicted_dialects: tuple[str, ...]
    reference_dialects: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """True when every reference was compared with a prediction."""
        return all(item.status == "no_reference" for item in self.unscored)


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
    else ``DialectError``. With ``rules`` each case is scored lesion by lesion too. ``workers`` are processes, each with
    one case in memory; what comes out does not depend on how many. ``progress`` may wrap the list of case ids (tqdm
    does).
    """
    ours, theirs = find_predictions(predicted), find_references(reference)
    speaks = settle_dialects(ours, predicted_dialect, "--predicted-dialect")
    means = settle_dialects(theirs, reference_dialect, "--reference-dialect")
    unscored = [*_unpaired(ours.maps.keys() | ours.without.keys(), theirs.maps.keys() | theirs.without.keys())]
    unscored += [Unscored(case, "refused", *why) for case, why in theirs.without.items() if case in ours.maps]
    unscored += [Unscored(case, "no_prediction", *why) for case, why in ours.without.items() if case in theirs.maps]
    pairs = sorted(ours.maps.keys() & theirs.maps.keys())
    if not pairs:
        raise UsageError(
            f"no case of {predicted} has a reference in {reference}; the case ids must agree, were such as "
            f"{_some(ours.maps)} and {_some(theirs.maps)}"
        )
    scores: dict[str, CaseScores] = {}
    warnings: list[str] = []
    work = [_Pair(ours.maps[case], theirs.maps[case], speaks[case], means[case], rules) for case in pairs]
    for case, came in zip(progress(pairs), _compared(work, workers), strict=True):
        if isinstance(came, Unscored):
            unscored.append(came)
        else:
            scores[case], notes = came
            warnings += notes
    dialects = (tuple(sorted({known[case] for case in pairs})) for known in (speaks, means))
    return Evaluation(scores, tuple(sorted(unscored, key=lambda item: item.case)), tuple(warnings), *dialects)


@dataclass(frozen=True)
class _Pair:
    """What one comparison needs; small, so that it can be sent to another process."""

    ours: Labelled
    theirs: Labelled
    speaks: str
    means: str
    rules: LesionRules | None


_Scored = tuple[CaseScores, tuple[str, ...]]


def _compared(work: list[_Pair], workers: int) -> Iterator[_Scored | Unscored]:
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


def read_label_map(item: Labelled, dialect: str) -> tuple[LabelMap, Volume]:
    """A label map file as regions on its grid; ``LabelError`` on values outside ``dialect``."""
    label_map, volume, _ = _read(item, dialect)
    return label_map, volume


def _read(item: Labelled, dialect: str) -> tuple[LabelMap, Volume, Mask | None]:
    """The label map, its file, and the resection cavity where the dialect has one."""
    convention = get_dialect(dialect)
    volume, values = read_labels(item)
    regions = convention.decode(values, f"case {item.case}: {item.path.name}")
    cavities = [value for value, held in convention.meaning.items() if not held]
    cavity = np.isin(values, cavities) if cavities else None
    return LabelMap(regions, volume.grid, item.assessable & convention.expresses), volume, cavity


def _compare(pair: _Pair) -> _Scored | Unscored:
    case = pair.ours.case
    try:
        return _score(pair)
    except CaseError as error:
        reason = str(error) if str(error).startswith(f"case {case}:") else f"case {case}: {error}"
        return Unscored(case, "refused", error.code, reason)


def _score(pair: _Pair) -> _Scored:
    predicted, _, mine = _read(pair.ours, pair.speaks)
    reference, volume, known = _read(pair.theirs, pair.means)
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


def _unpaired(ours: set[str], theirs: set[str]) -> Iterable[Unscored]:
    for case in theirs - ours:
        yield Unscored(case, "no_prediction", Code.NO_PREDICTION, "the reference has no prediction")
    for case in ours - theirs:
        yield Unscored(case, "no_reference", Code.NO_REFERENCE, "the prediction has no reference")


def _some(maps: dict[str, Labelled]) -> str:
    return ", ".join(list(maps)[:3]) or "none"
