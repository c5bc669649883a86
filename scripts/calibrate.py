"""Choose a model's decoding rules on synthetic patients, never on real ones.

usage: .venv/bin/python scripts/calibrate.py MODEL [--patients 24] [--seed 4242] [--rounds 2]

A rule is changed only when that gains .003 of mean Dice: less is the luck of a few patients.
Every patient goes the whole road (1 mm, with all four modalities and with FLAIR + T1ce alone); then one rule after
the other is varied, and the value with the best mean Dice over WT, TC and ET is kept. Prints the table and the JSON
to put into ``model.json``.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from bratsseg.inference import Segmenter
from bratsseg.inference.decoding import Decoding, decode
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.overlap import dice
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.tensors.transforms import place_back

SUBSETS = (tuple(Modality), (Modality.FLAIR, Modality.T1C))
GRID: dict[str, tuple[Any, ...]] = {
    "WT": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65),
    "TC": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65),
    "ET": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65),
    "score_share": (0.0, 0.02, 0.05, 0.1, 0.15, 0.25, 0.4, 0.7),
    "confidence": (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95),
    "smallest_wt_ml": (0.05, 0.2, 0.5, 1.0, 2.0),
    "smallest_et_ml": (0.0, 0.03, 0.1, 0.2, 0.5),
    "et_confidence": (0.5, 0.6, 0.7, 0.8, 0.9),
}
Case = tuple[np.ndarray, np.ndarray]
SMALLEST_GAIN = 0.003
CASES: list[Case] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--patients", type=int, default=24)
    parser.add_argument("--seed", type=int, default=4242)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    segmenter = Segmenter.load(options.model, "auto")
    for index in range(options.patients):
        patient = synthesize_patient(options.seed, index)
        CASES.extend(probabilities_and_truth(segmenter, patient, subset) for subset in SUBSETS)
    rules = segmenter.model.decoding
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:  # children see CASES without a copy
        print("before", *(f"{value:.3f}" for value in score(pool, rules)))
        for _ in range(options.rounds):  # the rules lean on one another
            for field, values in GRID.items():
                rules = best(pool, rules, field, values)
        print("after ", *(f"{value:.3f}" for value in score(pool, rules)))
    print(rules.model_dump_json(indent=2))


def probabilities_and_truth(segmenter: Segmenter, patient: SyntheticPatient, subset: tuple[Modality, ...]) -> Case:
    """What the model says and what is true, both (3, I, J, K) in the brain box."""
    prepared = segmenter.prepare(study_of(patient, subset))
    logits = segmenter.run(prepared).logits
    with torch.inference_mode():
        probabilities = place_back(logits, prepared.placement).sigmoid().numpy()
    box = prepared.placement.box
    inside = patient.brain.numpy()[box]
    return (probabilities * inside).astype(np.float16), patient.regions.numpy()[(slice(None), *box)]


def study_of(patient: SyntheticPatient, subset: tuple[Modality, ...] = tuple(Modality)) -> Study:
    """A synthetic patient as if it had been read from files, with some of its modalities."""
    grid = Grid.of(patient.brain.shape, np.diag([*patient.spacing, 1.0]))
    images = patient.images.numpy()
    volumes = {m: Volume(images[n], grid) for n, m in enumerate(Modality) if m in subset}
    return Study("synthetic", volumes, mask=Volume(patient.brain.numpy().astype(np.uint8), grid))


def best(pool: ProcessPoolExecutor, rules: Decoding, field: str, values: tuple[Any, ...]) -> Decoding:
    """``rules`` with the value of ``field`` that scores best, when it gains enough to be no accident."""
    tried = [with_rule(rules, field, value) for value in values]
    means = np.array([score(pool, candidate).mean() for candidate in tried])
    gain = means.max() - score(pool, rules).mean()
    better = gain >= SMALLEST_GAIN
    print(f"{field:15s}", " ".join(f"{v}:{m:.4f}" for v, m in zip(values, means, strict=True)), end=" → ")
    print(values[int(means.argmax())] if better else f"as it was (gain {gain:.4f})")
    return tried[int(means.argmax())] if better else rules


def with_rule(rules: Decoding, field: str, value: Any) -> Decoding:
    """``rules`` with one field, or the threshold of one region, changed."""
    if field in tuple(Region):
        return rules.model_copy(update={"thresholds": {**rules.thresholds, Region(field): value}})
    return rules.model_copy(update={field: value})


def score(pool: ProcessPoolExecutor, rules: Decoding) -> np.ndarray:
    """Mean Dice of WT, TC, ET over all cases; both empty is 1."""
    return np.mean(list(pool.map(partial(score_case, rules), range(len(CASES)))), 0)


def score_case(rules: Decoding, index: int) -> list[float]:
    """Dice of WT, TC, ET of one case."""
    probabilities, truth = CASES[index]
    found = decode(probabilities.astype(np.float32), tuple(Region), 0.001, rules)
    return [dice(f, t) for f, t in zip(found, truth, strict=True)]


if __name__ == "__main__":
    main()
