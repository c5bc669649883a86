"""Synthetic patients as samples: any sample can be made from its position alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.pictures import Pictures, take_pictures
from bratsseg.tensors.transforms import Preparation, normalise, normalise_as, plan
from bratsseg.tensors.windows import SlabWindows, rows_with
from bratsseg.training.experiment import Experiment
from bratsseg.training.prepared import PreparedCase, prepared
from bratsseg.training.samples import draw_window, sample_generator
from bratsseg.training.sources import DataConfig, SyntheticConfig

VALIDATION_SEED_OFFSET = 500_009
"""Added to the seed for validation patients, which training never sees."""


def prepare_patient(patient: SyntheticPatient, data: DataConfig, name: str = "synthetic") -> PreparedCase:
    """Crop to the brain's box and z-score, as inference does; the channels and regions that ``data`` names."""
    channels = [list(Modality).index(modality) for modality in data.modalities]
    rows = [list(Region).index(region) for region in data.regions]
    box = tuple(slice(int(r[0]), int(r[-1]) + 1) for r in (rows_with(patient.brain, axis) for axis in range(3)))
    brain = patient.brain[box]
    images = normalise(patient.images[(slice(None), *box)][channels], brain)
    return prepared(name, images, patient.regions[(slice(None), *box)][rows], brain)


def prepare_pictures(
    pictures: Pictures, data: DataConfig, preparation: Preparation, name: str = "synthetic", *, single: bool = False
) -> PreparedCase:
    """Normalise a stack of pictures as inference does; ``single`` takes each of them for a study of its own."""
    channels = [list(Modality).index(modality) for modality in data.modalities]
    rows = [list(Region).index(region) for region in data.regions]
    images = pictures.images[channels] * 255
    inside = torch.ones(images.shape[1:], dtype=torch.bool)
    stacks = [images[..., k : k + 1] for k in range(images.shape[-1])] if single else [images]
    done = torch.cat([_normalised(stack, inside[..., : stack.shape[-1]], preparation) for stack in stacks], -1)
    return prepared(name, done, pictures.regions[rows], inside)


def _normalised(images: Tensor, inside: Tensor, preparation: Preparation) -> Tensor:
    i, j, k = inside.shape
    grid = Grid.of((i, j, k), np.eye(4), physical=False)
    placement = plan(grid, (slice(0, i), slice(0, j), slice(0, k)), preparation)
    return torch.cat([normalise_as(preparation.normalisation, image[None], inside, placement) for image in images])


class SyntheticSamples(Dataset[tuple[Tensor, Tensor, int]]):
    """Sample ``position`` of the whole run: a picture, its truth, and the position.

    ``batch_size`` counts the samples of one batch over all processes. Batch b is cut from the ``volumes`` newest
    patients of lane b mod ``lanes``, which move on by ``batch_size / windows_per_volume`` patients a batch: so a
    sample depends on the experiment and its position alone, whoever makes it, and a resumed run sees what it would
    have seen. Each process keeps the patients of the lanes it serves.
    """

    def __init__(self, experiment: Experiment, batch_size: int) -> None:
        self._experiment = experiment
        self._synthetic = experiment.data.synthetic or SyntheticConfig()
        self._batch_size = batch_size
        self._patients: dict[int, PreparedCase] = {}

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor, int]:
        """Make the sample; slow where its patient has to be made first."""
        experiment, synthetic = self._experiment, self._synthetic
        batch, slot = divmod(position, self._batch_size)
        pool = self._pool(batch)
        of_batch = sample_generator(experiment.seed + 1, batch)
        windows = experiment.windows
        shares = windows.planes if isinstance(windows, SlabWindows) else (0.0, 0.0, 1.0)
        axis = int(torch.multinomial(torch.tensor(shares), 1, generator=of_batch))
        order = torch.randperm(synthetic.volumes, generator=of_batch)
        patient = self._patient(pool[int(order[slot % synthetic.volumes])])
        generator = sample_generator(experiment.seed, position)
        return *draw_window(patient, windows, generator, axis), position

    def name_of(self, position: int) -> str:
        """The patient behind a sample, for a message."""
        return f"synthetic sample {position}"

    def _pool(self, batch: int) -> list[int]:
        synthetic = self._synthetic
        turn, lane = divmod(batch, synthetic.lanes)
        newest = synthetic.volumes + turn * self._batch_size // synthetic.windows_per_volume
        pool = [n * synthetic.lanes + lane for n in range(newest - synthetic.volumes, newest)]
        old = [n for n in self._patients if n % synthetic.lanes == lane and n < pool[0]]
        for number in old:
            del self._patients[number]
        return pool

    def _patient(self, number: int) -> PreparedCase:
        if number not in self._patients:
            self._patients[number] = make_patient(self._experiment, number)
        return self._patients[number]


def make_patient(experiment: Experiment, index: int) -> PreparedCase:
    """Training patient ``index`` of an experiment."""
    return _made(experiment, experiment.seed, index, f"s{index}")[0]


def validation_patients(experiment: Experiment) -> list[PreparedCase]:
    """The fixed set of whole synthetic patients with a tumour."""
    found: list[PreparedCase] = []
    index = 0
    wanted = (experiment.data.synthetic or SyntheticConfig()).validation_patients
    while len(found) < wanted and index < 1000:
        made, tumour = _made(experiment, experiment.seed + VALIDATION_SEED_OFFSET, index, f"v{index}")
        if tumour:
            found.append(made)
        index += 1
    return found


def _made(experiment: Experiment, seed: int, index: int, name: str) -> tuple[PreparedCase, bool]:
    """The patient (seed, index) as the network sees it, and whether it has a tumour."""
    config, preparation = experiment.synthesis, experiment.preparation
    if preparation.subject == "volume":
        patient = synthesize_patient(seed, index, preparation.spacing_mm or 1.0, config)
        return prepare_patient(patient, experiment.data, name), bool(patient.regions[0].any())
    patient = synthesize_patient(seed, index, config.pictures.spacing_mm, config)
    pictures = take_pictures(patient, seed, index, config.pictures)
    share = (experiment.data.synthetic or SyntheticConfig()).single
    single = float(torch.rand((), generator=sample_generator(seed + 3, index))) < share
    made = prepare_pictures(pictures, experiment.data, preparation, name, single=single)
    return made, bool(pictures.regions[0].any())
