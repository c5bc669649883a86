"""Synthetic patients for the scripts that measure and tune models: which ones, and what a model says of each.

``--synthesis KEY=VALUE`` changes the generator as overrides of an experiment do (``synthesis.tumour.none=0``), on top
of ``--config FILE``, an experiment whose patients these are to be. What nobody declared is refused.

``measured`` takes each patient once through a model, in several processes, at the model's own spacing so that nothing
is resampled, and keeps logits and truth in files: decoding rules and quality figures are tried on these alone. With
``--keep FOLDER`` they stay, for a second script or after an interruption; a patient takes 14 MB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from bratsseg.config import Config, parse_overrides, read_config
from bratsseg.errors import ConfigError
from bratsseg.inference import Segmenter
from bratsseg.inference.model import ModelFolder, ReleasedModel
from bratsseg.inference.probabilities import region_probabilities
from bratsseg.inference.runtime import Runtime
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import VERSION, SynthesisConfig, synthesize_patient
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.tensors.transforms import place_back
from bratsseg.training.experiment import Experiment

SUBSETS = {"four": tuple(Modality), "flair_t1ce": (Modality.FLAIR, Modality.T1C)}
KINDS = ("non-enhancing", "small", "faint", "no tumour")
SMALL_ML, FAINT_Z = 10.0, 1.5
"""Whole tumours below this volume are small; faint where their mean FLAIR is less above that of the brain around them,
in standard deviations of that."""
_SET = "set.json"
Mask = NDArray[np.bool_]
ResultT = TypeVar("ResultT")


class _Patients(Config):
    synthesis: SynthesisConfig = SynthesisConfig()


@dataclass(frozen=True)
class PatientSet:
    """Which patients, through which model, with which modalities by name, kept where."""

    model: str
    seed: int
    patients: int
    generator: SynthesisConfig
    folder: Path
    subsets: Mapping[str, tuple[Modality, ...]]


@dataclass(frozen=True, eq=False)
class Output:
    """What a model says of one patient, in the box of the brain: ``logits`` (C, I, J, K) float16, ``truth``
    (3, I, J, K) bool, ``inside`` (I, J, K) bool. ``known`` are the regions that the modalities can show, ``kinds``
    those of ``KINDS`` that the patient is, ``voxel_ml`` the
    volume of a voxel."""

    index: int
    subset: str
    logits: NDArray[np.float16]
    truth: Mask
    inside: Mask
    known: tuple[Region, ...]
    kinds: tuple[str, ...]
    voxel_ml: float

    def probabilities(self, model: ReleasedModel) -> NDArray[np.float32]:
        """Of the ``known`` regions (R, I, J, K), 0 outside the brain."""
        every = region_probabilities(torch.from_numpy(self.logits), model.target).numpy() * self.inside
        return every[[model.regions.index(region) for region in self.known]]


def add_patient_options(parser: argparse.ArgumentParser) -> None:
    """``--config`` and ``--synthesis``, read by ``generator_of``."""
    parser.add_argument("--config", type=Path, help="an experiment whose synthetic patients to take")
    parser.add_argument("--synthesis", nargs="+", default=[], metavar="KEY=VALUE", help="synthesis.tumour.none=0 …")


def add_set_options(parser: argparse.ArgumentParser, *, patients: int, seed: int) -> None:
    """The options of ``patient_set``."""
    add_patient_options(parser)
    parser.add_argument("--patients", type=int, default=patients)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--workers", type=int, default=2, help="processes of a thread each")
    parser.add_argument("--keep", type=Path, help="folder of outputs, taken where they are of this model and set")


def generator_of(options: argparse.Namespace, parser: argparse.ArgumentParser) -> SynthesisConfig:
    """The generator that was asked for; ends the script where the options name what there is not."""
    wrong = [text for text in options.synthesis if not text.startswith("synthesis.")]
    if wrong:
        parser.error(f"--synthesis: keys must begin with synthesis. as in an experiment, was {wrong[0]}")
    try:
        if options.config is not None:
            return read_config(Experiment, options.config, options.synthesis).synthesis
        return parse_overrides(_Patients, options.synthesis, "--synthesis").synthesis
    except ConfigError as error:
        parser.error(str(error))


def hash_of_config(generator: SynthesisConfig) -> str:
    """What tells one generator's patients from another's."""
    return hashlib.sha256(generator.model_dump_json().encode()).hexdigest()


def study_of(patient: SyntheticPatient, subset: Sequence[Modality] = tuple(Modality)) -> Study:
    """A synthetic patient as if it had been read from files, with some of its modalities and its brain."""
    grid = Grid.of(patient.brain.shape, np.diag([*patient.spacing, 1.0]))
    images = patient.images.numpy()
    volumes = {m: Volume(images[n], grid) for n, m in enumerate(Modality) if m in subset}
    return Study("synthetic", volumes, mask=Volume(patient.brain.numpy().astype(np.uint8), grid))


@contextmanager
def patient_set(
    options: argparse.Namespace,
    parser: argparse.ArgumentParser,
    subsets: Mapping[str, tuple[Modality, ...]] = SUBSETS,
) -> Iterator[PatientSet]:
    """The set that the options ask for; its files go with it unless ``--keep`` says where they stay."""
    generator = generator_of(options, parser)
    with TemporaryDirectory() as passing:
        folder = options.keep or Path(passing)
        yield PatientSet(options.model, options.seed, options.patients, generator, folder, subsets)


def measured(wanted: PatientSet, workers: int, of: Callable[[Output], ResultT]) -> Iterator[ResultT]:
    """``of`` each patient's outputs, in order; those that lie in the folder are not made again."""
    _claim(wanted)
    indices = range(wanted.patients)
    task = partial(_measured, wanted, of)
    if workers == 1:
        yield from (found for index in indices for found in task(index))
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        for found in pool.map(task, indices):
            yield from found


