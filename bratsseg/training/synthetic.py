"""Synthetic patients as samples: any sample can be made from its position alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from bratsseg.study.regions import Region
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.pictures import Pictures, take_pictures
from bratsseg.tensors.transforms import Preparation
from bratsseg.tensors.windows import SlabWindows
from bratsseg.training.experiment import Experiment
from bratsseg.training.prepared import PreparedCase, frame, prepared
from bratsseg.training.samples import draw_window, sample_generator
from bratsseg.training.sources import DataConfig, SyntheticConfig

VALIDATION_SEED_OFFSET = 500_009
"""Added to the seed for validation patients, which training never sees."""


def prepare_patient(
    patient: SyntheticPatient, data: DataConfig, preparation: Preparation, name: str = "synthetic"
) -> PreparedCase:
    """The patient in the model's frame, as inference takes a study there; the channels and regions of ``data``."""
    return _prepared([patient.scanned()], data, preparation, name)


def prepare_pictures(
    pictures: Pictures, data: DataConfig, preparation: Preparation, name: str = "synthetic", *, single: bool = False
) -> PreparedCase:
    """The same of a stack of pictures; ``single`` takes each of them for a study of its own."""
    return _prepared(pictures.one_by_one() if single else [pictures], data, preparation, name)


def _prepared(
    parts: Sequence[SyntheticPatient | Pictures], data: DataConfig, preparation: Preparation, name: str
) -> PreparedCase:
    rows = [list(Region).index(region) for region in data.regions]
    framed = [
        frame(part.study(name), part.known_brain(), part.regions[rows], data.modalities, preparation) for part in parts
    ]
    images, regions, inside = (
        torch.cat(stacks, -1)
        for stacks in (
            [each.images for each in framed],
            [each.regions for each in framed],
            [each.inside for each in framed],
        )
    )
    return prepared(name, images, regions, inside, voxel_ml=framed[0].voxel_ml)


class PatientKey(NamedTuple):
    """Patient ``number`` of those to train on, or of those that may validate."""

    number: int
    validation: bool = False


class SyntheticCase(NamedTuple):
    """A patient, and whether it has a tumour."""

    case: PreparedCase
    tumour: bool


class Makers(Protocol):
    """Who makes patients ahead."""

    def ask(self, wanted: Sequence[PatientKey]) -> None:
        """These are needed, soonest first, and nothing else any more."""

    def take(self, wanted: PatientKey) -> SyntheticCase:
        """Wait for one."""


class SyntheticSamples(Dataset[tuple[Tensor, Tensor, int]]):
    """Sample ``position`` of the whole run: a picture, its truth, and the position.

    ``batch_size`` counts the samples of one batch over all processes. Batch b is cut from the ``volumes`` newest
    patients of lane b mod ``lanes``, which move on by ``batch_size / windows_per_volume`` patients a batch: so a
    sample depends on the experiment and its position alone, whoever makes it, and a resumed run sees what it would
    have seen. Each process keeps the patients of the lanes it serves, on ``device``, where they are made; or
    ``makers`` make them and bring them there.
    """

    def __init__(
        self,
        experiment: Experiment,
        batch_size: int,
        device: torch.device | str = "cpu",
        makers: Makers | None = None,
    ) -> None:
        self._experiment = experiment
        self._synthetic = experiment.data.synthetic or SyntheticConfig()
        self._batch_size, self._device, self._makers = batch_size, device, makers
        self._patients: dict[int, PreparedCase] = {}
        self._batch = -1
        self.waited = 0.0
        """Seconds in which a sample could not be cut because its patient was not there yet."""

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor, int]:
        """Make the sample; slow where its patient has to be made first."""
        experiment = self._experiment
        batch, slot = divmod(position, self._batch_size)
        pool = self._pool(batch)
        if batch != self._batch:
            self._batch = batch
            self._turn_to(pool, batch % self._synthetic.lanes)
        of_batch = sample_generator(experiment.seed + 1, batch)
        windows = experiment.windows
        shares = windows.planes if isinstance(windows, SlabWindows) else (0.0, 0.0, 1.0)
        axis = int(torch.multinomial(torch.tensor(shares), 1, generator=of_batch))
        order = torch.randperm(len(pool), generator=of_batch)
        patient = self._patient(pool[int(order[slot % len(pool)])])
        generator = sample_generator(experiment.seed, position)
        return *draw_window(patient, windows, generator, axis), position

    def name_of(self, position: int) -> str:
        """The patient behind a sample, for a message."""
        return f"synthetic sample {position}"

    def _pool(self, batch: int) -> range:
        """The patients that a batch is cut from."""
        synthetic = self._synthetic
        turn, lane = divmod(batch, synthetic.lanes)
        oldest = turn * self._batch_size // synthetic.windows_per_volume
        first = synthetic.volumes_at_first or synthetic.volumes
        size = min(first + turn, synthetic.volumes)
        return range(oldest * synthetic.lanes + lane, (oldest + size) * synthetic.lanes + lane, synthetic.lanes)

    def _turn_to(self, pool: range, lane: int) -> None:
        """Let go of what no later batch is cut from, and have made what this one and the next are."""
        for number in [n for n in self._patients if n % self._synthetic.lanes == lane and n < pool[0]]:
            del self._patients[number]
        if self._makers is not None:
            ahead = pool[0] + self._synthetic.volumes + 2 * self._synthetic.makers
            self._makers.ask([PatientKey(n) for n in range(pool[0], ahead) if n not in self._patients])

    def _patient(self, number: int) -> PreparedCase:
        if number not in self._patients:
            begun = time.monotonic()
            if self._makers is None:
                self._patients[number] = make_patient(self._experiment, number, self._device)
            else:
                self._patients[number] = self._makers.take(PatientKey(number)).case
            self.waited += time.monotonic() - begun
        return self._patients[number]


