"""The verb ``convert``: label maps of one convention to another, and into the formats of other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tqdm import tqdm

from bratsseg.errors import UsageError
from bratsseg.study.modality import Modality, modality_of
from bratsseg.wording import lines_of

if TYPE_CHECKING:
    from bratsseg.exchange.conversion import Conversion

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
        str | None,
        typer.Option("--to", metavar="DIALECT|nnunet", help="Convention to write, otherwise as in IN; or a data set."),
    ] = None,
    formats: Annotated[
        str, typer.Option(metavar="LIST", help="Some of nifti,slicer,itksnap,bids with commas between.")
    ] = "nifti",
    split: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="With --to nnunet: split.json of a run, once a fold.")
    ] = None,
    modalities: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="With --to nnunet: its channels; by default, what most cases have."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace label maps changed by hand too; they move to edited-DATE.")
    ] = False,
) -> None:
    """Convert label maps from one convention of values to another, and into formats of other programs.

    With --to nnunet IN is a folder of studies with references, and OUT a data set that nnU-Net v2 trains on. Else
    writes each result below OUT where its source lies below IN, the BIDS data set in OUT/bids, and OUT/conversion.json.
    Exit 0: all converted, 1: some label map was refused or left out, 2: wrong use.
    """
    from bratsseg.exchange.conversion import convert_folder
    from bratsseg.exchange.formats import parse_formats
    from bratsseg.exchange.handwork import REPORT
    from bratsseg.files import write_json

    if target == "nnunet":
        if formats != "nifti":
            raise UsageError("--formats: must be left out with --to nnunet, which has one format")
        asked: dict[str, object] = {"from": source, "to": target, "split": [str(path) for path in split or ()]}
        conversion = _to_nnunet(folder, out, source, split or (), modalities)
    else:
        if split or modalities:
            raise UsageError("--split and --modalities: belong to --to nnunet")
        chosen = parse_formats(formats)
        asked = {"from": source, "to": target, "formats": list(chosen)}
        conversion = convert_folder(
            folder,
            out,
            source=source,
            target=target,
            formats=chosen,
            overwrite=overwrite,
            progress=lambda places: tqdm(places, disable=None),
        )
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / REPORT, _facts(conversion, out, asked))
    typer.echo("\n".join(_lines(conversion, "cases" if target == "nnunet" else "label maps")))
    typer.echo(f"results: {out}  report: {out / REPORT}")
    raise typer.Exit(0 if conversion.complete else 1)


def _to_nnunet(
    folder: Path, out: Path, source: str | None, split: Sequence[Path], modalities: str | None
) -> Conversion:
    from bratsseg.exchange.nnunet import export_nnunet, read_run_split

    return export_nnunet(
        folder,
        out,
        source=source,
        splits=[read_run_split(path) for path in split],
        modalities=_modalities(modalities) if modalities else (),
        progress=lambda cases: tqdm(cases, disable=None),
    )


def _modalities(text: str) -> tuple[Modality, ...]:
    named = [(name, modality_of(name)) for name in text.split(",")]
    unknown = [name for name, modality in named if modality is None]
    if unknown:
        raise UsageError(f"--modalities: must be some of flair,t1,t1ce,t2, was {', '.join(unknown)}")
    return tuple(modality for _, modality in named if modality is not None)


def _facts(conversion: Conversion, out: Path, asked: dict[str, object]) -> dict[str, object]:
    return {
        "asked": asked,
        "done": {file: [path.relative_to(out).as_posix() for path in made] for file, made in conversion.done.items()},
        "refused": {item.file: {"code": item.code, "reason": item.reason} for item in conversion.refused},
        "kept": list(conversion.kept),
        "written": dict(conversion.written),
        "warnings": list(conversion.warnings),
        "files": None if conversion.account is None else conversion.account.as_json(),
    }


def _lines(conversion: Conversion, what: str) -> list[str]:
    lines = [f"{len(conversion.done)} {what} converted, {len(conversion.refused)} refused"]
    refused = [f"refused {item.file}: {item.code}: {item.reason}" for item in conversion.refused]
    lines += [f"  {line}" for line in lines_of(refused, _MOST_LINES, ", listed in the report")]
    kept = [f"kept {name}: changed by hand; --overwrite replaces it, keeping a copy" for name in conversion.kept]
    lines += [f"  {line}" for line in lines_of(kept, _MOST_LINES, ", listed in the report")]
    lines += [f"warning: {warning}" for warning in conversion.warnings]
    return lines + list(conversion.account.lines("IN") if conversion.account else ())
