"""What a model can do with which modalities: Dice of WT, TC and ET for each of the 15 subsets.

usage: .venv/bin/python scripts/subsets.py MODEL [FOLDER ...] [--patients 12] [--seed 5151]
       [--config FILE] [--synthesis synthesis.tumour.none=0 ...]   (see scripts/patients.py)

Without FOLDER on synthetic patients; with FOLDERs on the four-modality cases in them that have a reference. Prints the
table as it stands on a model's card. Both sides empty counts 1; a dash: the region or the subset is not assessable.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from patients import add_patient_options, generator_of, study_of

from bratsseg.errors import ModalityMissing
from bratsseg.inference import Segmenter
from bratsseg.results.sorting import LENIENT
from bratsseg.study.dialect import get_dialect
from bratsseg.study.modality import Modality
from bratsseg.study.overlap import dice
from bratsseg.study.reading import read_reference, read_study
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.tensors.augmentation import ModalityShares
from bratsseg.training.sources import DataConfig, find_training_cases

Truth = NDArray[np.bool_]
SUBSETS = [frozenset(subset) for size in (4, 3, 2, 1) for subset in combinations(Modality, size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--patients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=5151)
    add_patient_options(parser)
    options = parser.parse_args()
    generator = generator_of(options, parser)
    segmenter = Segmenter.load(options.model)
    scores: dict[frozenset[Modality], list[list[float]]] = {subset: [] for subset in SUBSETS}
    made = synthetic(options.seed, options.patients, generator)
    for study, truth in real(options.folders) if options.folders else made:
        for subset, rows in scores.items():
            rows.extend(scored(segmenter, study, subset, truth))
    print("| modalities | WT | TC | ET |\n|---|---|---|---|")
    for subset, rows in scores.items():
        named = ", ".join(modality.label for modality in Modality if modality in subset)
        means = np.mean(rows, 0) if rows else [np.nan] * len(Region)
        print(f"| {named} |", " | ".join("–" if np.isnan(mean) else f"{mean:.3f}" for mean in means), "|")


def synthetic(seed: int, patients: int, generator: SynthesisConfig) -> Iterator[tuple[Study, Truth]]:
    for index in range(patients):
        patient = synthesize_patient(seed, index, config=generator)
        yield study_of(patient), patient.regions.numpy()


def real(folders: list[Path]) -> Iterator[tuple[Study, Truth]]:
    """Cases with all modalities and a reference."""
    for folder in folders:
        for found in find_training_cases(DataConfig(folder=folder, modality_dropout=ModalityShares()))[0]:
            study = read_study(found.case)
            if found.case.reference is not None and len(study.modalities) == len(Modality):
                owner = f"case {found.case.id}"
                reference = read_reference(found.case.reference, owner, LENIENT)
                yield study, get_dialect(found.dialect).decode(reference.values(), owner)


def scored(segmenter: Segmenter, study: Study, subset: frozenset[Modality], truth: Truth) -> list[list[float]]:
    """Dice of the regions, or nothing where the subset cannot be segmented; NaN for a region that is not assessable."""
    part = Study(study.case_id, {m: v for m, v in study.volumes.items() if m in subset}, mask=study.mask)
    try:
        found = segmenter.segment(part)
    except ModalityMissing:
        return []
    known = found.label_map.assessable
    return [[dice(found.label_map.region(r), truth[n]) if r in known else np.nan for n, r in enumerate(Region)]]


if __name__ == "__main__":
    main()
