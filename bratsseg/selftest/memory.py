"""A memory that is too small for the whole box: the pass must go on in windows, say so, and answer as windows do.

It is compared with the same windows in float32 on the CPU. A whole box is another pass, which answers otherwise at the
windows' seams and where they see nothing beyond their edge.
"""

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
GPU_SPACING_MM, GPU_WINDOWS = 1.0, WindowPass(size=(64, 64, 64), overlap=0.25)
"""A box fine enough that it takes hundreds of MB more than its windows do."""


def check_fallback(runtime: Runtime, study: Study, spacing_mm: float, work: Path) -> Check:
    """Run out of memory on purpose. A CPU's memory is not ours to take away: there the box exceeds the tested size."""
    if runtime.device == "cpu":
        name = "a box above the tested size"
        windowed = known_model(work / "windowed", WINDOWS, spacing_mm)
        folder = known_model(work / "fallback", WholePass(fallback=WINDOWS, largest_voxels=1000), spacing_mm)
        ours = answer(folder, runtime, study)
    else:
        name = "too little memory"
        windowed = known_model(work / "windowed", GPU_WINDOWS, GPU_SPACING_MM)
        whole = WholePass(fallback=GPU_WINDOWS, largest_voxels=50_000_000)
        folder = known_model(work / "fallback", whole, GPU_SPACING_MM)
        windows = answer(windowed, runtime, study)
        with _limited(runtime, _between(windows, answer(folder, runtime, study))):
            ours = answer(folder, runtime, study)
    said = str(ours.segmentation.facts["pass"])
    compared = compare(name, ours.segmentation, answer(windowed, EXACT, study).segmentation)
    fell = said.startswith("windows (")
    advice = (
        compared.advice if fell else "the pass did not fall back to windows: use a model whose passes.kind is windows"
    )
    return Check(
        name,
        f"{said}; {compared.found}",
        f"windows, as they are in float32 on the CPU; {compared.wanted}",
        fell and bool(compared.passed),
        advice,
    )


def _between(windows: TimedSegmentation, whole: TimedSegmentation) -> int:
    """Bytes that are enough for windows and not for the whole box, which can do without a part of its peak."""
    small, large = windows.gpu_bytes or 0, whole.gpu_bytes or 0
    return small + (large - small) // 4


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