def make_patient(experiment: Experiment, index: int, device: torch.device | str = "cpu") -> PreparedCase:
    """Training patient ``index`` of an experiment, made and kept on ``device``."""
    return make_case(experiment, PatientKey(index), device).case


def make_case(experiment: Experiment, wanted: PatientKey, device: torch.device | str = "cpu") -> SyntheticCase:
    """A patient of an experiment, made and kept on ``device``."""
    number = wanted.number
    if wanted.validation:
        return _made(experiment, experiment.seed + VALIDATION_SEED_OFFSET, number, f"v{number}", device)
    return _made(experiment, experiment.seed, number, f"s{number}", device)


def validation_patients(
    experiment: Experiment, device: torch.device | str = "cpu", makers: Makers | None = None
) -> list[PreparedCase]:
    """The fixed set of whole synthetic patients with a tumour, made on ``device`` and kept in the CPU's memory.

    ``makers`` make them in its place, and begin to make those to train on beside them.
    """
    found: list[PreparedCase] = []
    index = 0
    synthetic = experiment.data.synthetic or SyntheticConfig()
    if makers is not None:
        candidates = [PatientKey(n, validation=True) for n in range(synthetic.validation_patients + 2)]
        makers.ask([*candidates, *(PatientKey(n) for n in range(synthetic.volumes))])
    while len(found) < synthetic.validation_patients and index < 1000:
        wanted = PatientKey(index, validation=True)
        made, tumour = make_case(experiment, wanted, device) if makers is None else makers.take(wanted)
        if tumour:
            found.append(replace(made, images=made.images.cpu(), regions=made.regions.cpu()))
        index += 1
    return found


def _made(experiment: Experiment, seed: int, index: int, name: str, device: torch.device | str) -> SyntheticCase:
    """The patient (seed, index) as the network sees it."""
    config, preparation = experiment.synthesis, experiment.preparation
    if preparation.subject == "volume":
        patient = synthesize_patient(seed, index, preparation.spacing_mm or 1.0, config, device)
        made = prepare_patient(patient, experiment.data, preparation, name)
        return SyntheticCase(made, bool(patient.regions[0].any()))
    patient = synthesize_patient(seed, index, config.pictures.spacing_mm, config, device)
    pictures = take_pictures(patient, seed, index, config.pictures)
    share = (experiment.data.synthetic or SyntheticConfig()).single
    single = float(torch.rand((), generator=sample_generator(seed + 3, index))) < share
    made = prepare_pictures(pictures, experiment.data, preparation, name, single=single)
    return SyntheticCase(made, bool(pictures.regions[0].any()))
