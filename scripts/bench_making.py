"""Who should make the synthetic patients of a training run: the device that trains, or makers on the cores beside it?

usage: python scripts/bench_making.py CONFIG [KEY=VALUE ...] [--device cuda:0] [--seconds 15] [--quick] [--json FILE]

Measures in miniature: patients a second on the device, patients a second that makers bring to it, and steps a second on
samples that are there, in the precision of the config and in float32. From these follow the steps a second of a run
either way, and which is faster; what to add to the command is told as KEY=VALUE. Where neither works, the workers of
the loader are left. ``--quick`` tunes no convolutions, which takes longer than all else, and leaves float32 out: steps
are then slower than in training.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bench_training import training_step

from bratsseg.config import read_config
from bratsseg.inference.runtime import Runtime
from bratsseg.training.data import stacked
from bratsseg.training.experiment import Experiment
from bratsseg.training.makers import PatientMakers
from bratsseg.training.sources import SyntheticConfig
from bratsseg.training.synthetic import PatientKey, SyntheticSamples, make_patient

WORTH_IT = 1.2
"""How much faster float32 must be to be taken."""
POOL_OF_A_CORE = 8
"""Patients that each core keeps, where the workers of the loader make them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    experiment = read_config(Experiment, options.config, options.overrides)
    device = Runtime.choose(options.device).device
    torch.backends.cudnn.benchmark = not options.quick
    makers = PatientMakers(experiment, workers())  # they import what they need while the device is measured
    try:
        found = compare(
            experiment,
            on_device=tried(lambda: patients_a_second(experiment, device, options.seconds)),
            by_makers=tried(lambda: patients_by_makers(makers, device, options.seconds)),
            steps=tried(lambda: steps_a_second(experiment, device, options.seconds)),
            steps_32=0.0
            if options.quick
            else tried(lambda: steps_a_second(in_float32(experiment), device, options.seconds / 2)),
        )
    finally:
        makers.close()
    for name, value in found.items():
        print(f"{name:34}{value:10.2f}" if isinstance(value, float) else f"{name:34}{' '.join(value)}")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


def compare(
    experiment: Experiment, *, on_device: float, by_makers: float, steps: float, steps_32: float
) -> dict[str, Any]:
    """What follows for a run; ``overrides`` make the faster way. A rate of 0 is that of what did not work."""
    synthetic = experiment.data.synthetic or SyntheticConfig()
    precision = experiment.trainer.precision
    if steps_32 > WORTH_IT * steps:
        steps, precision = steps_32, "32-true"
    new_a_step = experiment.trainer.batch_size / synthetic.windows_per_volume
    with_device = 1 / (1 / steps + new_a_step / on_device) if steps and on_device else 0.0
    with_makers = min(steps, by_makers / new_a_step)
    cores = workers()
    if (with_makers, by_makers) > (with_device, on_device):
        chosen = ["data.synthetic.on_device=true", "data.workers=0", f"data.synthetic.makers={cores}"]
        chosen.append("trainer.threads=1")  # the cores are the makers'
    elif on_device:
        chosen = ["data.synthetic.on_device=true", "data.workers=0", "data.synthetic.makers=0"]
    else:
        chosen = ["data.synthetic.on_device=false", "data.synthetic.makers=0", f"data.workers={cores}"]
        chosen += [f"data.synthetic.lanes={cores}", f"data.synthetic.volumes={POOL_OF_A_CORE}"]
    return {
        "patients a second, device": on_device,
        "patients a second, makers": by_makers,
        "steps a second without making": steps,
        "steps a second in float32": steps_32,
        "steps a second, made by device": with_device,
        "steps a second, made by makers": with_makers,
        "overrides": [*chosen, f"trainer.precision={precision}"],
    }


def in_float32(experiment: Experiment) -> Experiment:
    """The same without half precision: some builds of torch compute 3-D convolutions in bf16 several times slower."""
    return experiment.model_copy(update={"trainer": experiment.trainer.model_copy(update={"precision": "32-true"})})


def tried(measured: Callable[[], float]) -> float:
    """What was measured; 0, and the traceback on stderr, when that broke: the other figures are still worth having."""
    try:
        return measured()
    except Exception:
        traceback.print_exc()
        return 0.0


def patients_a_second(experiment: Experiment, device: str, seconds: float) -> float:
    """Made one after the other; the first, which pays for what is built once, does not count."""
    make_patient(experiment, 0, device)
    wait(device)
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < seconds:
        count += 1
        make_patient(experiment, count, device)
        wait(device)
    return count / (time.perf_counter() - start)


def patients_by_makers(makers: PatientMakers, device: str, seconds: float) -> float:
    """Made by one process a core and brought to the device; each one's first does not count."""
    makers.put_on(torch.device(device))
    ahead = 2 * workers()
    makers.ask([PatientKey(n) for n in range(2 * ahead)])
    for number in range(workers()):
        makers.take(PatientKey(number))
    start = time.perf_counter()
    number = workers()
    while number == workers() or time.perf_counter() - start < seconds:
        makers.take(PatientKey(number))
        number += 1
        makers.ask([PatientKey(n) for n in range(number, number + ahead)])
    makers.ask([])
    return (number - workers()) / (time.perf_counter() - start)


def steps_a_second(experiment: Experiment, device: str, seconds: float) -> float:
    """Steps on one batch that lies on the device."""
    size = experiment.trainer.batch_size
    samples = SyntheticSamples(experiment, size, device)
    half = experiment if device == "cpu" else None  # on a GPU the step varies the batch
    pictures, truth, positions = stacked([samples[slot] for slot in range(size)], experiment=half)
    step, batch = training_step(experiment, device), (pictures, truth, positions)
    for _ in range(3):
        step(batch)
    wait(device)
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < seconds:
        step(batch)
        count += 1
        wait(device)
    return count / (time.perf_counter() - start)


def workers() -> int:
    """One core is left to the training process."""
    return max(1, (os.cpu_count() or 2) - 1)


def wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
