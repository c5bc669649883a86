"""The verb ``watch``: segment what is dropped into a folder, each study once it is whole."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from bratsseg.config import parse_config
from bratsseg.errors import UsageError
from bratsseg.inference.shipped import VOLUMES

if TYPE_CHECKING:
    from bratsseg.batch import Outcome
    from bratsseg.study.case import Case

_HEED_SECONDS = 0.2


def watch(
    drop: Annotated[Path, typer.Argument(metavar="DROP", help="Folder that a scanner or a script puts studies into.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of results.")],
    *,
    model: Annotated[str, typer.Option(metavar="NAME|DIR", help="One of `bratsseg models`, or a folder.")] = VOLUMES,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    dialect: Annotated[str, typer.Option(help="Convention of the label values written.")] = "brats2023",
    formats: Annotated[
        str, typer.Option(metavar="LIST", help="Some of nifti,slicer,itksnap,bids with commas between.")
    ] = "nifti",
    report: Annotated[bool, typer.Option("--report", help="Also a page, a picture and a sheet a case.")] = False,
    layout: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV or YAML: which file is which.")] = None,
    settle: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="A study is whole when no file of it changed for so long.")
    ] = 30.0,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look.")] = 5.0,
) -> None:
    """Segment every study that comes into DROP, once it is whole, until SIGTERM or Ctrl-C.

    Studies stay where they are; results are those of `bratsseg segment DROP OUT`, and finished ones are not computed
    again. Several watchers, and runs of segment, may share one OUT. Exit 0: it was told to end, 2: wrong use.
    """
    from bratsseg.batch import BatchOptions, segment_cases
    from bratsseg.batch.folder import refuse_overlap
    from bratsseg.batch.memory import keep_memory_flat
    from bratsseg.batch.watching import DropFolder
    from bratsseg.batch.watching import watch as watch_folder
    from bratsseg.exchange.formats import parse_formats
    from bratsseg.inference import Segmenter

    if not drop.is_dir():
        raise UsageError(f"DROP {drop}: must be a folder, {'was a file' if drop.exists() else 'there is none'}")
    refuse_overlap(drop, out)
    asked = {"dialect": dialect, "formats": parse_formats(formats), "report": report}
    options = parse_config(BatchOptions, {**asked, "layout": None if layout is None else str(layout)}, "watch")
    keep_memory_flat()

    end = _End()

    def segment(cases: list[Case]) -> None:
        segment_cases(cases, drop, out, options, segmenter, watcher=_Lines(end))

    try:
        segmenter = Segmenter.load(model, device)
        typer.echo(f"watching {drop}")
        watch_folder(DropFolder(drop, settle, time.monotonic, layout), segment, lambda: end.wait(every))
    except KeyboardInterrupt:
        pass
    typer.echo("told to end; what is finished is kept")


class _End:
    """Whether SIGTERM came. It is heeded between two cases: the one in hand is finished."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def wait(self, seconds: float) -> bool:
        """Wait for so long; False as soon as the end is asked for."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _HEED_SECONDS))
        return not self.asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


class _Lines:
    """A line for each case, and an end after it where one was asked for."""

    def __init__(self, end: _End) -> None:
        self._end = end

    def begin(self, total: int) -> None:
        """So many cases have become whole."""

    def settled(self, outcome: Outcome) -> None:
        """One of them is done, refused or failed."""
        why = outcome.reason.removeprefix(f"case {outcome.case}: ")
        typer.echo(f"{outcome.status} {outcome.case}" + (f": {why} ({outcome.code})" if why else ""))
        if self._end.asked:
            raise KeyboardInterrupt
