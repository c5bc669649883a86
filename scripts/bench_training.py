"""What share of a training step is spent on samples: reading from the cache and augmenting, against the network.

usage: .venv/bin/python scripts/bench_training.py CONFIG [KEY=VALUE ...] [--steps 6]

Two synthetic patients lie memory-mapped on disk, as cached cases do. Batches are made in this process, then taken
through forward, backward and the optimiser; both are counted in seconds of process CPU, which other work on the machine
does not touch. What a synthetic patient costs when it is made on the fly is told apart.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from bratsseg.config import read_config
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.training.data import stacked
from bratsseg.training.experiment import Experiment
from bratsseg.training.module import SegmentationModule
from bratsseg.training.prepared import PreparedCase, prepared
from bratsseg.training.samples import CaseSamples
from bratsseg.training.synthetic import prepare_patient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    experiment = read_config(Experiment, options.config, options.overrides)
    torch.set_num_threads(experiment.trainer.threads or torch.get_num_threads())
    with tempfile.TemporaryDirectory() as folder:
        making = [seconds(lambda n=n: CASES.append(on_disk(experiment, n, Path(folder)))) for n in range(2)]
        size = experiment.trainer.batch_size
        samples = CaseSamples(CASES, experiment.windows, experiment.seed, size)
        batches: list[Any] = []

        def load(step: int) -> None:
            batches[:] = [stacked([samples[step * size + n] for n in range(size)], experiment=experiment)]

        step = training_step(experiment)
        load(0)
        step(batches[0])  # the first one pays for what is built once
        loading, training = [], []
        for number in range(1, options.steps + 1):
            loading.append(seconds(lambda number=number: load(number)))
            training.append(seconds(lambda: step(batches[0])))
    share = median(loading) / median(training)
    print(f"{options.config.stem}: batch of {size}, {tuple(batches[0][0].shape)}, CPU seconds")
    print(f"  sample + augmentation   {median(loading):8.3f}   (median of {options.steps})")
    print(f"  forward + backward      {median(training):8.3f}")
    print(f"  share                   {share:8.1%}")
    print(f"  a synthetic patient     {median(making):8.3f}   made on the fly, not in the share")


CASES: list[PreparedCase] = []


def on_disk(experiment: Experiment, number: int, folder: Path) -> PreparedCase:
    """A synthetic patient whose arrays are memory-mapped, as the cache's are."""
    spacing = experiment.preparation.spacing_mm or 1.0
    patient = synthesize_patient(experiment.seed, number, spacing)
    made = prepare_patient(patient, experiment.data, experiment.preparation, f"s{number}")
    np.save(folder / f"images{number}.npy", made.images.numpy())
    images = torch.from_numpy(np.load(folder / f"images{number}.npy", mmap_mode="c"))
    return prepared(made.id, images, made.regions, made.images[0] != 0)


def training_step(experiment: Experiment, device: str = "cpu") -> Callable[[Any], None]:
    """Forward, backward and optimiser, in the experiment's arithmetic, on batches that lie on ``device``."""
    module = SegmentationModule(experiment).to(device)
    optimiser = module.configure_optimizers()
    half = experiment.trainer.precision == "bf16-mixed"

    def step(batch: Any) -> None:
        optimiser.zero_grad()
        with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=half):
            module.training_step(batch, 0).backward()
        optimiser.step()

    module.train()
    return step


def seconds(work: Callable[[], Any]) -> float:
    """Process CPU seconds of ``work``."""
    before = time.process_time()
    work()
    return time.process_time() - before


if __name__ == "__main__":
    main()
