"""A memory that is too small for the whole box: the pass must go on in windows, say so, and answer alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from bratsseg.inference.passes import WholePass, WindowPass
from bratsseg.inference.runtime import Runtime
from bratsseg.selftest.agreement import EXACT, TimedSegmentation, answer, compare
from bratsseg.selftest.check import Check
from bratsseg.selftest.known import known_model
from bratsseg.study.volume import Study

WINDOWS = WindowPass(size=(32, 32, 32), overlap=0.25)


def check_fallback(runtime: Runtime, study: Study, spacing_mm: float, work: Path) -> Check:
    """Run out of memory on purpose. A CPU's memory is not ours to take away: there the box exceeds the tested size."""
    on_gpu = runtime.device != "cpu"
    largest = WholePass().largest_voxels if on_gpu else 1000
    folder = known_model(work / "fallback", WholePass(fallback=WINDOWS, largest_voxels=largest), spacing_mm)
    name = "too little memory" if on_gpu else "a box above the tested size"
    if on_gpu:
        windows = answer(known_model(work / "windowed", WINDOWS, spacing_mm), runtime, study)
        with _limited(runtime, _between(windows, answer(folder, runtime, study))):
            ours = answer(folder, runtime, study)
    else:
        ours = answer(folder, runtime, study)
    said = str(ours.segmentation.facts["pass"])
    compared = compare(name, ours.segmentation, answer(folder, EXACT, study).segmentation)
    fell = said.startswith("windows (")
    advice = (
        compared.advice if fell else "the pass did not fall back to windows: use a model whose passes.kind is windows"
    )
    return Check(
        name, f"{said}; {compared.found}", f"windows; {compared.wanted}", fell and bool(compared.passed), advice
    )


def _between(windows: TimedSegmentation, whole: TimedSegmentation) -> int:
    """Bytes that are enough for windows and not for the whole box."""
    return ((windows.gpu_bytes or 0) + (whole.gpu_bytes or 0)) // 2


@contextmanager
def _limited(runtime: Runtime, byte: int) -> Iterator[None]:
    """Let torch take no more than ``byte`` of the GPU's memory in here."""
    device = torch.device(runtime.device)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(byte / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()
