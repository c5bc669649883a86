"""The verb ``export``: a released model as other programs load it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ModelFormat(StrEnum):
    """What a released model can be exported as."""

    MONAI_BUNDLE = "monai-bundle"


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="One of `bratsseg models`, or a folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New or empty folder.")],
    *,
    kind: Annotated[ModelFormat, typer.Option("--format", help="What to write.")] = ModelFormat.MONAI_BUNDLE,
    dialect: Annotated[str, typer.Option(help="Convention of the label values that the bundle writes.")] = "brats2023",
) -> None:
    """Export a released model for another program: a MONAI bundle, which needs bratsseg where it is used."""
    from bratsseg.exchange.foreign.monai_bundle import export_monai_bundle
    from bratsseg.study.dialect import get_dialect

    files = export_monai_bundle(model, out, dialect=get_dialect(dialect).name)
    typer.echo(f"{kind}: {out}")
    for file in files:
        typer.echo(f"  {file.relative_to(out).as_posix()}")
    typer.echo("to run it: pip install bratsseg pytorch-ignite fire, then as docs/README.md says")
