"""All checks in order; one that breaks costs only its own line."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import torch

from bratsseg.inference import Segmenter
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.passes import Passes, WholePass, WindowPass
from bratsseg.inference.runtime import Runtime
from bratsseg.inference.shipped import shipped_names
from bratsseg.selftest.agreement import check_agreement
from bratsseg.selftest.check import Check, guarded
from bratsseg.selftest.known import known_model
from bratsseg.selftest.memory import check_fallback
from bratsseg.selftest.steps import check_steps
from bratsseg.selftest.subjects import picture_study, volume_study
from bratsseg.study.volume import Study

SPACING_MM, QUICK_SPACING_MM = 1.0, 2.0
"""Of the patients, and of the boxes that the 3-D network of known weights sees."""
PATIENTS = 3
"""Of the full test; the quick one has one."""


def run_checks(device: str = "auto", *, quick: bool = False) -> Iterator[Check]:
    """Every check on ``device``, as soon as it is done. ``UsageError`` when there is no such device.

    On a CPU bfloat16 is compared with float32, since that is what segmentation computes in where a CPU has it.
    """
    runtime = Runtime.choose(device)
    if runtime.device == "cpu":
        runtime = Runtime("cpu", torch.bfloat16)
    spacing_mm = QUICK_SPACING_MM if quick else SPACING_MM
    studies = cache(partial(_study, spacing_mm))
    with tempfile.TemporaryDirectory() as room:
        yield from _answers(runtime, 1 if quick else PATIENTS, studies, Path(room))
        first = studies(kind="volume", index=0)
        yield from guarded("memory", lambda: [check_fallback(runtime, first, spacing_mm, Path(room))])
    for dims in (2, 3):
        yield from guarded(f"training steps, {dims}-D", partial(check_steps, dims, runtime))
    yield from guarded(
        "cases a minute", partial(_throughput, runtime, first, 1 if quick and runtime.device == "cpu" else 10)
    )


def _answers(runtime: Runtime, patients: int, studies: Callable[..., Study], room: Path) -> Iterator[Check]:
    """Every kind of pass and every shipped model, on each patient."""
    for index in range(patients):
        after = "" if patients == 1 else f", patient {index + 1}"
        for name, folder in _models(room / str(index), studies(kind="volume", index=0).reference.grid.spacing):
            yield from guarded(
                name + after, partial(_agreement, name + after, folder, runtime, partial(studies, index=index))
            )


def _models(room: Path, spacing: tuple[float, float, float] | None) -> Iterator[tuple[str, Callable[[], ModelFolder]]]:
    """Name, and what gives the folder: a folder that cannot be had is that line's failure."""
    passes: dict[str, Passes] = {"windows": WindowPass(size=(64, 64, 64), overlap=0.25), "whole": WholePass()}
    for kind, one in passes.items():
        yield f"known 3-D, {kind}", partial(known_model, room / kind, one, (spacing or (1.0,))[0])
    for name in shipped_names():
        yield name, partial(ModelFolder.find, name)


def _agreement(
    name: str, folder: Callable[[], ModelFolder], runtime: Runtime, studies: Callable[..., Study]
) -> list[Check]:
    found = folder()
    return check_agreement(name, found, runtime, studies(kind=found.description.preparation.subject))


def _study(spacing_mm: float, kind: str, index: int) -> Study:
    return volume_study(index, spacing_mm) if kind == "volume" else picture_study(index)


def _throughput(runtime: Runtime, study: Study, times: int) -> list[Check]:
    """Cases a minute of the default model, from volumes in memory to a label map, one after the other."""
    segmenter = Segmenter(ModelFolder.find("default"), runtime)
    if times > 1:
        segmenter.segment(study)
    start = time.perf_counter()
    for _ in range(times):
        segmenter.segment(study)
    minute = 60 * times / (time.perf_counter() - start)
    shape = "×".join(str(side) for side in study.reference.grid.shape)
    found, figures = f"{minute:.1f} of {shape} voxels, default", {"cases_a_minute": minute}
    return [Check("cases a minute", found, "", None, figures=figures)]
