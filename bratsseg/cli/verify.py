"""The verb ``verify``: whether the results in a folder are what was written, and what would be written again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tqdm import tqdm

from bratsseg.cli.segment import Layout
from bratsseg.errors import UsageError
from bratsseg.wording import counted, lines_of

if TYPE_CHECKING:
    from bratsseg.batch.recompute import SecondRun
    from bratsseg.results.record import CaseRecord

SCHEMA = 1
_MOST_LINES = 40


def verify(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of results.")],
    *,
    again: Annotated[
        int, typer.Option("--recompute", min=0, metavar="N", help="Also compute N cases again and compare.")
    ] = 0,
    scans: Annotated[
        Path | None, typer.Option(metavar="IN", help="With --recompute: the folder of studies that they came from.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="With --recompute: which cases.")] = 0,
    device: Annotated[str, typer.Option(help="With --recompute: auto, cpu or cuda:N.")] = "auto",
    layout: Layout = None,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Read every result in OUT and compare it with its record: bit rot, half copies, what a person changed.

    Changes nothing. Exit 0: all is as it was written, or changed by a person; 1: something is damaged, missing or came
    out otherwise; 2: wrong use.
    """
    from bratsseg.results.integrity import Fault, FileFault, check_results

    if not out.is_dir():
        raise UsageError(f"OUT {out}: must be a folder of results, there is none")
    if again and scans is None:
        raise UsageError("verify: --recompute needs --scans IN, the folder of studies that the results came from")
    findings: list[FileFault] = []
    records: list[CaseRecord] = []
    for checked in tqdm(check_results(out), unit="case", disable=None):
        findings += checked.findings
        if checked.record is not None and not checked.findings:
            records.append(checked.record)
    whole, broken = len(records), [finding for finding in findings if finding.fault != Fault.EDITED]
    if not whole and not findings:
        raise UsageError(f"OUT {out}: must hold results of bratsseg segment (<case>/<case>.json), found none")
    compared: list[SecondRun] = []
    if again and scans is not None:
        from bratsseg.batch.recompute import recompute, sample
        from bratsseg.study.layout import find_cases

        chosen = sample(records, again, seed)
        work = recompute(chosen, find_cases(scans, layout), scans, out, device)
        compared = list(tqdm(work, total=len(chosen), unit="case", disable=None))
    if as_json:
        facts: dict[str, Any] = {"schema": SCHEMA, "whole": whole, "findings": [vars(found) for found in findings]}
        typer.echo(json.dumps({**facts, "recomputed": [vars(found) for found in compared]}))
    else:
        _tell(whole, findings, compared)
    raise typer.Exit(1 if broken or not all(found.same for found in compared) else 0)


def _tell(whole: int, findings: list[Any], compared: list[SecondRun]) -> None:
    typer.echo(f"{counted(whole, 'case')} as written")
    for fault, number in Counter(found.fault for found in findings).items():
        typer.echo(f"{counted(number, 'file')} {fault}")
    lines = [f"  {found.fault}: {found.file}: {found.reason}" for found in findings]
    for line in lines_of(lines, _MOST_LINES, "; --json lists all"):
        typer.echo(line)
    for found in compared:
        typer.echo(f"  computed again: {found.case}: {'' if found.same else 'DIFFERS, '}{found.words}")
