"""Splits by patient: drawn once, kept in a file with its hash, never redrawn, refused where two parts share a patient.

A split by slice or by study leaks: on the LGG set a held-out slice has its neighbour in training in 95 % of cases.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

import torch
from pydantic import Field, model_validator

from bratsseg.config import Config, parse_config
from bratsseg.errors import ConfigError
from bratsseg.files import write_json
from bratsseg.study.patient import identify
from bratsseg.study.table import read_table
from bratsseg.wording import counted, some

_SAY_WHOSE = (
    "put the visits of each patient into a folder of the patient's name, or name the patients in data.split.patients "
    "(CSV with columns case and patient)"
)


class SplitConfig(Config):
    """How cases are split; always by patient."""

    folds: int = Field(default=5, ge=1)
    """Parts that take turns at validation; with 1 nothing is held out for folds and ``validation_share`` is needed."""
    validation_share: float | None = Field(default=None, gt=0, lt=1)
    """Share of patients for validation in place of folds, such as .15 of a 70/15/15 split."""
    test_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of patients that no fold ever sees."""
    file: Path | None = None
    """A split made before (JSON: train, validation, test as lists of case ids) in place of a drawn one."""
    patients: Path | None = None
    """CSV with columns ``case`` and ``patient``, where names do not tell which cases are one patient's."""

    @model_validator(mode="after")
    def _holds_something_out(self) -> Self:
        if self.folds < 2 and self.validation_share is None and self.file is None:
            raise ValueError("folds must be 2 or more, or validation_share or file be given: something is held out")
        if self.file is not None and (self.validation_share is not None or self.test_share):
            raise ValueError("validation_share and test_share must be left out: file says what is held out")
        drawn = self.file is None and self.validation_share is None
        if not drawn and self.folds not in (1, type(self).model_fields["folds"].default):
            raise ValueError("folds must be left out: file or validation_share says what is held out")
        return self


class Split(Config):
    """Which cases are for what, each sorted."""

    train: tuple[str, ...]
    """Seen in training."""
    validation: tuple[str, ...]
    """The best checkpoint is chosen by these."""
    test: tuple[str, ...] = ()
    """Not looked at."""

    @property
    def sha256(self) -> str:
        """Hash of the three lists: rows of a table with equal hashes were measured on equal splits."""
        text = json.dumps([sorted(part) for part in (self.train, self.validation, self.test)])
        return hashlib.sha256(text.encode()).hexdigest()


def read_patients(path: Path) -> dict[str, str]:
    """Case id → patient from a CSV; ``ConfigError`` when it has not both columns."""
    rows = read_table(path)
    if rows and not {"case", "patient"} <= rows[0].cells.keys():
        raise ConfigError(f"{path}: must have the columns case and patient, has {', '.join(rows[0].cells)}")
    return {row.cells["case"]: row.cells["patient"] for row in rows}


def whose(cases: Iterable[str], named: Mapping[str, str] | None = None) -> dict[str, str]:
    """The patient of each case: as ``named``, otherwise as its id tells.

    ``ConfigError`` where ids name visits alone (a layout's ``2019-01-11``): two of them may be one patient's.
    """
    named = named or {}
    owners = {case: named.get(case) or identify(case).patient for case in cases}
    unknown = sorted(case for case, owner in owners.items() if owner is None)
    if unknown:
        raise ConfigError(
            f"data: every case must have a patient, {some(unknown)} are named after visits alone and may be one "
            f"patient's; {_SAY_WHOSE}"
        )
    return {case: owner for case, owner in owners.items() if owner is not None}


def make_split(
    patients: Mapping[str, str], config: SplitConfig, fold: int, seed: int
) -> tuple[Split, int, tuple[str, ...]]:
    """Part cases, given each case's patient: the split of ``fold``, how many folds there are, and what to say aloud.

    Patients are shuffled by ``seed``; the test share is taken first, then folds. Fewer patients than folds gives fewer
    folds, each of one patient.
    """
    everyone = sorted(set(patients.values()))
    order = [everyone[n] for n in torch.randperm(len(everyone), generator=torch.Generator().manual_seed(seed)).tolist()]
    test_size = round(config.test_share * len(order))
    test, rest = order[:test_size], order[test_size:]
    if len(rest) < 2:
        one = (
            f"; all cases are of {everyone[0]}: if they are not, {_SAY_WHOSE}"
            if len(everyone) == 1 < len(patients)
            else ""
        )
        raise ConfigError(f"data: must have at least 2 patients besides {test_size} for test, has {len(rest)}{one}")
    notes: list[str] = []
    if config.validation_share is not None:
        folds, size = 1, min(max(round(config.validation_share * len(order)), 1), len(rest) - 1)
        held_out = rest[:size]
    else:
        folds = min(config.folds, len(rest))
        if folds < config.folds:
            notes.append(f"{len(rest)} patients make {folds} folds, not the {config.folds} asked for")
        held_out = rest[fold::folds]
    if fold >= folds:
        raise ConfigError(
            f"fold: must be below {folds}, was {fold}; " + (notes[0] if notes else counted(folds, "fold"))
        )
    learnt = set(rest) - set(held_out)
    return (
        Split(
            train=_cases(patients, learnt),
            validation=_cases(patients, held_out),
            test=_cases(patients, test),
        ),
        folds,
        tuple(notes),
    )


def settle_split(
    patients: Mapping[str, str], config: SplitConfig, fold: int, seed: int
) -> tuple[Split, int, tuple[str, ...]]:
    """The split that ``config.file`` states, or a drawn one. ``ConfigError`` when a file does not fit the data."""
    if config.file is None:
        return make_split(patients, config, fold, seed)
    split = read_split(config.file)
    _check(split, patients, config.file)
    left = sorted(patients.keys() - {*split.train, *split.validation, *split.test})
    notes = (
        (f"{counted(len(left), 'case is', 'cases are')} in no part of {config.file.name}: {some(left)}",)
        if left
        else ()
    )
    return split, 1, notes


def read_split(path: Path) -> Split:
    """Read what ``write_split`` wrote, or a list of lists by those names; the hash, when there, must be right."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"split {path}: must be readable JSON; {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"split {path}: must be an object with train and validation")
    stated = values.pop("sha256", None)
    split = parse_config(Split, values, f"split {path}")
    if stated is not None and stated != split.sha256:
        raise ConfigError(f"split {path}: its lists do not match its sha256; it was changed by hand, restore it")
    return split


def write_split(split: Split, path: Path) -> None:
    """Write the lists and their hash, whole or not at all; ``WriteError``."""
    write_json(path, split.model_dump(mode="json") | {"sha256": split.sha256})


def _check(split: Split, patients: Mapping[str, str], path: Path) -> None:
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    for name, cases in parts.items():
        missing = sorted(set(cases) - patients.keys())
        if missing:
            raise ConfigError(f"split {path}: every case must be in the data, {name} names {some(missing)}, not found")
    seen: dict[str, str] = {}
    for name, cases in parts.items():
        for case in cases:
            before = seen.setdefault(patients[case], name)
            if before != name:
                raise ConfigError(
                    f"split {path}: a patient must be in one part only, {patients[case]} is in {before} and in {name} "
                    f"(case {case}); make a split by patient"
                )
    if not split.train or not split.validation:
        raise ConfigError(f"split {path}: train and validation must each name a case")


def _cases(patients: Mapping[str, str], wanted: Iterable[str]) -> tuple[str, ...]:
    chosen = set(wanted)
    return tuple(sorted(case for case, patient in patients.items() if patient in chosen))
