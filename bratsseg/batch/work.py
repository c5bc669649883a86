"""A case on its way through a batch, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bratsseg.batch.resume import EarlierResult
from bratsseg.results.record import CaseRecord, InputFile, Status
from bratsseg.study.case import Case
from bratsseg.study.volume import Study

OnStage = Callable[[str, str], None]
"""Is told (case, stage) when a stage begins, in the thread that runs it. What it raises ends the case."""


@dataclass
class Work:
    """A case on its way. ``record`` is set once its fate is known; ``fresh`` tells that this run decided it."""

    case: Case
    name: str
    at: str = "find"
    fresh: bool = True
    record: CaseRecord | None = None
    measures: dict[str, Any] | None = None
    earlier: EarlierResult | None = None
    by_hand: str = ""
    moved_aside: tuple[str, ...] = ()
    study: Study | None = None
    inputs: dict[str, InputFile] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    modality: str | None = None
    prepared: Any = None
    raw: Any = None
    raw_without: Any = None
    on_stage: OnStage | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage, which may come in several parts, and remember which it was when it breaks."""
        self.at, start = name, time.perf_counter()
        if self.on_stage is not None:
            self.on_stage(self.name, name)
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 4)


@dataclass(frozen=True)
class Outcome:
    """What came of one case. Without ``record`` and ``measures`` it is small enough to keep for every case of a batch.

    ``by_hand`` says what a person changed, so that it was kept; ``moved_aside`` where lies what had to make room;
    ``measures`` are those of a fresh report.
    """

    case: str
    status: Status
    code: str
    reason: str
    fresh: bool
    by_hand: str = ""
    moved_aside: tuple[str, ...] = ()
    record: CaseRecord | None = None
    measures: dict[str, Any] | None = None

    def small(self) -> Outcome:
        """The same without what is large."""
        return replace(self, record=None, measures=None)


def outcome_of(work: Work) -> Outcome:
    """What came of a case that went through all stages."""
    record = work.record
    assert record is not None  # every way through the stages settles the case
    return Outcome(
        record.case,
        record.status,
        record.code,
        record.reason,
        work.fresh or record.status == "failed",
        work.by_hand,
        work.moved_aside,
        record,
        work.measures,
    )
