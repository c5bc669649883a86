"""From runs to a released model: the averaged weights as float16 safetensors, their description, and a card."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from bratsseg.config import read_config
from bratsseg.errors import ModelError, WriteError
from bratsseg.files import new_folder, write_bytes, write_files
from bratsseg.inference.decoding import Decoding
from bratsseg.inference.model import CARD, ReleasedModel, WeightFile
from bratsseg.inference.passes import Passes
from bratsseg.inference.shipped import DESCRIPTION
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.training.card import write_card
from bratsseg.training.cases import split_hash
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import (
    BEST,
    EXPERIMENT,
    LAST,
    LOG,
    SCORES,
    SHAPES,
    VERSIONS,
    differences,
    read_checkpoint,
)
from bratsseg.training.validation import passes_of

UNKNOWN_LICENCE = "unknown: ask the owner of the data"
ANY_SUBSET: dict[Region, tuple[tuple[Modality, ...], ...]] = {
    Region.WT: ((Modality.FLAIR,), (Modality.T2W,)),
    Region.TC: ((Modality.FLAIR, Modality.T1C), (Modality.T2W, Modality.T1C)),
    Region.ET: ((Modality.FLAIR, Modality.T1C), (Modality.T2W, Modality.T1C)),
}
"""Edema shows on FLAIR or T2, enhancement only with contrast; modality dropout trains for just these subsets."""


@dataclass(frozen=True)
class TrainingRun:
    """A run that can be released."""

    run: Path
    experiment: Experiment
    state: dict[str, Tensor]
    steps: int


def release(
    runs: Sequence[Path],
    out: Path,
    name: str,
    *,
    version: str = "1",
    licence: str = UNKNOWN_LICENCE,
    planes: tuple[int, ...] = (2,),
) -> ReleasedModel:
    """Write the released model ``name`` into the new folder ``out`` from the best checkpoint of each of ``runs``.

    Several runs are the folds of one experiment, whose logits inference averages. The folder appears whole or
    not at all; one that is there already stays as it is, and is refused unless it holds this very model.
    ``ModelError`` when a run has no checkpoint, the runs do not belong together, or weights do not fit float16.
    """
    trained = [_read(run) for run in runs]
    _require_one_experiment(trained)
    files = ["weights.safetensors"] if len(runs) == 1 else [f"fold{one.experiment.fold}.safetensors" for one in trained]
    # One key: safetensors writes several in an order that changes from run to run, and with it the hash.
    contents = [save(_halved(one), metadata={"model": f"{name} {version}"}) for one in trained]
    weights = tuple(
        WeightFile(file=file, sha256=hashlib.sha256(content).hexdigest())
        for file, content in zip(files, contents, strict=True)
    )
    passes = passes_of(trained[0].experiment, planes)
    described = _describe(trained, {"name": name, "version": version, "licence": licence}, passes, weights)
    description = (described.model_dump_json(indent=1) + "\n").encode()
    card = write_card(described, trained[0].experiment, [_cases(one.run) for one in trained]).encode()
    _write(out, {DESCRIPTION: description, CARD: card, **dict(zip(files, contents, strict=True))})
    return described


def write_average(experiment: Experiment, state: dict[str, Tensor], steps: int, folder: Path) -> None:
    """Write the averaged weights of a run in progress as a model folder, float16, over what it holds of earlier steps.

    ``state`` is the training module's. Whatever interrupts this, ``folder`` is a whole model: weights under a new name
    come first, then the description that names them, then the old weights go. ``ModelError`` when weights do not fit
    float16.
    """
    run = folder.parent
    one = TrainingRun(run, experiment, state, steps)
    content = save(_halved(one), metadata={"model": f"{experiment.name} at step {steps}"})
    file = WeightFile(file=f"weights-{steps:07d}.safetensors", sha256=hashlib.sha256(content).hexdigest())
    names = {"name": experiment.name, "version": f"step {steps}", "licence": UNKNOWN_LICENCE}
    described = _describe([one], names, passes_of(experiment), (file,))
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / file.file, content)
    write_bytes(folder / DESCRIPTION, (described.model_dump_json(indent=1) + "\n").encode())
    for path in folder.glob("weights-*"):
        if path.name != file.file:
            path.unlink()


def _read(run: Path) -> TrainingRun:
    checkpoint = run / BEST if (run / BEST).exists() else run / LAST
    if not checkpoint.exists():
        raise ModelError(f"run {run}: must hold {LAST}; train for at least one epoch first")
    loaded = read_checkpoint(checkpoint)
    experiment = read_config(Experiment, run / EXPERIMENT)
    return TrainingRun(run, experiment, loaded["state_dict"], int(loaded["global_step"]))


def _require_one_experiment(trained: Sequence[TrainingRun]) -> None:
    first = trained[0]
    folds = [one.experiment.fold for one in trained]
    if len(set(folds)) < len(folds):
        raise ModelError(f"runs must be different folds of one experiment, were folds {folds}")
    for one in trained[1:]:
        same_fold = one.experiment.model_copy(update={"fold": first.experiment.fold})
        differing = list(differences(first.experiment, same_fold))
        if differing:
            raise ModelError(f"run {one.run}: must be a fold of {first.run}'s experiment; {'; '.join(differing)}")


def _describe(
    trained: Sequence[TrainingRun], names: dict[str, str], passes: Passes, weights: tuple[WeightFile, ...]
) -> ReleasedModel:
    experiment = trained[0].experiment
    return ReleasedModel(
        **names,
        summary=_summary(trained),
        modalities=experiment.data.modalities,
        regions=experiment.data.regions,
        target=experiment.data.target,
        expects=experiment.expects,
        needs=_needs(experiment),
        network=experiment.network,
        preparation=experiment.preparation.model_copy(update={"multiple": experiment.network.multiple}),
        passes=passes,
        decoding=Decoding(),
        weights=weights,
        trained=_provenance(trained),
    )


def _summary(trained: Sequence[TrainingRun]) -> str:
    experiment, folds = trained[0].experiment, len(trained)
    kind = "2-D" if experiment.network.dims == 2 else "3-D"
    on = ", ".join(modality.label for modality in experiment.data.modalities)
    several = f", {folds} folds" if folds > 1 else ""
    return f"{kind} {experiment.network.name} trained as {experiment.name} on {_data(trained[0])} ({on}){several}"


def _data(one: TrainingRun) -> str:
    if one.experiment.data.synthetic is None:
        return "the user's scans"
    shapes = _versions(one.run).get(SHAPES)
    return "synthetic patients only" + (f", tumours also of the shapes of {shapes}" if shapes else "")


def _versions(run: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((run / VERSIONS).read_text(encoding="utf-8"))
    return found


def _needs(experiment: Experiment) -> dict[Region, tuple[tuple[Modality, ...], ...]]:
    data = experiment.data
    known = set(data.modalities)
    enough = {region: tuple(needs for needs in ANY_SUBSET[region] if set(needs) <= known) for region in data.regions}
    if data.modality_dropout is not None and all(enough.values()):
        return enough
    return dict.fromkeys(data.regions, (data.modalities,))


def _halved(one: TrainingRun) -> dict[str, Tensor]:
    """The averaged network's state, floating point as float16."""
    prefix = "average."
    halved = {}
    for key, value in one.state.items():
        if not key.startswith(prefix):
            continue
        kept = value.half() if value.is_floating_point() else value
        if not kept.isfinite().all():
            raise ModelError(f"run {one.run}: {key} must fit float16, its largest value is {value.abs().max():.3g}")
        halved[key.removeprefix(prefix)] = kept.contiguous()
    return halved


