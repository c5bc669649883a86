"""Scores of whole validation cases in the model's frame: what the best checkpoint is chosen by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bratsseg.inference.passes import Passes, SlabPass, WholePass, WindowPass, run_pass
from bratsseg.inference.probabilities import region_probabilities
from bratsseg.training.experiment import Experiment

CaseScores = dict[str, float]
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


def score_case(network: nn.Module, images: Tensor, regions: Tensor, experiment: Experiment) -> CaseScores:
    """Dice and IoU of every region for every modality subset, without components or other rules of decoding.

    ``images`` (C, I, J, K) and ``regions`` (R, I, J, K) of one case. Both empty: 1; one empty: 0.
    """
    scores: CaseScores = {}
    for name, subset in experiment.subsets.items():
        kept = torch.tensor([modality in subset for modality in experiment.data.modalities], device=images.device)
        found = probabilities(network, images * kept.view(-1, 1, 1, 1), experiment) > 0.5
        suffix = "" if name == "all" else f"@{name}"
        for region, said, true in zip(experiment.data.regions, found, regions.bool(), strict=True):
            dice, iou = _overlap(said, true)
            scores |= {f"vol_dice_{region}{suffix}": dice, f"vol_iou_{region}{suffix}": iou}
    return scores


def probabilities(network: nn.Module, images: Tensor, experiment: Experiment) -> Tensor:
    """Region probabilities (R, I, J, K) of a case (C, I, J, K), padded for the network and cut again."""
    multiple = experiment.network.multiple
    pads = [pad for side in reversed(images.shape[1:]) for pad in (0, -side % multiple)]
    logits, _ = run_pass(network, F.pad(images, pads), passes_of(experiment))
    i, j, k = images.shape[1:]
    return region_probabilities(logits[:, :i, :j, :k], experiment.data.target)


def means(cases: Iterable[CaseScores], names: Iterable[str]) -> dict[str, float]:
    """Each of ``names`` averaged over cases; a ``mean`` also over regions. NaN where there is no case."""
    rows = list(cases)
    summary: dict[str, float] = {}
    for name in names:
        stem, at, subset = name.partition("@")
        if stem.endswith("_mean"):
            start = stem.removesuffix("mean")
            of = [
                key
                for row in rows[:1]
                for key in row
                if key.startswith(start) and key.partition("@")[1:] == (at, subset)
            ]
        else:
            of = [name]
        values = [row[key] for row in rows for key in of]
        summary[name] = sum(values) / len(values) if values else math.nan
    return summary


def gather(mine: Mapping[str, CaseScores]) -> dict[str, CaseScores]:
    """The scores of all processes by case id, in the same order on each."""
    parts: list[Mapping[str, CaseScores] | None] = [mine]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        parts = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(parts, mine)
    together = {case: scores for part in parts if part is not None for case, scores in part.items()}
    return dict(sorted(together.items()))


def _overlap(said: Tensor, true: Tensor) -> tuple[float, float]:
    both, either = int((said & true).sum()), int((said | true).sum())
    return (2 * both / (both + either), both / either) if either else (1.0, 1.0)
