"""A batch on several devices of one machine: a process each, which share the cases as any runs on one OUT do."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from bratsseg.batch.folder import BatchSummary, Watcher, segment_cases
from bratsseg.batch.memory import keep_memory_flat
from bratsseg.batch.options import BatchOptions
from bratsseg.claims import FOLDER, ClaimFiles
from bratsseg.study.case import Case

if TYPE_CHECKING:
    from bratsseg.inference import Segmenter

INTERRUPTED = 130


def segment_on_devices(
    devices: Sequence[str],
    cases: Sequence[Case],
    root: Path,
    out: Path,
    options: BatchOptions,
    *,
    segmenter: Segmenter,
    model: str,
    why: str = "",
    watcher: Watcher | None = None,
) -> tuple[BatchSummary, tuple[str, ...]]:
    """As ``segment_cases``, with ``segmenter`` here and ``model`` in a process for each further one of ``devices``.

    What came of every case, whoever computed it; and in words which processes broke. Their cases were taken over.
    """
    if len(devices) < 2:
        return segment_cases(cases, root, out, options, segmenter, watcher=watcher), ()
    out.mkdir(parents=True, exist_ok=True)
    clock = ClaimFiles(out / FOLDER)
    since = clock.now_ns()  # one beginning for all: what one overwrites, another does not overwrite again
    spawn = get_context("spawn")
    shared = {"cases": cases, "root": root, "out": out, "options": options, "model": model, "why": why}
    others = {
        number: spawn.Process(target=_run, kwargs={**shared, "device": device, "since_ns": since})
        for number, device in enumerate(devices[1:], 1)
    }
    with _running(others.values()):
        summary = segment_cases(cases, root, out, options, segmenter, watcher=watcher, since_ns=since)
        for process in others.values():
            process.join()
    broken = (f"{devices[n]}: its process ended with {p.exitcode}" for n, p in others.items() if p.exitcode)
    return summary, tuple(f"{line}; the others took over its cases" for line in broken)


@contextmanager
def _running(processes: Iterable[SpawnProcess]) -> Iterator[None]:
    """Start them; when the block breaks, tell them to stop and wait until they have given back what they hold."""
    started = []
    try:
        for process in processes:
            process.start()
            started.append(process)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def _run(  # in a process of its own
    *,
    cases: Sequence[Case],
    root: Path,
    out: Path,
    options: BatchOptions,
    model: str,
    why: str,
    device: str,
    since_ns: int,
) -> None:
    from bratsseg.inference import Segmenter  # noqa: PLC0415 - torch, where it is used

    signal.signal(signal.SIGTERM, _interrupt)
    keep_memory_flat()
    try:
        segment_cases(cases, root, out, options, Segmenter.load(model, device, why), since_ns=since_ns)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
