"""Dice and cross-entropy on sigmoid regions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config


class LossConfig(Config):
    """Weights of the parts of the loss."""

    dice: float = 1.0
    """Weight of the Dice part."""
    cross_entropy: float = 1.0
    """Weight of the binary cross-entropy part."""
    smooth: float = 20.0
    """Voxels added above and below the fraction of Dice."""
    regions: tuple[float, ...] = (1.0, 1.0, 1.0)
    """Weight of each region, in ``Region`` order."""


def region_loss(logits: Tensor, truth: Tensor, config: LossConfig) -> Tensor:
    """Weighted mean over regions of Dice loss plus cross-entropy.

    ``logits`` and ``truth`` are (N, R, *space). With p = sigmoid(logits), t = truth and sums over the batch and space,

        dice_r = 1 - (2 Σ p t + s) / (Σ p + Σ t + s),    bce_r = mean(-t log p - (1 - t) log(1 - p)).

    Sums over the batch ("batch Dice") keep the many slabs without tumour from each counting as a full failure. Soft
    Dice: Milletari et al., arXiv 1606.04797; with cross-entropy and batch Dice as in nnU-Net (Isensee et al., 2021,
    ``nnunetv2/training/loss/compound_losses.py``). Where a region is empty in truth, dice_r is Σ p / (Σ p + s): 0 when
    nothing is predicted; where truth and prediction are both empty it is exactly 0.
    """
    logits, truth = logits.float(), truth.float()
    axes = [0, *range(2, logits.ndim)]
    p = torch.sigmoid(logits)
    overlap, total = (p * truth).sum(axes), p.sum(axes) + truth.sum(axes)
    dice = 1 - (2 * overlap + config.smooth) / (total + config.smooth)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(axes)
    weights = logits.new_tensor(config.regions)
    return ((config.dice * dice + config.cross_entropy * entropy) * weights).sum() / weights.sum()


def supervised_loss(outputs: Tensor | Sequence[Tensor], truth: Tensor, config: LossConfig) -> Tensor:
    """``region_loss``, or with deep supervision its mean over levels weighted 1, 1/2, 1/4 … (finest first).

    Coarser truth is the maximum over each cell, so that a thin rim does not vanish.
    """
    if isinstance(outputs, Tensor):
        return region_loss(outputs, truth, config)
    pool = F.max_pool2d if truth.ndim == 4 else F.max_pool3d
    total, weight = torch.zeros((), device=truth.device), 0.0
    for level, logits in enumerate(outputs):
        reduced = truth.float() if level == 0 else pool(truth.float(), 2**level)
        total = total + region_loss(logits, reduced, config) / 2**level
        weight += 1 / 2**level
    return total / weight


def hard_dice(predicted: Tensor, truth: Tensor) -> Tensor:
    """Dice (R,) of bool masks (R, *space); 1 where both are empty, 0 where only one is."""
    axes = list(range(1, truth.ndim))
    overlap, total = (predicted & truth).sum(axes).float(), predicted.sum(axes).float() + truth.sum(axes).float()
    return torch.where(total > 0, 2 * overlap / total.clamp(min=1), torch.ones_like(total))
