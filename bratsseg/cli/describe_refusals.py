"""The verb ``describe-refusals``: every code that a table or a record may hold, in words."""

from __future__ import annotations

from typing import Annotated

import typer

from bratsseg.refusals import as_markdown, as_text


def describe_refusals(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a table of Markdown.")] = False,
) -> None:
    """Tell of every code of a refusal or failure what it means and what to do about it."""
    typer.echo(as_markdown() if markdown else as_text())
