"""Is the shipped model still as good? Its figures on 100 synthetic patients against those that were stored.

usage: .venv/bin/python scripts/regression.py            # compute again, say what changed; exit 1 beyond the tolerance
       .venv/bin/python scripts/regression.py --write    # after a new model or generator: store the figures anew
       --model default   --patients 100   --workers 1 (a process and a thread each)   --keep FILE (to go on from)
       --config FILE   --synthesis synthesis.tumour.none=0 ... : other patients, whose means alone are told

Dice of WT, TC and ET with all four modalities and with FLAIR + T1ce alone, both empty = 1; and the mL of whole tumour
marked in patients without one. In float32, whatever the machine could do, so that machines agree; at the model's own
spacing, so that nothing is resampled, which other tests see to. They compare versions, and say nothing of real scans.
A patient takes 5 s of one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from patients import SUBSETS, add_patient_options, generator_of, hash_of_config, study_of

from bratsseg.inference import Segmenter
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.runtime import Runtime
from bratsseg.study.overlap import dice
from bratsseg.study.regions import Region
from bratsseg.synthesis.generator import VERSION, SynthesisConfig, synthesize_patient

STORED = Path(__file__).resolve().parents[1] / "tests" / "promises" / "regression.json"
SEED, SPACING_MM, PATIENTS = 1_000_003, 1.5, 100
DICE_TOLERANCE, ML_TOLERANCE = 0.01, 0.1
"""Of one patient. Float32 sums in another order move these figures by less than .001 and .01."""
FALSE_ML = "false_positive_ml"
Figures = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", type=Path, help="file of patients done so far, to go on from after an interruption")
    add_patient_options(parser)
    options = parser.parse_args()
    generator = generator_of(options, parser)
    usual = generator == SynthesisConfig()
    if options.write and not usual:
        parser.error("--write stores figures of the generator's own patients; leave --config and --synthesis out")
    identity = {
        "model": ModelFolder.find(options.model).sha256,
        "generator": VERSION if usual else f"{VERSION} {hash_of_config(generator)}",
    }
    done = kept(options.keep, identity)
    wanted = [index for index in range(options.patients) if index not in done]
    for patient in measured(options.model, wanted, options.workers, generator):
        done[patient["index"]] = patient
        line = json.dumps({**identity, **patient})
        print(line, file=sys.stderr, flush=True)
        if options.keep is not None:
            with options.keep.open("a", encoding="utf-8") as stream:
                stream.write(line + "\n")
    found = [done[index] for index in range(options.patients)]
    if not usual:
        print(*(f"{name:28s} {value:.4f}" for name, value in summary(found).items()), sep="\n")
        return 0
    changed = tell(json.loads(STORED.read_text(encoding="utf-8")), found, options.model) if STORED.is_file() else False
    if options.write:
        write(options.model, found)
    return 1 if changed and not options.write else 0


def kept(path: Path | None, identity: dict[str, str]) -> dict[int, Figures]:
    """The patients in a file of ``--keep`` that this model and generator made, by index."""
    if path is None or not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    ours = [row for row in rows if {name: row.pop(name) for name in identity} == identity]
    return {row["index"]: row for row in ours}


def tell(before: Figures, found: list[Figures], model: str) -> bool:
    """Print what changed; True when some figure did by more than the tolerance."""
    stored = {patient["index"]: patient for patient in before["patients"]}
    both = [(stored[now["index"]], now) for now in found if now["index"] in stored]
    changes = [line for was, now in both for line in differences(was, now)]
    print(*notes(before, model), *changes, sep="\n")
    print(f"{len(changes)} figures of {len(both)} patients changed by more than the tolerance")
    if both:
        was, now = (summary(list(side)) for side in zip(*both, strict=True))
        for name in now:
            print(f"{name:28s} {now[name]:.4f}   stored {was[name]:.4f}")
    return bool(changes)


def measured(model: str, indices: list[int], workers: int, generator: SynthesisConfig) -> Iterator[Figures]:
    """The figures of each patient, in order."""
    if workers == 1:
        torch.set_num_threads(1)
        yield from (figures(model, index, generator=generator) for index in indices)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        yield from pool.map(partial(figures, model, generator=generator), indices)


@cache
def segmenter(model: str) -> Segmenter:
    """The model in float32 on the CPU."""
    return Segmenter(ModelFolder.find(model), Runtime("cpu", None))


def figures(
    model: str,
    index: int,
    subsets: tuple[str, ...] = tuple(SUBSETS),
    generator: SynthesisConfig | None = None,
) -> Figures:
    """One patient: true volume of WT, and by set of modalities Dice of WT, TC, ET and the mL marked without need."""
    patient = synthesize_patient(SEED, index, SPACING_MM, generator)
    truth = dict(zip(Region, patient.regions.numpy(), strict=True))
    voxel_ml = SPACING_MM**3 / 1000
    row: Figures = {"index": index, "truth_ml": round(int(truth[Region.WT].sum()) * voxel_ml, 2)}
    for name in subsets:
        found = segmenter(model).segment(study_of(patient, SUBSETS[name])).label_map
        row[name] = {str(region): round(dice(found.region(region), truth[region]), 4) for region in Region}
        if not truth[Region.WT].any():
            row[name][FALSE_ML] = round(found.volume_ml(Region.WT) or 0.0, 2)
    return row


def differences(before: Figures, now: Figures) -> list[str]:
    """What changed beyond the tolerance in the sets of modalities that both have, a line each."""
    lines = []
    for name in (name for name in SUBSETS if name in before and name in now):
        for figure in sorted(before[name].keys() | now[name].keys()):
            was, has = (side[name].get(figure, float("nan")) for side in (before, now))
            tolerance = ML_TOLERANCE if figure == FALSE_ML else DICE_TOLERANCE
            if not abs(was - has) <= tolerance:
                lines.append(f"patient {now['index']}, {name}: {figure} was {was:g}, is {has:g}")
    return lines


def notes(before: Figures, model: str) -> list[str]:
    """What other conditions changed since the figures were stored, and what to type."""
    said = []
    again = "store the figures anew: .venv/bin/python scripts/regression.py --write"
    if (sha256 := ModelFolder.find(model).sha256) != before["model"]["sha256"]:
        said.append(f"model {model} is {sha256[:12]}…, the figures are of {before['model']['sha256'][:12]}…; {again}")
    if before["generator"] != VERSION:
        said.append(f"the generator is version {VERSION}, the figures are of {before['generator']}; {again}")
    return said


def summary(patients: list[Figures]) -> dict[str, float]:
    """Means over patients; of millilitres over those without a tumour."""
    found = {}
    for name in SUBSETS:
        for region in Region:
            found[f"{name} {region}"] = float(np.mean([patient[name][str(region)] for patient in patients]))
        empty = [patient[name][FALSE_ML] for patient in patients if FALSE_ML in patient[name]]
        found[f"{name} {FALSE_ML}"] = float(np.mean(empty)) if empty else 0.0
    return found


def slice_of(patients: list[Figures]) -> list[int]:
    """The few patients that the tests compute: the first two with a tumour and the first without one."""
    with_one = [patient["index"] for patient in patients if patient["truth_ml"] > 0]
    without = [patient["index"] for patient in patients if patient["truth_ml"] == 0]
    return [*with_one[:2], *without[:1]]


def write(model: str, patients: list[Figures]) -> None:
    """Store the figures, a patient a line."""
    folder = ModelFolder.find(model)
    described = folder.description
    head = {
        "made_by": "scripts/regression.py --write",
        "model": {"name": described.name, "version": described.version, "sha256": folder.sha256},
        "generator": VERSION,
        "seed": SEED,
        "spacing_mm": SPACING_MM,
        "summary": {name: round(value, 4) for name, value in summary(patients).items()},
    }
    lines = ",\n  ".join(json.dumps(patient) for patient in patients)
    text = json.dumps(head, indent=1).removesuffix("\n}") + f',\n "patients": [\n  {lines}\n ]\n}}\n'
    STORED.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
