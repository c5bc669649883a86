"""The loaders, as Lightning asks for them: samples by their position in the run, and whole cases for validation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from lightning import pytorch as pl
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from bratsseg.tensors.augmentation import apply_augmentation, draw_augmentation
from bratsseg.training.cases import CaseSet, find_case_set, record_split
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import is_first_process
from bratsseg.training.makers import PatientMakers
from bratsseg.training.prepared import PreparedCase
from bratsseg.training.samples import CaseSamples
from bratsseg.training.synthetic import SyntheticSamples, validation_patients

Batch = tuple[Tensor, Tensor, Tensor]
"""Pictures (N, C, *space) float16, truth (N, R, *space) uint8, positions (N,)."""
Sample = tuple[Tensor, Tensor, int]
"""The same of one sample."""
WholeCase = tuple[str, Tensor, Tensor]
"""Id, images (C, I, J, K), regions (R, I, J, K)."""


class Samples(Protocol):
    """What training cuts from cases: any sample by its position in the run."""

    def __getitem__(self, position: int) -> Sample:
        """Picture (C, *space) float16, truth (R, *space) uint8, position."""

    def name_of(self, position: int) -> str:
        """The case behind a sample."""


class Positions(Sampler[int]):
    """The positions that process ``rank`` of ``world`` serves in one epoch.

    Batch m of the run holds the positions m · world · batch_size onward, of which each process takes its own part:
    so w processes with b samples see together what one process sees with w · b.
    """

    def __init__(self, *, batches: int, batch_size: int, rank: int, world: int, epoch: Callable[[], int]) -> None:
        self._batches, self._batch_size = batches, batch_size
        self._rank, self._world, self._epoch = rank, world, epoch

    def __len__(self) -> int:
        return self._batches * self._batch_size

    def __iter__(self) -> Iterator[int]:
        """The positions of the epoch that ``epoch()`` says it is now."""
        first = self._epoch() * self._batches
        starts = [((first + m) * self._world + self._rank) * self._batch_size for m in range(self._batches)]
        return iter([start + slot for start in starts for slot in range(self._batch_size)])


def stacked(samples: Sequence[Sample], experiment: Experiment | None) -> Batch:
    """One batch of samples, varied here where ``experiment`` is given: in the loader's processes, if there are any."""
    pictures, truth = torch.stack([sample[0] for sample in samples]), torch.stack([sample[1] for sample in samples])
    batch = (pictures, truth, torch.tensor([sample[2] for sample in samples]))
    return batch if experiment is None else varied(batch, experiment)


def varied(batch: Batch, experiment: Experiment) -> Batch:
    """Augmentation and modality dropout, each sample's a function of the seed and its position; where the batch is."""
    pictures, truth, positions = batch
    seeds = [experiment.seed * 1_000_003 + position for position in positions.tolist()]
    data = experiment.data
    draws = draw_augmentation(experiment.augmentation, seeds, pictures.ndim - 2, data.modalities, data.modality_dropout)
    return *apply_augmentation(pictures, truth, draws), positions


class CaseData(pl.LightningDataModule):
    """Training samples and validation cases of an experiment."""

    samples: Samples
    validation: list[PreparedCase]

    def __init__(self, experiment: Experiment, run: Path) -> None:
        super().__init__()
        self._experiment, self._run = experiment, run
        self._cases: CaseSet | None = None
        self._makers: PatientMakers | None = None
        self.validation = []

    def find(self) -> None:
        """Find and part the cases, and prepare them once on each machine: what is wrong with them is said now.

        Makers of synthetic patients begin now; ``close`` ends them.
        """
        if self._experiment.data.synthetic is not None:
            makers = self._experiment.data.synthetic.makers
            self._makers = PatientMakers(self._experiment, makers) if makers else None
            return
        self._cases = find_case_set(self._experiment, self._run)
        if is_first_process():
            record_split(self._cases, self._run)
            split = self._cases.split
            notes = [*self._cases.notes, f"{len(split.train)} cases to train on, {len(split.validation)} to validate"]
            print("\n".join(notes), file=sys.stderr)

    def prepare_data(self) -> None:
        """Fill the cache; Lightning calls this once on each machine, while the others wait."""
        if self._cases is not None:
            self._cases.fill_cache(self._experiment.data.workers)

    def setup(self, stage: str | None = None) -> None:
        """Open the cases on every process."""
        experiment, size = self._experiment, self._experiment.trainer.batch_size * self._world
        if self._cases is None:
            if self._makers is not None:
                self._makers.put_on(self._pool_device)
            self.samples = SyntheticSamples(experiment, size, self._pool_device, self._makers)
            self.validation = validation_patients(experiment, self._pool_device, self._makers)
        else:
            self.samples = CaseSamples(self._cases.open_training(), experiment.windows, experiment.seed, size)
            self.validation = self._cases.open_validation()

    def train_dataloader(self) -> DataLoader[Sample]:
        """Batches of this process."""
        trainer, workers = self._experiment.trainer, self._experiment.data.workers
        positions = Positions(
            batches=trainer.epoch_steps * trainer.accumulate,
            batch_size=trainer.batch_size,
            rank=self._rank,
            world=self._world,
            epoch=lambda: self.trainer.global_step // trainer.epoch_steps if self.trainer else 0,
        )
        return DataLoader(
            _AsMap(self.samples),
            collate_fn=partial(stacked, experiment=None if self._on_gpu else self._experiment),
            batch_size=trainer.batch_size,
            sampler=positions,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=8 if workers else None,
            pin_memory=self._on_gpu and self._pool_device.type == "cpu",
            worker_init_fn=_single_thread,
        )

    def val_dataloader(self) -> DataLoader[WholeCase]:
        """This process's share of the validation cases, at least one, so that all validate alike."""
        mine = self.validation[self._rank :: self._world] or self.validation[:1]
        return DataLoader(_WholeCases(mine), batch_size=None)

    def close(self) -> None:
        """End what ``find`` began."""
        if self._makers is not None:
            self._makers.close()

    @property
    def waited(self) -> float:
        """Seconds in which the training process could not go on because a synthetic patient was not there yet."""
        return self.samples.waited if isinstance(self.samples, SyntheticSamples) else 0.0

    @property
    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type != "cpu"

    @property
    def _pool_device(self) -> torch.device:
        """Where the pool of synthetic patients lies, and where they are made unless there are makers."""
        synthetic = self._experiment.data.synthetic
        on_device = synthetic is not None and synthetic.on_device and self.trainer is not None
        return self.trainer.strategy.root_device if on_device else torch.device("cpu")

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer else 1


class _AsMap(Dataset[Sample]):
    """What a DataLoader takes."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __getitem__(self, position: int) -> Sample:
        return self._samples[position]


class _WholeCases(Dataset[WholeCase]):
    def __init__(self, cases: list[PreparedCase]) -> None:
        self._cases = cases

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index: int) -> WholeCase:
        case = self._cases[index]
        return case.id, case.images, case.regions


def _single_thread(_: int) -> None:
    torch.set_num_threads(1)
