"""What a run came to: its best weights taken over the validation cases once more, for the page of the run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bratsseg.evaluation.classes import ClassTable, class_table
from bratsseg.evaluation.pixels import CasePixels, case_pixels, pool
from bratsseg.inference.runtime import Runtime
from bratsseg.network import build_network
from bratsseg.report.error_picture import ErrorPicture, picture_errors
from bratsseg.report.run_report import RunResult, ValidationCase, write_run_report
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.training.cases import split_hash
from bratsseg.training.experiment import Experiment
from bratsseg.training.folder import BEST, read_checkpoint
from bratsseg.training.prepared import PreparedCase
from bratsseg.training.validation import probabilities, score_masks

PICTURED = 3
"""Best and worst cases that are shown, each."""

Masks = dict[Region, NDArray[np.bool_]]


@dataclass
class _Tally:
    cases: list[ValidationCase] = field(default_factory=list)
    pixels: dict[Region, list[CasePixels]] = field(default_factory=dict)
    classes: ClassTable | None = None
    pictures: list[ErrorPicture] = field(default_factory=list)


def report_run(experiment: Experiment, run: Path, cases: Iterable[PreparedCase]) -> Path:
    """Write RUN/report.html from the best checkpoint, the log and the validation cases."""
    checkpoint = read_checkpoint(run / BEST)
    runtime = Runtime.choose("cpu" if experiment.trainer.accelerator == "cpu" else "auto")
    network = build_network(experiment.network).eval()
    prefix = "average."
    weights = {name.removeprefix(prefix): value for name, value in checkpoint["state_dict"].items()}
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    tally = _Tally()
    for case in cases:
        _count(tally, case, _predict(runtime.place(network), runtime, case, experiment), experiment)
    return write_run_report(run, _result(tally, experiment, run, int(checkpoint["global_step"])))


def _predict(network: nn.Module, runtime: Runtime, case: PreparedCase, experiment: Experiment) -> Masks:
    with torch.inference_mode(), runtime.autocast():
        found = probabilities(network, case.images.to(runtime.device).float(), experiment) > 0.5
    return dict(zip(experiment.data.regions, found.cpu().numpy(), strict=True))


def _count(tally: _Tally, case: PreparedCase, said: Masks, experiment: Experiment) -> None:
    data = experiment.data
    true: Masks = dict(zip(data.regions, case.regions.bool().numpy(), strict=True))
    scores = score_masks(said, true)
    missed = tuple(region for region in data.regions if true[region].any() and not (said[region] & true[region]).any())
    tally.cases.append(ValidationCase(case.id, case.patient or case.id, scores, missed))
    for region in data.regions:
        counted = case_pixels(said[region], true[region], case.voxel_ml)
        tally.pixels.setdefault(region, []).append(counted)
    table = class_table(said, true)
    tally.classes = table if tally.classes is None else tally.classes + table
    scan = Modality.FLAIR if Modality.FLAIR in data.modalities else data.modalities[0]
    anatomical = experiment.preparation.subject == "volume" and experiment.preparation.orientation == "RAS"
    shown = data.regions[0]
    tally.pictures.append(
        picture_errors(
            case.id,
            shown,
            scores[f"vol_dice_{shown}"],
            case.images[data.modalities.index(scan)].float().numpy(),
            predicted=said[shown],
            reference=true[shown],
            scan=scan.label,
            flip=(anatomical, anatomical),
        )
    )
    tally.pictures = _extremes(tally.pictures)


def _extremes(pictures: list[ErrorPicture]) -> list[ErrorPicture]:
    """The worst and the best, worst first: the pictures of a thousand cases need not be kept."""
    ordered = sorted(pictures, key=lambda picture: picture.score)
    return ordered if len(ordered) <= 2 * PICTURED else [*ordered[:PICTURED], *ordered[-PICTURED:]]


def _result(tally: _Tally, experiment: Experiment, run: Path, step: int) -> RunResult:
    half = math.ceil(len(tally.pictures) / 2)
    split = split_hash(run)
    facts = (
        ("Split SHA-256", split or "synthetic patients are not split"),
        ("Fold", str(experiment.fold)),
        ("Validation", f"{len(tally.cases)} cases, in the model's frame, before the rules of decoding"),
        ("Network", f"{experiment.network.name}, {experiment.network.dims}-D"),
        ("Best weights", f"step {step} of {experiment.trainer.total_steps}"),
        ("Seed", str(experiment.seed)),
    )
    return RunResult(
        name=experiment.name,
        facts=facts,
        scored_by=experiment.trainer.monitor,
        cases=tuple(tally.cases),
        pixels={region: pool(counted) for region, counted in tally.pixels.items()},
        classes=tally.classes,
        best=tuple(reversed(tally.pictures[half:])),
        worst=tuple(tally.pictures[:half]),
    )
