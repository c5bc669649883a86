"""Scores of whole validation cases in the model's frame: what the best checkpoint is chosen by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bratsseg.inference.passes import Passes, SlabPass, WholePass, WindowPass, run_pass
from bratsseg.inference.probabilities import region_probabilities
from bratsseg.study.regions import Region
from bratsseg.training.experiment import Experiment

NamedScores = dict[str, float]
"""Scores of one case by name, such as ``vol_dice_WT`` and ``vol_dice_WT@flair_t1c``."""


def passes_of(experiment: Experiment, planes: tuple[int, ...] = (2,)) -> Passes:
    """How a network trained so is taken over a whole case, in validation and once released.

    Only a norm without statistics over space gives the same from a whole box as from windows.
    """
    windows = experiment.windows
    if windows.kind == "slabs":
        return SlabPass(slices=windows.slices, planes=planes)
    window = WindowPass(size=windows.size)
    return WholePass(fallback=window) if experiment.network.one_pass else window


def score_in_frame(network: nn.Module, images: Tensor, regions: Tensor, experiment: Experiment) -> NamedScores:
    """Dice and IoU of every region for every modality subset, without components or other rules of decoding.

    ``images`` (C, I, J, K) and ``regions`` (R, I, J, K) of one case. Both empty: 1; one empty: 0.
    """
    scores: NamedScores = {}
    for name, subset in experiment.subsets.items():
        kept = torch.tensor([modality in subset for modality in experiment.data.modalities], device=images.device)
        found = probabilities(network, images * kept.view(-1, 1, 1, 1), experiment) > 0.5
        said = dict(zip(experiment.data.regions, found, strict=True))
        true = dict(zip(experiment.data.regions, regions.bool(), strict=True))
        scores |= score_masks(said, true, "" if name == "all" else f"@{name}")
    return scores


def score_masks(said: Mapping[Region, Any], true: Mapping[Region, Any], suffix: str = "") -> NamedScores:
    """Dice and IoU of bool masks by region, and their means over regions, under names that end in ``suffix``."""
    scores: NamedScores = {}
    for region in true:
        dice, iou = _overlap(said[region], true[region])
        scores |= {f"vol_dice_{region}{suffix}": dice, f"vol_iou_{region}{suffix}": iou}
    for measure in ("dice", "iou"):
        each = [scores[f"vol_{measure}_{region}{suffix}"] for region in true]
        scores[f"vol_{measure}_mean{suffix}"] = sum(each) / len(each)
    return scores


def probabilities(network: nn.Module, images: Tensor, experiment: Experiment) -> Tensor:
    """Region probabilities (R, I, J, K) of a case (C, I, J, K), padded for the network and cut again."""
    multiple = experiment.network.multiple
    # Slabs lie across the last axis, along which nothing has to be padded.
    sides = images.shape[1:] if experiment.windows.kind == "boxes" else (*images.shape[1:3], 0)
    pads = [pad for side in reversed(sides) for pad in (0, -side % multiple)]
    logits, _ = run_pass(network, F.pad(images, pads), passes_of(experiment))
    i, j, k = images.shape[1:]
    return region_probabilities(logits[:, :i, :j, :k], experiment.data.target)


def mean_scores(cases: Iterable[NamedScores], names: Iterable[str]) -> dict[str, float]:
    """Each of ``names`` averaged over cases; NaN where there is no case."""
    rows = list(cases)
    return {name: sum(row[name] for row in rows) / len(rows) if rows else math.nan for name in names}


def gather(mine: Mapping[str, NamedScores]) -> dict[str, NamedScores]:
    """The scores of all processes by case id, in the same order on each."""
    parts: list[Mapping[str, NamedScores] | None] = [mine]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        parts = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, mine)
    together = {case: scores for part in parts if part is not None for case, scores in part.items()}
    return dict(sorted(together.items()))


def _overlap(said: Any, true: Any) -> tuple[float, float]:
    both, either = int((said & true).sum()), int((said | true).sum())
    return (2 * both / (both + either), both / either) if either else (1.0, 1.0)
