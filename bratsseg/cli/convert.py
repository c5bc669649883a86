"""The verb ``convert``: label maps of one convention to another, and into the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

if TYPE_CHECKING:
    from bratsseg.exchange.conversion import Conversion

REPORT = "conversion.json"
_MOST_LINES = 20


def convert(
    folder: Annotated[Path, typer.Argument(metavar="IN", help="Folder of label maps, ours or anyone's.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the converted ones; paths are kept.")],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DIALECT", help="Convention of the values in IN, where no record or name says it."
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", metavar="DIALECT", help="Convention to write; else as in IN.")
    ] = None,
    formats: Annotated[
        str, typer.Option(metavar="LIST", help="Some of nifti,slicer,itksnap,bids with commas between.")
    ] = "nifti",
) -> None:
    """Convert label maps from one convention of values to another, and into formats of other programs.

    Writes each result below OUT where its source lies below IN, the BIDS data set in OUT/bids, and OUT/conversion.json.
    Exit 0: all converted, 1: some label map was refused, 2: wrong use.
    """
    from bratsseg.exchange.conversion import convert_folder
    from bratsseg.exchange.formats import parse_formats
    from bratsseg.study.writing import write_json

    chosen = parse_formats(formats)
    conversion = convert_folder(
        folder, out, source=source, target=target, formats=chosen, progress=lambda found: tqdm(found, disable=None)
    )
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / REPORT, _facts(conversion, out, {"from": source, "to": target, "formats": list(chosen)}))
    typer.echo("\n".join(_lines(conversion)))
    typer.echo(f"results: {out}  report: {out / REPORT}")
    raise typer.Exit(1 if conversion.refused else 0)


def _facts(conversion: Conversion, out: Path, asked: dict[str, object]) -> dict[str, object]:
    return {
        "asked": asked,
        "done": {file: [path.relative_to(out).as_posix() for path in made] for file, made in conversion.done.items()},
        "refused": {item.file: {"code": item.code, "reason": item.reason} for item in conversion.refused},
        "warnings": list(conversion.warnings),
    }


def _lines(conversion: Conversion) -> list[str]:
    lines = [f"{len(conversion.done)} label maps converted, {len(conversion.refused)} refused"]
    lines += [f"  refused {item.file}: {item.code}: {item.reason}" for item in conversion.refused[:_MOST_LINES]]
    if len(conversion.refused) > _MOST_LINES:
        lines.append(f"  and {len(conversion.refused) - _MOST_LINES} more, listed in the report")
    return lines + [f"warning: {warning}" for warning in conversion.warnings]