def _provenance(trained: Sequence[TrainingRun]) -> dict[str, Any]:
    first = trained[0]
    runs = []
    for one in trained:
        rows = _log(one.run)
        kept: dict[str, str] = next((row for row in reversed(rows) if int(row["step"]) == one.steps), {})
        runs.append(
            {
                "fold": one.experiment.fold,
                "steps": one.steps,
                "hours": round(sum(float(row["seconds"]) for row in rows) / 3600, 2),
                "validation": {key: float(value) for key, value in kept.items() if key.startswith("vol_") and value},
                "split_sha256": split_hash(one.run),
            }
        )
    return {
        "experiment": first.experiment.name,
        "data": _data(first),
        "started_from": first.experiment.trainer.init_from,
        "seed": first.experiment.seed,
        "samples_a_step": first.experiment.trainer.batch_size * first.experiment.trainer.accumulate,
        "runs": runs,
        "versions": _versions(first.run),
    }


def _log(run: Path) -> list[dict[str, str]]:
    """The lines of a run's log; none before its first epoch is over."""
    if not (run / LOG).exists():
        return []
    with (run / LOG).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _cases(run: Path) -> list[dict[str, str]]:
    if not (run / SCORES).exists():
        return []
    with (run / SCORES).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _write(out: Path, files: dict[str, bytes]) -> None:
    if out.exists():
        there = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} if out.is_dir() else {}
        if there != files:
            raise WriteError(f"model folder {out}: must be new or hold this very model; give another --out or --name")
        return
    with new_folder(out) as part:
        write_files(part, files)
