"""Several runs on one OUT, on one machine or many: each case is taken by one of them, and all see every case settled.

A run takes the cases in turn. One that another run works on is put off and looked at again, until it is finished there
or that run is gone; then it is computed here. So whichever run ends last has seen a result of every case.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from bratsseg.batch.inputs import same_inputs
from bratsseg.batch.names import Names
from bratsseg.batch.resume import Fingerprint
from bratsseg.batch.step import Steps
from bratsseg.batch.work import Outcome, Work
from bratsseg.results.record import CaseRecord, read_record, record_path
from bratsseg.results.staging import Staging, claim_of
from bratsseg.study.case import Case

POLL_SECONDS = 0.5
Stages = Callable[[Sequence[Case], "SharedSteps"], Iterable[Outcome | None]]
"""Takes cases through the three stages, and gives what ``write`` gave, in their order."""


class SharedSteps:
    """The stages of a batch for the cases that nobody else works on; of the others comes None.

    ``since_ns`` is when the work that all share began, by the clock of OUT: what another run settled later is not done
    again, though this one overwrites, or tries again what failed.
    """

    def __init__(self, steps: Steps, staging: Staging, names: Names, since_ns: int | None = None) -> None:
        self._steps, self._names = steps, names
        self._out, self._claims = staging.out, staging.claims
        self.since_ns = self._claims.files.now_ns() if since_ns is None else since_ns

    def read(self, case: Case) -> Work | None:
        """Claim a case and take it to the network's input; None when another run has it."""
        name = self._names.case_id(case)
        with suppress(OSError):  # a disk that is full: the case fails where its result is written
            if not self._claims.take(claim_of(name)):
                return None
        settled = self._settled_meanwhile(case, name)
        return self._steps.read(case) if settled is None else Work(case, name, fresh=False, record=settled)

    def compute(self, work: Work | None) -> Work | None:
        """The network."""
        return None if work is None else self._steps.compute(work)

    def write(self, work: Work | None) -> Outcome | None:
        """Publish the case and give it back; None when it was taken over before that."""
        if work is None:
            return None
        claim = claim_of(work.name)
        outcome = self._steps.write(work)
        if not self._claims.holds(claim):
            return outcome
        kept = outcome.status != "failed" or self._claims.confirm(claim)
        self._claims.release(claim)
        return outcome if kept else None

    def _settled_meanwhile(self, case: Case, name: str) -> CaseRecord | None:
        """What another run made of a case since all began, where it was asked for the same."""
        path = record_path(self._out, name)
        try:
            if path.stat().st_mtime_ns <= self.since_ns:
                return None
        except OSError:
            return None
        record, asked = read_record(path), self._steps.fingerprint
        if record is None or Fingerprint(record.model.sha256, record.options) != asked or record.edited:
            return None
        return record if same_inputs(record.inputs, case, self._names) else None


def share(cases: Sequence[Case], steps: SharedSteps, stages: Stages) -> Iterator[Outcome]:
    """What came of every case, as it comes; waits for the runs that have what is left."""
    pending: Sequence[Case] = cases
    while pending:
        put_off = []
        for case, outcome in zip(pending, stages(pending, steps), strict=True):
            if outcome is None:
                put_off.append(case)
            else:
                yield outcome
        if len(put_off) == len(pending):
            time.sleep(POLL_SECONDS)
        pending = put_off
