"""``bratsseg check``: what is in a folder, case by case, and what is wrong with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from bratsseg.errors import UsageError
from bratsseg.study.account import Account
from bratsseg.study.case import Case
from bratsseg.study.checks import CaseCheck, check_case, examine
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.accounting import account_for
from bratsseg.study.modality import Modality
from bratsseg.study.reading import GeometryPolicy, Header
from bratsseg.wording import counted

SCHEMA = 1


def check(
    folder: Path,
    as_json: bool = False,
    voxels: bool = False,
    layout: Path | None = None,
    policy: GeometryPolicy | None = None,
) -> int:
    """Print what ``folder`` holds; the exit code is 0 when all is fine, 1 with a problem, 2 when used wrongly.

    ``voxels`` also reads every scan to its end; without it names and headers are looked at, a few ms a case.
    """
    policy = policy or GeometryPolicy()
    try:
        cases = find_cases(folder, layout)
    except UsageError as error:
        print(f"bratsseg check: {_plain(str(error))}", file=sys.stderr)
        return error.exit_code
    checks = (examine(case, policy)[0] if voxels else check_case(case, policy) for case in cases)
    account = account_for(folder, cases, layout=layout)
    if as_json:
        return _print_json(folder, list(checks), account)
    by = "" if voxels else " (by names and headers; --voxels reads the scans as well)"
    return _print_table(folder, checks, account, by)


def _print_table(folder: Path, checks: Iterable[CaseCheck], account: Account, by: str) -> int:
    fine = total = 0
    for found in checks:
        total += 1
        fine += found.usable
        print("\n".join(_lines(found, folder)), flush=True)
    if not total:
        print(f"no scans were found in {_plain(str(folder))}; --layout can say which files are which")
        return 1
    print(f"\n{counted(total, 'case')}: {fine} fine, {total - fine} with problems{by}")
    print("\n".join(_plain(line) for line in account.lines("IN")))
    return 0 if fine == total and not account.overlooked else 1


def _lines(found: CaseCheck, folder: Path) -> list[str]:
    case = found.case
    lines = [f"{_plain(case.id)}  {'ok' if found.usable else 'PROBLEM'}"]
    for modality in Modality:
        source = case.sources.get(modality)
        if source is None:
            lines.append(f"  {modality.label:<11}-")
        else:
            channel = "" if source.channel is None else f" volume {source.channel}"
            shown = f"{_below(source.path, folder)}{channel}"
            lines.append(f"  {modality.label:<11}{_facts(found.headers.get(modality)):<51} {shown}")
    if case.mask is not None:
        lines.append(f"  brain mask {_below(case.mask, folder)}")
    if case.reference is not None:
        lines.append(f"  reference  {_below(case.reference, folder)} ({case.dialect or 'dialect not known'})")
    for problem in found.problems:
        lines.append(f"  {'!' if problem.fatal else 'note:'} {problem.code}: {_plain(problem.message)}")
    return lines


def _facts(header: Header | None) -> str:
    if header is None:
        return "refused, see below"
    size = " x ".join(str(size) for size in header.grid.shape)
    if header.grid.spacing is None:
        return f"{size:<15} {'pixels of no size':<25} {header.dtype.name}"
    spacing = " x ".join(f"{edge:.2f}" if edge >= 0.01 else f"{edge:.2g}" for edge in header.grid.spacing)
    return f"{size:<15} {spacing:<18} mm {header.grid.orientation} {header.dtype.name}"


def _print_json(folder: Path, checks: list[CaseCheck], account: Account) -> int:
    fine = sum(found.usable for found in checks)
    facts = {
        "schema": SCHEMA,
        "folder": str(folder),
        "cases": [_case_facts(found, folder) for found in checks],
        "total": len(checks),
        "fine": fine,
        "files": account.as_json(),
    }
    print(json.dumps(facts, indent=2))
    return 0 if checks and fine == len(checks) and not account.overlooked else 1


def _case_facts(found: CaseCheck, folder: Path) -> dict[str, object]:
    case = found.case
    return {
        "case": case.id,
        "ok": found.usable,
        "patient": case.patient,
        "visit": case.visit.name if case.visit else None,
        "date": case.visit.day.isoformat() if case.visit and case.visit.day else None,
        "layout": case.layout,
        "modalities": {str(modality): _volume_facts(case, modality, found, folder) for modality in case.sources},
        "mask": None if case.mask is None else _below(case.mask, folder),
        "reference": None if case.reference is None else _below(case.reference, folder),
        "dialect": case.dialect,
        "problems": [{"code": p.code, "message": p.message, "fatal": p.fatal} for p in found.problems],
    }


def _volume_facts(case: Case, modality: Modality, found: CaseCheck, folder: Path) -> dict[str, object]:
    source, header = case.sources[modality], found.headers.get(modality)
    facts: dict[str, object] = {"file": _below(source.path, folder), "channel": source.channel}
    if header is not None:
        facts |= {
            "shape": list(header.grid.shape),
            "spacing_mm": header.grid.spacing,
            "orientation": header.grid.orientation,
            "type": header.dtype.name,
        }
    return facts


def _below(path: Path, folder: Path) -> str:
    return _plain(path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path))


def _plain(text: str) -> str:
    """Text without control characters: a file name must not steer the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
