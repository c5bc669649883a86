"""The verb ``segment``: a folder of studies, or one study by hand, to label maps."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bratsseg.config import parse_config
from bratsseg.errors import UsageError
from bratsseg.inference.shipped import VOLUMES, default_model
from bratsseg.study.case import Case
from bratsseg.study.modality import Modality
from bratsseg.study.reading.geometry import GeometryPolicy

if TYPE_CHECKING:
    from bratsseg.batch import BatchOptions, BatchSummary
    from bratsseg.study.account import Account

Layout = Annotated[Path | None, typer.Option(metavar="FILE", help="CSV or YAML that says which file is which.")]
TrustForm = Annotated[
    Literal["sform", "qform"] | None, typer.Option(help="Which matrix to trust where both are coded and differ.")
]
AcceptNoFormCodes = Annotated[bool, typer.Option("--accept-no-form-codes", help="Guess where no matrix is coded.")]
AcceptShear = Annotated[bool, typer.Option("--accept-shear", help="Go on where voxel axes are not at right angles.")]
Folders = Annotated[list[Path], typer.Argument(metavar="[IN] OUT", help="Folder of studies, folder of results.")]


def segment(
    folders: Folders,
    *,
    flair: Annotated[Path | None, typer.Option(metavar="FILE", help="One study by hand: its FLAIR scan.")] = None,
    t1ce: Annotated[Path | None, typer.Option(metavar="FILE", help="One study by hand: its T1ce scan.")] = None,
    t1: Annotated[Path | None, typer.Option(metavar="FILE", help="One study by hand: its T1 scan.")] = None,
    t2: Annotated[Path | None, typer.Option(metavar="FILE", help="One study by hand: its T2 scan.")] = None,
    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="Brain mask.")] = None,
    case_id: Annotated[
        str | None,
        typer.Option(
            help="Name of the study; otherwise what the file names have in common, otherwise the name of their folder.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="One of `bratsseg models`, or a folder; if none is named: default, or default-picture where every "
            "case is a picture.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda:N, cuda:all or several with commas between: a process each.")
    ] = "auto",
    dialect: Annotated[str, typer.Option(help="Convention of the label values written.")] = "brats2023",
    layout: Layout = None,
    only: Annotated[str | None, typer.Option(metavar="GLOB", help="Only the cases whose id matches.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most N cases.")] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also a file of probabilities a region.")
    ] = False,
    formats: Annotated[
        str, typer.Option(metavar="LIST", help="Some of nifti,slicer,itksnap,bids with commas between.")
    ] = "nifti",
    quality: Annotated[
        Literal["free", "drop"],
        typer.Option(help="Figures of quality; drop: also how far the answer holds without each scan, a pass each."),
    ] = "free",
    report: Annotated[
        bool, typer.Option("--report", help="Also a page, a picture and a sheet a case, and OUT/index.html.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, max=64, metavar="N", help="Studies read ahead at once.")] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Compute finished cases again; what a person changed moves to CASE/edited-DATE."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Segment even what does not look like a scan of a brain, with a warning.")
    ] = False,
    refusals_ok: Annotated[
        bool, typer.Option("--refusals-ok", help="Exit 0 even when cases were refused or scans left out.")
    ] = False,
    salt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Write hashes instead of case and file names.")
    ] = None,
    trust_form: TrustForm = None,
    accept_no_form_codes: AcceptNoFormCodes = False,
    accept_shear: AcceptShear = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Tell where in the software a case failed.")] = False,
) -> None:
    """Segment every study in IN, or one study by hand (--flair a.nii.gz --t1ce b.nii.gz OUT).

    Writes OUT/<case>/<case>_seg.nii.gz on the grid of T1ce (otherwise FLAIR), OUT/<case>/<case>.json and OUT/cases.csv.
    Finished cases are not computed again, and several runs on one OUT, on any machines, share the cases.
    Exit 0: all done, 1: some refused or failed, or a scan in IN belongs to no study, 2: wrong use.
    """
    from bratsseg.batch import BatchOptions
    from bratsseg.batch.devices import segment_on_devices
    from bratsseg.batch.memory import keep_memory_flat
    from bratsseg.cli.progress import Progress
    from bratsseg.exchange.formats import parse_formats

    choices = {
        "dialect": dialect,
        "probabilities": probabilities,
        "quality": quality,
        "report": report,
        "formats": parse_formats(formats),
        "geometry": geometry_policy(trust_form, accept_no_form_codes, accept_shear),
        "layout": None if layout is None else str(layout),
        "only": only,
        "limit": limit,
        "workers": workers,
        "overwrite": overwrite,
        "force": force,
        "salt": salt,
    }
    options = parse_config(BatchOptions, choices, "segment")
    scans = {Modality.FLAIR: flair, Modality.T1N: t1, Modality.T1C: t1ce, Modality.T2W: t2}
    named = {modality: path for modality, path in scans.items() if path is not None}
    if verbose:
        logging.basicConfig(format="%(message)s")
        logging.getLogger("bratsseg").setLevel(logging.DEBUG)
    if named:
        account = None
        cases, root, out = _by_hand(named, mask, case_id, folders)
    else:
        cases, account, root, out = _from_folder(folders, options, mask, case_id)
    keep_memory_flat()
    from bratsseg.inference import Segmenter
    from bratsseg.inference.runtime import devices_of

    with _stoppable(), Progress() as progress:
        chosen, why = (model, "") if model else _default_model(cases)
        devices = devices_of(device)
        segmenter = Segmenter.load(chosen, devices[0], why)
        summary, broken = segment_on_devices(
            devices, cases, root, out, options, segmenter=segmenter, model=chosen, why=why, watcher=progress
        )
    _tell(summary)
    for line in broken:
        typer.echo(f"  {line}", err=True)
    if account is not None:
        for line in account.lines("IN", most=0 if salt else 10):
            typer.echo(line)
    complete = summary.all_done and not (account and account.overlooked)
    raise typer.Exit(0 if complete or (refusals_ok and not summary.count("failed")) else 1)


def _default_model(cases: list[Case]) -> tuple[str, str]:
    """The model for cases for which none was named, and why where it is not ``default``, which is said aloud."""
    from bratsseg.study.reading import is_picture

    told = [case for case in cases if case.sources]  # of the others nothing is known, and they will be refused
    chosen = default_model(pictures=bool(told) and all(is_picture(case) for case in told))
    if chosen == VOLUMES:
        return chosen, ""
    why = "every case is a picture, and --model names none"
    typer.echo(f"model {chosen}: {why}", err=True)
    return chosen, why


def geometry_policy(trust_form: str | None, accept_no_form_codes: bool, accept_shear: bool) -> GeometryPolicy:
    """The policy that the flags for unclear headers ask for."""
    return GeometryPolicy.model_validate(
        {
            "on_disagreement": trust_form or "refuse",
            "without_codes": "accept" if accept_no_form_codes else "refuse",
            "shear": "accept" if accept_shear else "refuse",
        }
    )


def _from_folder(
    folders: list[Path], options: BatchOptions, mask: Path | None, case_id: str | None
) -> tuple[list[Case], Account, Path, Path]:
    from bratsseg.batch.folder import choose_cases

    if len(folders) != 2:
        raise UsageError("segment: must be given IN and OUT, or scans by name (--flair FILE --t1ce FILE) and OUT")
    if mask is not None or case_id is not None:
        raise UsageError("segment: --mask and --case-id belong to one study by hand; name its scans as well")
    chosen = choose_cases(folders[0], folders[1], options)
    return chosen.cases, chosen.account, folders[0], folders[1]


def _by_hand(
    scans: dict[Modality, Path], mask: Path | None, case_id: str | None, folders: list[Path]
) -> tuple[list[Case], Path, Path]:
    from bratsseg.batch.by_hand import case_by_hand

    if len(folders) != 1:
        raise UsageError(f"segment: scans by name take one folder, OUT; was {len(folders)}")
    if folders[0].exists() and not folders[0].is_dir():
        raise UsageError(f"OUT {folders[0]}: must be a folder, was a file")
    case, root = case_by_hand(scans, mask, case_id)
    return [case], root, folders[0]


@contextmanager
def _stoppable() -> Iterator[None]:
    """A scheduler's SIGTERM ends a batch as Ctrl-C does: whole results stay, and the next run goes on from there."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(summary: BatchSummary) -> None:
    """The end of a batch in a few lines."""
    total = len(summary.outcomes)
    finished_before = total - summary.computed
    cases = "1 case" if total == 1 else f"{total} cases"
    typer.echo(f"{cases} ({finished_before} finished before)" if finished_before else cases)
    for status in ("done", "refused", "failed"):
        typer.echo(f"  {status:<8}{summary.count(status):>6}")
    if by_hand := summary.kept_by_hand:
        typer.echo(f"  {len(by_hand)} kept: changed by hand, such as {by_hand[0].case}")
    if aside := [outcome for outcome in summary.outcomes if outcome.moved_aside]:
        typer.echo(f"  {len(aside)} with files moved aside, such as {aside[0].moved_aside[0]}")
    _tell_moves(summary)
    for status, code, number in summary.reasons():
        example = next(o for o in summary.outcomes if (o.status, o.code) == (status, code))
        typer.echo(f"  {number} {status}: {code}, such as {example.case}")
    for line in summary.unwritten:
        typer.echo(f"  {line}", err=True)
    typer.echo(f"results: {summary.out}  table: {summary.out / 'cases.csv'}")


def _tell_moves(summary: BatchSummary) -> None:
    """What became of results whose case is called otherwise now."""
    computed = {outcome.case for outcome in summary.outcomes if outcome.fresh}
    for old, new in summary.moves.moved.items():
        why = "and computed again" if new in computed else "made from the same scans, not computed again"
        typer.echo(f"  moved {old} to {new}: {why}")
    for old, new in summary.moves.repeated.items():
        typer.echo(f"  removed {old}: {new} has the result of the same scans")
    for old, why in summary.moves.unclear.items():
        typer.echo(f"  not moved {old}: {why}")
