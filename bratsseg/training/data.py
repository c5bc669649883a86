"""The loaders, as Lightning asks for them: samples by their position in the run, and whole cases for validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from lightning import pytorch as pl
from torch.utils.data import DataLoader, Dataset, Sampler

from bratsseg.training.experiment import Experiment
from bratsseg.training.synthetic import SyntheticSamples, validation_patients


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


class CaseData(pl.LightningDataModule):
    """Training samples and validation cases of an experiment."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self._experiment = experiment
        self.samples: Any = None
        self._validation: list[Any] = []

    def setup(self, stage: str | None = None) -> None:
        """Open the cases on every process."""
        if self.samples is None:
            self.samples = SyntheticSamples(self._experiment, self._experiment.trainer.batch_size * self._world)
            self._validation = validation_patients(self._experiment)

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches (pictures, truth, positions) of this process."""
        trainer, workers = self._experiment.trainer, self._experiment.data.workers
        positions = Positions(
            batches=trainer.epoch_steps * trainer.accumulate,
            batch_size=trainer.batch_size,
            rank=self.trainer.global_rank if self.trainer else 0,
            world=self._world,
            epoch=lambda: self.trainer.global_step // trainer.epoch_steps if self.trainer else 0,
        )
        return DataLoader(
            self.samples,
            batch_size=trainer.batch_size,
            sampler=positions,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=8 if workers else None,
            pin_memory=torch.cuda.is_available() and trainer.accelerator != "cpu",
            worker_init_fn=_single_thread,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """This process's share of the validation cases, at least one: (id, images, regions)."""
        rank = self.trainer.global_rank if self.trainer else 0
        mine = self._validation[rank :: self._world] or self._validation[:1]
        return DataLoader(_WholeCases(mine), batch_size=None)

    @property
    def _world(self) -> int:
        return self.trainer.world_size if self.trainer else 1


class _WholeCases(Dataset[tuple[str, torch.Tensor, torch.Tensor]]):
    def __init__(self, cases: list[Any]) -> None:
        self._cases = cases

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index: int) -> tuple[str, torch.Tensor, torch.Tensor]:
        case = self._cases[index]
        return case.id, case.images, case.regions


def _single_thread(_: int) -> None:
    torch.set_num_threads(1)
