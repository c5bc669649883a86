"""Calibrate a model's probabilities on synthetic patients: one temperature a region (Guo et al., arXiv 1706.04599).

usage: .venv/bin/python scripts/temperature.py MODEL OUT [--patients 16] [--seed 60607] [--workers 2] [--keep FOLDER]
       [--config FILE] [--synthesis synthesis.tumour.none=0 ...]   (see scripts/patients.py)

Each region's logits are divided by the temperature that makes the truth of synthetic patients likeliest, over all brain
voxels, with all four modalities and with FLAIR + T1ce. (Leaving plain background out raises its probability, by so
many voxels that the predicted Dice falls.) The division goes into the weights of the last layer, and the confidences
and thresholds of the decoding rules are put on the new scale: so OUT is a model like any other, and its label maps stay
what they were. What the model kept for its quality figures was fitted to the old scale and is left out: fit it anew.
Prints, before and after and on other patients than those of the fit: the expected calibration error (15 bins) of voxels
that are not plainly background, and the volume that the probabilities add up to over the true one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from patients import Output, PatientSet, add_set_options, measured, patient_set
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional as F

from bratsseg.inference.model import ModelFolder
from bratsseg.inference.shipped import DESCRIPTION
from bratsseg.study.regions import Region

PLAIN = 0.01
"""Voxels without tumour whose probability was smaller would hide all others in the calibration error."""
TEMPERATURES = torch.exp(torch.linspace(-0.7, 1.6, 47))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    add_set_options(parser, patients=16, seed=60607)
    options = parser.parse_args()
    with patient_set(options, parser) as wanted:
        logits, truth, parts = gather(wanted, options.workers)
    fit, check = parts % 2 == 0, parts % 2 == 1
    found = torch.tensor([likeliest(logits[n, fit], truth[n, fit]) for n in range(len(Region))])
    for n, region in enumerate(Region):
        theirs, true = logits[n, check], truth[n, check]
        seen = (theirs.sigmoid() > PLAIN) | true
        before, after = (error(theirs[seen] / t, true[seen]) for t in (1.0, found[n]))
        print(f"{region}: temperature {found[n]:.3f}, calibration error {before:.4f} → {after:.4f}", end=", ")
        before, after = (float((theirs / t).sigmoid().sum(dtype=torch.float64) / true.sum()) for t in (1.0, found[n]))
        print(f"volume {before:.3f} → {after:.3f} of the true one")
    write(ModelFolder.find(options.model), options.out, found)


def gather(wanted: PatientSet, workers: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (R, N) and truth (R, N) bool of all brain voxels, and the patient (N,) each is of."""
    logits, truth, parts = [], [], []
    for index, found, regions in measured(wanted, workers, in_brain):
        logits.append(torch.from_numpy(found).float())
        truth.append(torch.from_numpy(regions))
        parts.append(torch.full((regions.shape[1],), index))
    return torch.cat(logits, 1), torch.cat(truth, 1), torch.cat(parts)


def in_brain(output: Output) -> tuple[int, NDArray[np.float16], NDArray[np.bool_]]:
    """The voxels of one output that are brain."""
    return output.index, output.logits[:, output.inside], output.truth[:, output.inside]


def likeliest(logits: Tensor, truth: Tensor) -> float:
    """The temperature with the smallest cross-entropy."""
    target = truth.float()
    losses = [F.binary_cross_entropy_with_logits(logits / float(t), target) for t in TEMPERATURES]
    return float(TEMPERATURES[int(torch.stack(losses).argmin())])


def error(logits: Tensor, truth: Tensor) -> float:
    """Expected calibration error of the probability of the region, 15 bins of one width."""
    probability = logits.sigmoid()
    bins = (probability * 15).long().clamp(max=14)
    count = torch.bincount(bins, minlength=15)
    gap = torch.bincount(bins, truth.double() - probability.double(), minlength=15).abs()
    return float(gap.sum() / count.sum())


def write(folder: ModelFolder, out: Path, temperatures: Tensor) -> None:
    """The model with its last layer divided, in the new folder ``out``."""
    out.mkdir(parents=True)
    description = json.loads((folder.folder / DESCRIPTION).read_text(encoding="utf-8"))
    for weights in description["weights"]:
        state = load_file(folder.folder / weights["file"])
        last = max(name for name in state if name.startswith("heads."))[: -len(".weight")]
        for name in (f"{last}.weight", f"{last}.bias"):
            by = temperatures.repeat_interleave(len(state[name]) // len(temperatures))  # where space was folded
            by = by.reshape(-1, *[1] * (state[name].ndim - 1))
            state[name] = (state[name].float() / by).half().contiguous()
        content = save(state, metadata={"model": f"{description['name']} {description['version']}"})
        weights["sha256"] = hashlib.sha256(content).hexdigest()
        (out / weights["file"]).write_bytes(content)
    rules, scale = description["decoding"], dict(zip(Region, temperatures.tolist(), strict=True))
    rules["confidence"] = rescaled(rules["confidence"], scale[Region.WT])
    rules["et_confidence"] = rescaled(rules["et_confidence"], scale[Region.ET])
    if rules.get("wt_border") is not None:
        rules["wt_border"] = rescaled(rules["wt_border"], scale[Region.WT])
    description.pop("quality", None)
    rules["thresholds"] = {name: rescaled(value, scale[Region(name)]) for name, value in rules["thresholds"].items()}
    description["trained"]["temperatures"] = [round(float(t), 4) for t in temperatures]
    (out / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def rescaled(probability: float, temperature: float) -> float:
    """What a probability becomes when its logit is divided."""
    return round(float(torch.special.expit(torch.logit(torch.tensor(probability)) / temperature)), 4)


if __name__ == "__main__":
    main()
