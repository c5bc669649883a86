"""A model on a device in its own precision, against the same model on the CPU in float32."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from bratsseg.inference import Segmentation, Segmenter
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.runtime import Runtime
from bratsseg.selftest.check import Check
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study

DICE = {Region.WT: 0.995, Region.TC: 0.99, Region.ET: 0.99}
LARGE_ML = 1.0
FEW_VOXELS = 20
PICTURE_PIXEL_ML = 0.001
"""A pixel has no size; a thousand of them count as large."""
PROBABILITY = 0.05
MEMORY_GB = 4.0
EXACT = Runtime("cpu", None)
"""What is compared with: the CPU in float32."""


@dataclass(frozen=True)
class TimedSegmentation:
    """One segmentation, the seconds of its network, and the most memory of a GPU meanwhile (None on a CPU)."""

    segmentation: Segmentation
    seconds: float
    gpu_bytes: int | None


def answer(folder: ModelFolder, runtime: Runtime, study: Study) -> TimedSegmentation:
    """Segment ``study`` once."""
    segmenter = Segmenter(folder, runtime)
    prepared = segmenter.prepare(study)
    on_gpu = runtime.device != "cpu"
    if on_gpu:
        segmenter.run(prepared)  # what is built once is not timed
        torch.cuda.synchronize(runtime.device)
        torch.cuda.reset_peak_memory_stats(runtime.device)
    start = time.perf_counter()
    raw = segmenter.run(prepared)
    if on_gpu:
        torch.cuda.synchronize(runtime.device)
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated(runtime.device) if on_gpu else None
    return TimedSegmentation(segmenter.finish(prepared, raw), seconds, peak)


def check_agreement(name: str, folder: ModelFolder, runtime: Runtime, study: Study) -> list[Check]:
    """Whether ``runtime`` answers as float32 on the CPU does; on a GPU also how much memory it took."""
    device, exact = answer(folder, runtime, study), answer(folder, EXACT, study)
    compared = compare(name, device.segmentation, exact.segmentation)
    how = str(device.segmentation.facts["pass"])
    found = f"{compared.found}; {device.seconds:.2f} s, exact {exact.seconds:.2f} s; {how}"
    figures = (compared.figures or {}) | {"seconds": device.seconds, "seconds_exact": exact.seconds, "pass": how}
    checks = [replace(compared, found=found, figures=figures)]
    return checks if device.gpu_bytes is None else [*checks, _memory(name, device.gpu_bytes)]


def compare(name: str, ours: Segmentation, exact: Segmentation) -> Check:
    """Dice of every region, or voxels that differ where it is small, and the difference of probabilities."""
    found, bad, figures = [], [], {}
    for region in (region for region in Region if region in exact.label_map.assessable):
        text, value, good = _overlap(region, ours, exact)
        found.append(text)
        figures[str(region)] = value
        bad += [] if good else [str(region)]
    apart = max(_apart(region, ours, exact) for region in exact.label_map.assessable)
    figures["probability"] = apart
    bad += [] if apart <= PROBABILITY else ["probabilities"]
    advice = (
        f"{' and '.join(bad)} must agree with float32 on the CPU: do not use this device for {name}; "
        "give --device cpu, and update torch and the graphics driver"
    )
    wanted = f"WT ≥ {DICE[Region.WT]}, TC, ET ≥ {DICE[Region.TC]}, p ≤ {PROBABILITY}"
    return Check(name, ", ".join([*found, f"p {apart:.4f}"]), wanted, not bad, advice if bad else "", figures)


def _overlap(region: Region, ours: Segmentation, exact: Segmentation) -> tuple[str, float, bool]:
    """What to say of a region, its Dice or the number of voxels that differ, and whether that is good."""
    one, two = ours.label_map.region(region), exact.label_map.region(region)
    voxels, differing = int(two.sum()), int((one ^ two).sum())
    if voxels * (exact.label_map.grid.voxel_ml or PICTURE_PIXEL_ML) <= LARGE_ML:
        return f"{region} {differing} of {voxels} voxels differ", differing, differing <= FEW_VOXELS
    dice = 2 * float((one & two).sum()) / float(one.sum() + two.sum())
    return f"{region} {dice:.4f}", dice, dice >= DICE[region]


def _apart(region: Region, ours: Segmentation, exact: Segmentation) -> float:
    """99.9th percentile, over the voxels that either gives a probability, of how far the two lie apart."""
    one, two = ours.probability(region), exact.probability(region)
    there = (one > 0) | (two > 0)
    return float(np.percentile(np.abs(one[there] - two[there]), 99.9)) if there.any() else 0.0


def _memory(name: str, peak: int) -> Check:
    gigabytes = peak / 2**30
    good = gigabytes <= MEMORY_GB
    advice = "" if good else "give a smaller passes.batch in its model.json, or a GPU of more memory"
    return Check(f"{name}: GPU memory", f"{gigabytes:.2f} GB", f"≤ {MEMORY_GB} GB", good, advice, {"bytes": peak})
