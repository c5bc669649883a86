"""Calibrate a model's probabilities on synthetic patients: one temperature a region (Guo et al., arXiv 1706.04599).

usage: .venv/bin/python scripts/temperature.py MODEL OUT [--patients 16] [--seed 60607]

Each region's logits are divided by the temperature that makes the truth of synthetic patients likeliest, over all brain
voxels, with all four modalities and with FLAIR + T1ce. (Leaving plain background out raises its probability, by so
many voxels that the predicted Dice falls.) The division goes into the weights of the last layer, and the confidences
and thresholds of the decoding rules are put on the new scale: so OUT is a model like any other, and its label maps stay
what they were. Prints, before and after and on other patients than those of the fit: the expected calibration error (15
bins) of voxels that are not plainly background, and the volume that the probabilities add up to over the true one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import torch
from calibrate import SUBSETS, study_of
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional as F

from bratsseg.inference import Segmenter
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.shipped import DESCRIPTION
from bratsseg.study.regions import Region
from bratsseg.synthesis.generator import synthesize_patient
from bratsseg.tensors.transforms import place_back

PLAIN = 0.01
"""Voxels without tumour whose probability was smaller would hide all others in the calibration error."""
TEMPERATURES = torch.exp(torch.linspace(-0.7, 1.6, 47))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--patients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=60607)
    options = parser.parse_args()
    segmenter = Segmenter.load(options.model)
    logits, truth, parts = gather(segmenter, options.seed, options.patients)
    fit, check = parts % 2 == 0, parts % 2 == 1
    found = torch.tensor([likeliest(logits[n, fit], truth[n, fit]) for n in range(len(Region))])
    for n, region in enumerate(Region):
        theirs, true = logits[n, check], truth[n, check]
        seen = (theirs.sigmoid() > PLAIN) | true
        before, after = (error(theirs[seen] / t, true[seen]) for t in (1.0, found[n]))
        print(f"{region}: temperature {found[n]:.3f}, calibration error {before:.4f} → {after:.4f}", end=", ")
        before, after = (float((theirs / t).sigmoid().sum(dtype=torch.float64) / true.sum()) for t in (1.0, found[n]))
        print(f"volume {before:.3f} → {after:.3f} of the true one")
    write(segmenter.folder, options.out, found)


def gather(segmenter: Segmenter, seed: int, patients: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits (R, N) and truth (R, N) bool of all brain voxels, and the patient (N,) each is of."""
    logits, truth, parts = [], [], []
    for index in range(patients):
        patient = synthesize_patient(seed, index, segmenter.model.preparation.spacing_mm or 1.0)
        for subset in SUBSETS:
            prepared = segmenter.prepare(study_of(patient, subset))
            found = place_back(segmenter.run(prepared).logits, prepared.placement)
            regions = patient.regions[(slice(None), *prepared.placement.box)]
            inside = patient.brain[prepared.placement.box]
            logits.append(found[:, inside])
            truth.append(regions[:, inside])
            parts.append(torch.full((int(inside.sum()),), index))
    return torch.cat(logits, 1), torch.cat(truth, 1), torch.cat(parts)


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
            by = temperatures.reshape(-1, *[1] * (state[name].ndim - 1))
            state[name] = (state[name].float() / by).half().contiguous()
        content = save(state, metadata={"model": f"{description['name']} {description['version']}"})
        weights["sha256"] = hashlib.sha256(content).hexdigest()
        (out / weights["file"]).write_bytes(content)
    rules, scale = description["decoding"], dict(zip(Region, temperatures.tolist(), strict=True))
    rules["confidence"] = rescaled(rules["confidence"], scale[Region.WT])
    rules["et_confidence"] = rescaled(rules["et_confidence"], scale[Region.ET])
    rules["thresholds"] = {name: rescaled(value, scale[Region(name)]) for name, value in rules["thresholds"].items()}
    description["trained"]["temperatures"] = [round(float(t), 4) for t in temperatures]
    (out / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def rescaled(probability: float, temperature: float) -> float:
    """What a probability becomes when its logit is divided."""
    return round(float(torch.special.expit(torch.logit(torch.tensor(probability)) / temperature)), 4)


if __name__ == "__main__":
    main()
