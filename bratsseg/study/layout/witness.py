"""Name and sidecar together: the sidecar decides what a name leaves open, and a contradiction is told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bratsseg.study.contrast import GIVEN, NOT_GIVEN
from bratsseg.study.layout.filename import FileName
from bratsseg.study.layout.roles import stem_of
from bratsseg.study.modality import Modality
from bratsseg.study.sidecar import Witness, witness_of

_SILENT = Witness()
_MOST_SIDECAR_BYTES = 4 << 20


def with_sidecars(files: Sequence[FileName]) -> list[FileName]:
    """Ask sidecars about scans whose names say nothing or do not decide."""
    return [
        _decided(file, _witness_beside(file.path)) if file.role is None and len(file.claims) != 1 else file
        for file in files
    ]


def weighed(files: Sequence[FileName]) -> list[FileName]:
    """The files of one case with what their sidecars add: two T1s told apart, and what contradicts a name.

    A T1 of whose contrast the name says nothing is taken for one with contrast only where another T1 is there, and the
    sidecar states an agent; alone, such a pair of name and sidecar is a contradiction.
    """
    known = with_sidecars(files)
    times = Counter(file.claims for file in known if file.is_scan)
    plain = frozenset({Modality.T1N})
    told = []
    for file in known:
        witness, remark = _read_beside(file.path) if file.is_scan else (_SILENT, "")
        if file.claims == plain and not file.contrast and times[plain] > 1 and witness.contrast == {GIVEN}:
            told.append(replace(file, claims=frozenset({Modality.T1C}), contrast=witness.contrast))
        elif file.is_scan and witness.contradicts(file.reading):
            told.append(replace(file, conflict=_conflict(file, witness)))
        else:
            told.append(replace(file, remark=remark, behind=() if witness.contrast == {NOT_GIVEN} else file.behind))
    return told


def _decided(file: FileName, witness: Witness) -> FileName:
    """The file with what the sidecar really says; a sidecar that says otherwise than an open name decides nothing."""
    claims = (witness.claims & file.claims) if file.claims else witness.claims
    return replace(file, claims=claims, contrast=witness.contrast) if claims else file


def _conflict(file: FileName, witness: Witness) -> str:
    labels = " or ".join(modality.label for modality in Modality if modality in file.claims)
    unsaid = " and nothing of contrast" if file.claims == {Modality.T1N} and not file.contrast else ""
    return (
        f"{file.path.name}: the name says {labels}{unsaid}, but {_sidecar_of(file.path).name} beside it says "
        f"{witness.told}; rename the file or mend the sidecar, or use --layout"
    )


def _sidecar_of(path: Path) -> Path:
    return path.with_name(f"{stem_of(path)}.json")


def _witness_beside(path: Path) -> Witness:
    return _read_beside(path)[0]


def _read_beside(path: Path) -> tuple[Witness, str]:
    """What the sidecar of a scan says, and why it says nothing where it is there and cannot be read."""
    sidecar = _sidecar_of(path)
    try:
        if sidecar.stat().st_size > _MOST_SIDECAR_BYTES:
            return _SILENT, f"{sidecar.name} beside {path.name} not read: larger than {_MOST_SIDECAR_BYTES >> 20} MiB"
        facts = json.loads(sidecar.read_bytes())
    except FileNotFoundError:
        return _SILENT, ""
    except (OSError, ValueError, RecursionError):
        return _SILENT, f"{sidecar.name} beside {path.name} not read: no JSON; mend or remove it"
    if not isinstance(facts, dict):
        return _SILENT, f"{sidecar.name} beside {path.name} not read: must hold entries; mend or remove it"
    return witness_of(facts), _odd_agent(facts, sidecar.name)


def _odd_agent(facts: dict[str, object], name: str) -> str:
    """A word on an agent that is no text: what it says of contrast, nobody knows."""
    value = facts.get("ContrastBolusAgent")
    return (
        f"{name}: ContrastBolusAgent must be text, was {value!r}; it was passed over" if isinstance(value, dict) else ""
    )
