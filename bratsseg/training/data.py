"""Synthetic patients as an endless, reproducible stream of batches of slabs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from bratsseg.study.modality import Modality
from bratsseg.synthesis.generator import SyntheticPatient, synthesize_patient
from bratsseg.tensors.transforms import normalise
from bratsseg.tensors.windows import fit, rows_with, slab
from bratsseg.training.experiment import DataConfig, Experiment, ModalityShares

VALIDATION_SEED_OFFSET = 500_009
"""Added to the seed for validation patients, which training never sees."""


@dataclass(frozen=True)
class PreparedPatient:
    """``volume`` (4, I, J, K) float16, z-scored in the brain and 0 outside; ``regions`` (3, I, J, K) bool, RAS.

    ``rows[axis]`` and ``tumour_rows[axis]`` are the positions along each axis with brain, and with tumour.
    """

    volume: Tensor
    regions: Tensor
    rows: tuple[Tensor, Tensor, Tensor]
    tumour_rows: tuple[Tensor, Tensor, Tensor]


def prepare_patient(patient: SyntheticPatient) -> PreparedPatient:
    """Crop to the brain's box and z-score, as inference does."""
    box = tuple(slice(int(r[0]), int(r[-1]) + 1) for r in (rows_with(patient.brain, axis) for axis in range(3)))
    brain = patient.brain[box]
    regions = patient.regions[(slice(None), *box)].clone()
    rows = [rows_with(brain, axis) for axis in range(3)]
    tumour = [rows_with(regions[0], axis) for axis in range(3)]
    volume = normalise(patient.images[(slice(None), *box)], brain).half()
    return PreparedPatient(volume, regions, (rows[0], rows[1], rows[2]), (tumour[0], tumour[1], tumour[2]))


class SlabStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches (N, 4 × slices, A, B) float16 slabs and (N, 3, A, B) uint8 truth of their centre slice.

    Batch ``b`` of worker ``w`` depends on (seed, w, b) alone: it is cut from that worker's patients ``v - volumes``
    to ``v``, with ``v`` fixed by ``b``. So a run that is resumed at an epoch sees what it would have seen.
    One iteration yields one epoch; a worker process keeps its patients from epoch to epoch.
    """

    def __init__(self, experiment: Experiment, first_epoch: int = 0) -> None:
        super().__init__()
        self._experiment = experiment
        self._epoch = first_epoch
        self._patients: dict[int, PreparedPatient] = {}

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of one epoch."""
        worker = get_worker_info()
        number, count = (worker.id, worker.num_workers) if worker else (0, 1)
        steps = self._experiment.trainer.steps_per_epoch
        first = self._epoch * steps
        self._epoch += 1
        for step in range(first + number, first + steps, count):
            yield self._batch(step, number, count)

    def _batch(self, step: int, worker: int, workers: int) -> tuple[Tensor, Tensor]:
        data, size = self._experiment.data, self._experiment.trainer.batch_size
        newest = data.volumes + (step // workers) * size // data.slabs_per_volume
        wanted = range(newest - data.volumes, newest)
        self._patients = {n: p for n, p in self._patients.items() if n in wanted}
        for n in wanted:
            if n not in self._patients:
                self._patients[n] = make_patient(self._experiment, n * workers + worker)
        generator = torch.Generator().manual_seed(self._experiment.seed * 1_000_003 + step * 31 + 7)
        axis = int(torch.multinomial(torch.tensor(data.planes), 1, generator=generator))
        order = torch.randperm(data.volumes, generator=generator).repeat(size // data.volumes + 1)[:size]
        pairs = [draw_sample(self._patients[wanted[int(i)]], axis, data, generator) for i in order]
        return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])


def make_patient(experiment: Experiment, index: int) -> PreparedPatient:
    """Training patient ``index`` of an experiment."""
    return prepare_patient(synthesize_patient(experiment.seed, index, experiment.data.spacing_mm, experiment.synthesis))


def draw_sample(
    patient: PreparedPatient, axis: int, data: DataConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """One slab (4 × slices, A, B) float16 and the truth (3, A, B) uint8 of its centre slice."""

    def uniform() -> float:
        return float(torch.rand((), generator=generator))

    tumour = patient.tumour_rows[axis]
    rows = tumour if len(tumour) and uniform() < data.tumour_share else patient.rows[axis]
    at = int(rows[int(uniform() * len(rows))])
    start = (uniform(), uniform())
    picture = fit(slab(patient.volume, at, data.slices, axis), data.window[axis], start)
    truth = fit(patient.regions.select(axis + 1, at).to(torch.uint8), data.window[axis], start)
    flips = [dim for dim in (-2, -1) if uniform() < 0.5]
    if flips:
        picture, truth = picture.flip(flips), truth.flip(flips)
    return jitter(picture, data, generator), truth.contiguous()


def jitter(picture: Tensor, data: DataConfig, generator: torch.Generator) -> Tensor:
    """Random gain and offset per modality inside the brain, and modality dropout; (4 × slices, A, B)."""
    kept = draw_modalities(data.modalities, generator)
    parts = picture.float().view(len(Modality), data.slices, *picture.shape[1:])
    numbers = torch.randn((2, len(Modality), 1, 1, 1), generator=generator)
    gain = (numbers[0] * data.gain_sd).exp() * kept.view(-1, 1, 1, 1)
    offset = numbers[1] * data.offset_sd * kept.view(-1, 1, 1, 1)
    return (parts * gain + offset * (parts != 0)).flatten(0, 1).half()


def draw_modalities(shares: ModalityShares, generator: torch.Generator) -> Tensor:
    """Which modalities are kept: (4,) of 0 and 1 in ``Modality`` order."""
    draw = float(torch.rand((), generator=generator))
    for share, kept in (
        (shares.all_four, (1, 1, 1, 1)),
        (shares.flair_t1c, (1, 0, 1, 0)),
        (shares.flair_only, (1, 0, 0, 0)),
    ):
        if draw < share:
            return torch.tensor(kept)
        draw -= share
    return torch.tensor(_OTHER_SUBSETS[int(torch.randint(len(_OTHER_SUBSETS), (), generator=generator))])


_NAMED_SUBSETS = ((1, 1, 1, 1), (1, 0, 1, 0), (1, 0, 0, 0))
_OTHER_SUBSETS = [
    kept
    for n in range(16)
    if ((kept := (n >> 3 & 1, n >> 2 & 1, n >> 1 & 1, n & 1))[0] or kept[3]) and kept not in _NAMED_SUBSETS
]


class ValidationPatients(Dataset[tuple[Tensor, Tensor]]):
    """A fixed set of whole synthetic patients with a tumour, made once: (volume, regions) as in PreparedPatient."""

    def __init__(self, experiment: Experiment) -> None:
        self._patients: list[PreparedPatient] = []
        index = 0
        while len(self._patients) < experiment.trainer.validation_patients and index < 1000:
            made = synthesize_patient(
                experiment.seed + VALIDATION_SEED_OFFSET, index, experiment.data.spacing_mm, experiment.synthesis
            )
            index += 1
            if made.regions[0].any():
                self._patients.append(prepare_patient(made))

    def __len__(self) -> int:
        return len(self._patients)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Patient ``index`` of the set."""
        return self._patients[index].volume, self._patients[index].regions


def training_loader(experiment: Experiment, stream: SlabStream) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of ``stream``, made by other processes if the config asks for them."""
    workers = experiment.data.workers
    return DataLoader(
        stream,
        batch_size=None,
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=8 if workers else None,
        worker_init_fn=_single_thread,
    )


def _single_thread(_: int) -> None:
    torch.set_num_threads(1)
