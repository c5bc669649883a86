"""From a run to a released model: the averaged weights as float16 safetensors, and their description."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from bratsseg.config import read_config
from bratsseg.errors import ModelError
from bratsseg.inference.decoding import Decoding
from bratsseg.inference.model import DESCRIPTION, ReleasedModel, WeightFile
from bratsseg.inference.passes import SlabPass
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.transforms import Preparation
from bratsseg.training.experiment import Experiment
from bratsseg.training.run import CHECKPOINT, EXPERIMENT, LOG, VERSIONS

WEIGHTS = "weights.safetensors"
NEEDS: dict[Region, tuple[tuple[Modality, ...], ...]] = {
    Region.WT: ((Modality.FLAIR,), (Modality.T2W,)),
    Region.TC: ((Modality.FLAIR, Modality.T1C), (Modality.T2W, Modality.T1C)),
    Region.ET: ((Modality.FLAIR, Modality.T1C), (Modality.T2W, Modality.T1C)),
}
"""Edema shows on FLAIR or T2, enhancement only with contrast; training drops modalities accordingly."""


def release(run: Path, out: Path, name: str, *, version: str = "1", planes: tuple[int, ...] = (2,)) -> ReleasedModel:
    """Write the released model ``name`` into the folder ``out`` from the last checkpoint of ``run``.

    The description is written last, so a folder with one is complete. ``ModelError`` when the run has no checkpoint
    or its weights do not fit float16.
    """
    checkpoint = run / CHECKPOINT
    if not checkpoint.exists():
        raise ModelError(f"run {run}: must hold {CHECKPOINT}; train for at least one epoch first")
    experiment = read_config(Experiment, run / EXPERIMENT)
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    content = save(_halved(loaded["state_dict"], run), metadata={"model": name, "version": version})
    description = ReleasedModel(
        name=name,
        version=version,
        summary="2.5-D U-Net trained on synthetic patients only; any subset of modalities with FLAIR or T2",
        licence="Apache-2.0",
        modalities=tuple(Modality),
        regions=tuple(Region),
        needs=NEEDS,
        network=experiment.network,
        preparation=Preparation(spacing_mm=experiment.data.spacing_mm, multiple=experiment.network.multiple),
        passes=SlabPass(slices=experiment.data.slices, planes=planes),
        decoding=Decoding(),
        weights=(WeightFile(file=WEIGHTS, sha256=hashlib.sha256(content).hexdigest()),),
        trained=_provenance(run, experiment, int(loaded["global_step"])),
    )
    out.mkdir(parents=True, exist_ok=True)
    _replace(out / WEIGHTS, content)
    _replace(out / DESCRIPTION, (description.model_dump_json(indent=1) + "\n").encode())
    return description


def _halved(state: dict[str, Tensor], run: Path) -> dict[str, Tensor]:
    """The averaged network's state, floating point as float16."""
    prefix = "average."
    halved = {}
    for key, value in state.items():
        if not key.startswith(prefix):
            continue
        kept = value.half() if value.is_floating_point() else value
        if not kept.isfinite().all():
            raise ModelError(f"run {run}: {key} must fit float16, its largest value is {value.abs().max():.3g}")
        halved[key.removeprefix(prefix)] = kept.contiguous()
    return halved


def _provenance(run: Path, experiment: Experiment, steps: int) -> dict[str, Any]:
    with (run / LOG).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    scores = {key: float(value) for key, value in rows[-1].items() if key.startswith("dice_")}
    versions = json.loads((run / VERSIONS).read_text(encoding="utf-8"))
    return {
        "data": "synthetic patients only; no patient images",
        "generator": versions["generator"],
        "seed": experiment.seed,
        "steps": steps,
        "slabs": steps * experiment.trainer.batch_size,
        "hours": round(sum(float(row["seconds"]) for row in rows) / 3600, 2),
        "synthetic_validation": scores,
        "versions": versions,
    }


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)
