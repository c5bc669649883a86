"""Case: the files of one patient on one day, before anything is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from bratsseg.errors import CaseError, Code
from bratsseg.study.modality import Modality
from bratsseg.study.patient import identify
from bratsseg.study.visit import VisitName


@dataclass(frozen=True)
class VolumeSource:
    """Where a volume lies: a file, and the channel when the file is 4-D."""

    path: Path
    channel: int | None = None


@dataclass(frozen=True)
class Problem:
    """Something found wrong with a case, as the ``kind`` of error it is; a ``fatal`` one refuses the case."""

    kind: type[CaseError]
    message: str
    fatal: bool = True

    @property
    def code(self) -> Code:
        """The stable name of the kind."""
        return self.kind.code

    def error_in(self, case_id: str) -> CaseError:
        """The error to raise for it."""
        return self.kind(f"case {case_id}: {self.message}")


def raise_fatal(case_id: str, problems: Iterable[Problem]) -> None:
    """Raise the first fatal problem as the error it is, with what the other fatal ones say."""
    fatal = list(dict.fromkeys(problem for problem in problems if problem.fatal))
    if fatal:
        raise replace(fatal[0], message="; ".join(problem.message for problem in fatal)).error_in(case_id)


@dataclass(frozen=True)
class Case:
    """What a folder holds about one patient on one day.

    ``id`` is the user's own folder name or file stem, and names its patient (``study.patient``). ``reference`` is a
    label map made by somebody, with the ``dialect`` that its name proves, or None. ``problems`` are what the names
    already show to be wrong.
    """

    id: str
    sources: dict[Modality, VolumeSource]
    reference: Path | None = None
    dialect: str | None = None
    mask: Path | None = None
    layout: str = ""
    problems: tuple[Problem, ...] = field(default=())
    looked_at: frozenset[Path] = field(default=frozenset(), repr=False)
    """Every file whose name was weighed for this case, used or not."""

    @property
    def patient(self) -> str | None:
        """The patient that the id names; None where it names a visit alone."""
        return identify(self.id).patient

    @property
    def visit(self) -> VisitName | None:
        """The visit that the id names, with its date where that is one; None where it names none."""
        return identify(self.id).visit
