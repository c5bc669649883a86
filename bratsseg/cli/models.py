"""The verb ``models``: what can be named with --model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bratsseg.inference.model import ModelFolder


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|DIR]", help="Print this model's card.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """List the models at hand: version, hash, modalities, regions, licence. With NAME, print its card."""
    from bratsseg.inference.model import ModelFolder, released_models

    found = released_models() if name is None else [ModelFolder.find(name)]
    if as_json:
        typer.echo(json.dumps([_facts(model) for model in found], indent=2))
        return
    for model in found:
        facts = _facts(model)
        typer.echo(f"{facts['name']} {facts['version']}  {facts['summary']}")
        typer.echo(f"  modalities {', '.join(facts['modalities'])}; regions {', '.join(facts['regions'])}")
        typer.echo(f"  licence {facts['licence']}; sha256 {facts['sha256']}")
        if name is not None and model.card:
            typer.echo(f"\n{model.card.rstrip()}")


def _facts(model: ModelFolder) -> dict[str, Any]:
    described = model.description
    return {
        "name": described.name,
        "version": described.version,
        "summary": described.summary,
        "modalities": [modality.label for modality in described.modalities],
        "regions": [str(region) for region in described.regions],
        "licence": described.licence,
        "sha256": model.sha256,
        "folder": str(model.folder),
    }