def _measured(wanted: PatientSet, of: Callable[[Output], ResultT], index: int) -> list[ResultT]:
    return [of(output) for output in read(made(wanted, index), index)]


def _claim(wanted: PatientSet) -> None:
    """Refuse a folder whose files are of another model, generator or seed."""
    said = {
        "model": ModelFolder.find(wanted.model).sha256,
        "generator": VERSION,
        "config": hash_of_config(wanted.generator),
        "seed": wanted.seed,
    }
    wanted.folder.mkdir(parents=True, exist_ok=True)
    path = wanted.folder / _SET
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != said:
        raise SystemExit(f"{wanted.folder}: must hold outputs of this model and set, holds others; give another --keep")
    path.write_text(json.dumps(said), encoding="utf-8")


def made(wanted: PatientSet, index: int) -> list[Path]:
    """The files of one patient, a subset each, made where they are missing."""
    paths = {name: wanted.folder / f"{index:05d}-{name}.npz" for name in wanted.subsets}
    missing = {name: path for name, path in paths.items() if not path.is_file()}
    if missing:
        segmenter = _segmenter(wanted.model)
        spacing = segmenter.model.preparation.spacing_mm or 1.0
        patient = synthesize_patient(wanted.seed, index, spacing, wanted.generator)
        for name, path in missing.items():
            _write(path, segmenter, patient, wanted.subsets[name])
    return list(paths.values())


@cache
def _segmenter(model: str) -> Segmenter:
    """The model in float32 on the CPU, so that machines agree."""
    return Segmenter(ModelFolder.find(model), Runtime("cpu", None))


def _write(path: Path, segmenter: Segmenter, patient: SyntheticPatient, subset: Sequence[Modality]) -> None:
    prepared = segmenter.prepare(study_of(patient, subset), force=True)
    with torch.inference_mode():
        logits = place_back(segmenter.run(prepared)[0].float(), prepared.placement)
    box = prepared.placement.box
    part = path.with_suffix(".part")
    with part.open("wb") as stream:
        np.savez(
            stream,
            logits=logits.clamp(-30, 30).half().numpy(),
            truth=np.packbits(patient.regions.numpy()[(slice(None), *box)]),
            inside=np.packbits(patient.brain.numpy()[box]),
            known=[str(region) for region in Region if region not in prepared.not_assessable],
            kinds=np.array(kinds(patient), dtype=str),
            voxel_ml=np.prod(patient.spacing) / 1000,
        )
    part.replace(path)


def read(paths: Sequence[Path], index: int) -> Iterator[Output]:
    """The outputs in the files of one patient."""
    for path in paths:
        with np.load(path) as kept:
            logits = kept["logits"]
            shape = logits.shape[1:]
            truth, inside = (
                np.unpackbits(kept[name], count=parts * int(np.prod(shape))).astype(bool).reshape(parts, *shape)
                for name, parts in (("truth", len(Region)), ("inside", 1))
            )
            known = tuple(Region(str(name)) for name in kept["known"])
            described, voxel_ml = tuple(str(kind) for kind in kept["kinds"]), float(kept["voxel_ml"])
        yield Output(index, path.stem.partition("-")[2], logits, truth, inside[0], known, described, voxel_ml)


def kinds(patient: SyntheticPatient) -> tuple[str, ...]:
    """Which of ``KINDS`` a patient is."""
    whole, core, enhancing = patient.regions
    if not whole.any():
        return ("no tumour",)
    flair = patient.images[tuple(Modality).index(Modality.FLAIR)]
    around = flair[patient.brain & ~whole]
    contrast = float((flair[whole].mean() - around.mean()) / around.std())
    volume_ml = int(whole.sum()) * float(np.prod(patient.spacing)) / 1000
    are = {
        "non-enhancing": bool(core.any() and not enhancing.any()),
        "small": volume_ml < SMALL_ML,
        "faint": contrast < FAINT_Z,
    }
    return tuple(kind for kind in KINDS if are.get(kind, False))
