"""The verb ``selftest``: does this installation give right answers on this machine, and how fast?"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bratsseg.selftest.check import Check

_WIDTH = 32


def selftest(
    device: Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu or cuda:N.")] = "auto",
    *,
    quick: Annotated[bool, typer.Option("--quick", help="One patient at 2 mm: within a minute.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Compare this machine's answers with float32 on its CPU: every shipped model, every kind of pass, training steps.

    Exit code 0 when all is well, 1 when a line failed; each such line says what to do.
    """
    from bratsseg.inference.runtime import Runtime
    from bratsseg.selftest import run_checks

    where = _where(Runtime.choose(device).device)
    if not as_json:
        typer.echo(where)
    checks = []
    for check in run_checks(device, quick=quick):
        checks.append(check)
        if not as_json:
            typer.echo(_line(check))
            sys.stdout.flush()
    failed = [check.name for check in checks if check.passed is False]
    if as_json:
        typer.echo(json.dumps({"schema": 1, "where": where, "checks": [asdict(check) for check in checks]}, indent=1))
    else:
        typer.echo(f"{len(failed)} of {len(checks)} lines failed: {'; '.join(failed)}" if failed else "all is well")
    raise typer.Exit(bool(failed))


def _line(check: Check) -> str:
    verdict = {True: "ok", False: "FAILED", None: "-"}[check.passed]
    line = f"{verdict:6}  {check.name:{_WIDTH}}  {check.found}"
    line += f"  ({check.wanted})" if check.wanted else ""
    return f"{line}\n        {check.advice}" if check.advice else line


def _where(device: str) -> str:
    """What is tested, in a line."""
    import torch

    from bratsseg.version import __version__

    name = platform.processor() or platform.machine()
    name = name if device == "cpu" else torch.cuda.get_device_name(device)
    return f"bratsseg {__version__}, torch {torch.__version__}, Python {platform.python_version()}, {device}: {name}"
