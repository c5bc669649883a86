"""The verb ``models``: what can be named with --model, and how a network trained elsewhere becomes one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from bratsseg.errors import UsageError
from bratsseg.study.modality import Modality, modality_of
from bratsseg.study.regions import Region

if TYPE_CHECKING:
    from bratsseg.inference.model import ModelFolder


class _ListsByDefault(TyperGroup):
    """``models`` and ``models NAME`` list and show; ``models add`` is a verb of its own (a folder: ``./add``)."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the hidden verb before words that are none."""
        asks = args[:1] in (["--help"], ["-h"])
        return super().parse_args(ctx, args if asks or args[:1] == ["add"] else ["show", *args])


models = typer.Typer(
    cls=_ListsByDefault,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="List the models at hand; with NAME or a folder, print its card; add FILE makes one of other weights.",
    options_metavar="[NAME|DIR] [--json]",
    subcommand_metavar="| add FILE",
)


@models.command(hidden=True)
def show(
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


@models.command(options_metavar="[OPTIONS]")
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Weights (.pt, .safetensors), or a MONAI bundle.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="What the model is called.")],
    *,
    channels: Annotated[
        str | None, typer.Option(metavar="LIST", help="Order of its input channels, such as t1ce,t1,t2,flair.")
    ] = None,
    outputs: Annotated[
        str | None, typer.Option(metavar="LIST", help="Order of its outputs, such as tc,wt,et, MONAI's.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="segresnet or swin_unetr, where the weights must be of this one.")
    ] = None,
    spacing: Annotated[float | None, typer.Option(metavar="MM", help="Edge of the voxels it was trained on.")] = None,
    licence: Annotated[str | None, typer.Option(metavar="SPDX", help="Licence of the weights.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the model; models/NAME.")] = None,
) -> None:
    """Make a model of a network that was trained elsewhere: MONAI's SegResNet or SwinUNETR.

    FILE is a state dict, or a MONAI bundle (folder or zip), whose metadata says the order of the channels. Nothing in
    it is run. Writes weights.safetensors, CARD.md and model.json; segment takes the folder with --model.
    """
    from bratsseg.exchange.foreign.adoption import ForeignModel, adopt
    from bratsseg.exchange.foreign.weights import read_weights

    foreign = ForeignModel(
        name=name,
        channels=_parsed("--channels", channels, modality_of, "flair,t1,t1ce,t2"),
        outputs=_parsed("--outputs", outputs, _region, "wt,tc,et"),
        network=network,
        spacing_mm=spacing,
        licence=licence,
    )
    folder = out or Path("models") / name
    made = adopt(read_weights(file), foreign, folder)
    model = made.model
    channel_names = ", ".join(modality.label for modality in model.modalities)
    typer.echo(f"{model.name} {model.version}: {model.network.name}, channels {channel_names}")
    for note in made.assumed:
        typer.echo(f"note: {note}")
    typer.echo(f"model: {folder}  use: bratsseg segment IN OUT --model {folder}")


def _region(name: str) -> Region | None:
    return Region(name.upper()) if name.upper() in list(Region) else None


def _parsed(flag: str, text: str | None, meaning: Any, known: str) -> tuple[Any, ...] | None:
    """The comma-separated words of a flag, each known and none twice; None where the flag was left out."""
    if text is None:
        return None
    found: list[Modality | Region | None] = [meaning(word.strip()) for word in text.split(",")]
    if None in found or len(set(found)) < len(found):
        raise UsageError(f"{flag}: must be some of {known} with commas between, each once, was {text}")
    return tuple(found)


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
