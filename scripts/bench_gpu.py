"""End to end on one GPU: from int16 .nii.gz files to label maps, stage by stage, beside the network alone.

usage: scripts/bench gpu [--patients 50] [--device cuda:0] [--json FILE]

Patients are synthetic, 240×240×155 voxels as in BraTS. Two networks take them: the model that ships, and a 3-D U-Net
of 7.3 M parameters with random weights at 1 mm, which MONAI's usual road (see bench.py) takes as well, on the same
device. "Network alone" runs over prepared inputs that lie on the device. Stages overlap: on a GPU "run" has in it the
networks of the cases before that were still in work. The file is written anew after every figure, so that a run that is
cut keeps what it has. Without a GPU, --device cpu rehearses it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from bench import monai_road, release, seconds

from bratsseg import Segmenter, find_cases, read_study
from bratsseg.batch.folder import segment_folder
from bratsseg.batch.options import BatchOptions
from bratsseg.exchange.brats import write_patient
from bratsseg.inference.runtime import Runtime
from bratsseg.network import UNetConfig
from bratsseg.study.case import Case
from bratsseg.synthesis.generator import synthesize_patient

WIDTHS = (32, 64, 96, 160, 192)
DIFFERENT = 8
"""Patients that are made; more are copies of these, which cost the same to read, segment and write."""
ALONE = 20
"""Times that the network alone is run."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=50)
    parser.add_argument("--peer-patients", type=int, default=3, help="how many go MONAI's way")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, help="of the 3-D network; less to rehearse")
    parser.add_argument("--spacing-mm", type=float, default=1.0, help="patients are made of; more to rehearse")
    parser.add_argument("--json", type=Path, default=None, help="file for the figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        work = Path(room)
        kept = Figures(options.json)
        shipped = Segmenter.load("default", options.device)
        device = shipped.runtime.device
        kept.add("machine", {"device": device_name(device), "torch": torch.__version__, "patients": options.patients})
        kept.add("making", {"seconds": seconds(lambda: make(work / "scans", options))})
        cases = find_cases(work / "scans")
        kept.add("default", road(shipped, cases, work))
        widths = tuple(options.widths)
        model = release(work / "model", UNetConfig(dims=3, in_channels=4, widths=widths, residual=True))
        ours = Segmenter.load(model, options.device)
        kept.add("3-D, 1 mm", road(ours, cases, work))
        kept.add("3-D, 1 mm, MONAI's way", peer(ours, cases[: options.peer_patients], work))
    kept.show()


class Figures:
    """What was measured so far, on disk after every addition."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = {}

    def add(self, name: str, figures: dict[str, Any]) -> None:
        self._rows[name] = figures
        print(f"{name}: {figures}", file=sys.stderr, flush=True)
        if self._path is not None:
            beside = self._path.with_name(self._path.name + ".part")
            beside.write_text(json.dumps({"schema": 1, **self._rows}, indent=1), encoding="utf-8")
            beside.replace(self._path)

    def show(self) -> None:
        """The table, and the two ratios that the project aims at."""
        machine = self._rows["machine"]
        print(f"{machine['device']}, torch {machine['torch']}, {machine['patients']} patients of 240×240×155 voxels")
        print(f"{'':26}{'cases a minute':>16}{'network alone':>16}{'share':>8}{'GPU GB':>8}  mean seconds of stages")
        for name, row in self._rows.items():
            if "cases_a_minute" not in row:
                continue
            alone, share = row.get("network_alone_a_minute"), row.get("share_of_network_alone")
            told = f"{name:26}{row['cases_a_minute']:16.1f}"
            told += f"{alone:16.1f}{share:8.0%}" if alone and share else f"{'':24}"
            told += f"{row['gpu_gb']:8.2f}" if row.get("gpu_gb") is not None else f"{'':8}"
            print(told + "  " + ", ".join(f"{stage} {value:.3f}" for stage, value in row.get("stages", {}).items()))
        ours, theirs = (self._rows[name]["cases_a_minute"] for name in ("3-D, 1 mm", "3-D, 1 mm, MONAI's way"))
        print(f"the same network, bratsseg against MONAI's way: {ours / theirs:.1f} times")


def make(folder: Path, options: argparse.Namespace) -> None:
    """Write the patients; making is on the device, writing in threads beside it."""
    patients, device = options.patients, Runtime.choose(options.device).device
    made: list[Path] = []
    with ThreadPoolExecutor(8) as pool:
        for index in range(min(patients, DIFFERENT)):
            patient = synthesize_patient(7, index, options.spacing_mm, device=device)
            name = f"BraTS-SYN-{index:05d}-000"
            made.append(folder / name)
            pool.submit(write_patient, patient, folder, name, "bench").add_done_callback(raised)
    for index in range(DIFFERENT, patients):
        source = made[index % DIFFERENT]
        name = f"BraTS-SYN-{index:05d}-000"
        (folder / name).mkdir()
        for path in source.iterdir():
            shutil.copyfile(path, folder / name / path.name.replace(source.name, name))


def raised(future: Any) -> None:
    """Say what went wrong in a thread."""
    if future.exception():
        print(f"a patient was not written: {future.exception()}", file=sys.stderr)


def road(segmenter: Segmenter, cases: list[Case], work: Path) -> dict[str, Any]:
    """Cases a minute through ``segment``'s own road, and of the network alone; the share; the stages; the memory."""
    device = segmenter.runtime.device
    alone = network_alone(segmenter, cases[: min(3, len(cases))])
    peak_from(device)
    out = work / f"results-{segmenter.model.name}"
    took = seconds(lambda: segment_folder(work / "scans", out, BatchOptions(), segmenter))
    records = [json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*/*.json")]
    done = [record["seconds"] for record in records if record["status"] == "done"]
    minute = 60 * len(done) / took
    return {
        "cases_a_minute": minute,
        "done": len(done),
        "network_alone_a_minute": alone,
        "share_of_network_alone": minute / alone,
        "stages": {stage: fmean(one.get(stage, 0.0) for one in done) for stage in done[0]} if done else {},
        "gpu_gb": peak(device),
        "precision": segmenter.runtime.precision,
    }


def network_alone(segmenter: Segmenter, cases: list[Case]) -> float:
    """Cases a minute of ``run``, inputs on the device already."""
    device = segmenter.runtime.device
    inputs = [segmenter.prepare(read_study(case)) for case in cases]
    inputs = [replace(one, images=one.images.to(device)) for one in inputs]
    for one in inputs:
        segmenter.run(one)  # each shape once, for what is built for it
    wait(device)
    times = ALONE if device != "cpu" else 1
    start = time.perf_counter()
    for number in range(times):
        segmenter.run(inputs[number % len(inputs)])
    wait(device)
    return 60 * times / (time.perf_counter() - start)


def peer(segmenter: Segmenter, cases: list[Case], work: Path) -> dict[str, Any]:
    """Cases a minute of MONAI's usual road; the first case, which pays for the start, counts only where it is alone."""
    device = segmenter.runtime.device
    theirs = monai_road(segmenter, work / "peer")
    peak_from(device)
    took = [seconds(timed(theirs, case, device)) for case in cases]
    return {"cases_a_minute": 60 / median(took[1:] or took), "gpu_gb": peak(device), "seconds": took}


def timed(work: Callable[[Case], None], case: Case, device: str) -> Callable[[], None]:
    def run() -> None:
        work(case)
        wait(device)

    return run


def wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def peak_from(device: str) -> None:
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: str) -> float | None:
    """Most memory that tensors took on the GPU since ``peak_from``, GB; None on a CPU."""
    return None if device == "cpu" else torch.cuda.max_memory_allocated(device) / 2**30


def device_name(device: str) -> str:
    return "CPU" if device == "cpu" else torch.cuda.get_device_name(device)


if __name__ == "__main__":
    main()
