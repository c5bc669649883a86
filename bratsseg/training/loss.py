"""Losses on logits: Dice, cross-entropy, focal and their sums, for nested regions (sigmoid) or classes (softmax).

The truth is always the nested regions; for the target "classes" the exclusive ones are derived from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from bratsseg.config import Config
from bratsseg.errors import ConfigError

Target = Literal["regions", "classes"]
"""What the channels of the logits are: nested regions, or background / necrosis / edema / enhancing."""
Loss = Callable[[Tensor | Sequence[Tensor], Tensor], Tensor]
"""(logits (N, C, *space), or a list of them, finest first; truth regions (N, R, *space)) → scalar."""

CLASSES = 4
"""Background, necrosis, edema, enhancing."""
_ONLY: dict[str, Target] = {"bce": "regions", "bce_dice": "regions", "ce": "classes", "dice_ce": "classes"}


class LossConfig(Config):
    """Which loss, and the weights of its parts. ``bce_dice`` with these defaults trained the shipped model."""

    name: Literal["bce_dice", "bce", "dice", "dice_ce", "ce", "dice_focal"] = "bce_dice"
    """``bce``, ``bce_dice`` for regions; ``ce``, ``dice_ce`` for classes; ``dice``, ``dice_focal`` for both."""
    dice: float = Field(default=1.0, ge=0)
    """Weight of the Dice part of a sum."""
    cross_entropy: float = Field(default=1.0, ge=0)
    """Weight of the other part of a sum: binary cross-entropy, cross-entropy, or focal."""
    pos_weight: float = Field(default=1.0, gt=0)
    """Weight of tumour voxels in the binary cross-entropy."""
    gamma: float = Field(default=2.0, ge=0)
    """Exponent of the focal part."""
    smooth: float = Field(default=20.0, gt=0)
    """Voxels added above and below the fraction of Dice; small ones punish a false alarm in an empty sample harder."""
    batch_dice: bool = True
    """Sums of Dice over the batch and space; otherwise over the space of each sample, and then the mean."""
    background: bool = False
    """For classes: whether the background counts in Dice."""
    regions: tuple[float, ...] | None = None
    """For regions: weight of each channel; None: all alike."""


def build_loss(config: LossConfig, target: Target, channels: int | None = None) -> Loss:
    """The loss, as a function of logits and truth regions; ``channels`` of the network, when known, are checked.

    A list of logits (deep supervision) gives the mean over levels weighted 1, 1/2, 1/4 … (finest first; nnU-Net,
    ``nnUNetTrainer._build_loss``). Coarser truth is the maximum over each cell, so that a thin rim does not vanish.
    Raises ``ConfigError`` when the loss does not suit the target.
    """
    _check(config, target, channels)
    single = region_loss if target == "regions" else class_loss

    def loss(outputs: Tensor | Sequence[Tensor], truth: Tensor) -> Tensor:
        if isinstance(outputs, Tensor):
            return single(outputs, truth, config)
        total, weights = torch.zeros((), device=truth.device), 0.0
        for level, logits in enumerate(outputs):
            total = total + single(logits, _coarser(truth, logits), config) / 2**level
            weights += 1 / 2**level
        return total / weights

    return loss


def region_loss(logits: Tensor, truth: Tensor, config: LossConfig) -> Tensor:
    """Weighted mean over regions of the loss of each; ``logits`` and ``truth`` are (N, R, *space).

    With p = sigmoid(logits), t = truth, w = ``pos_weight``, γ = ``gamma``:

        dice  = ``soft_dice(p, t)``        bce = mean(-w t log p - (1 - t) log(1 - p))
        focal = mean((1 - q)^γ · -log q),  q = p where t else 1 - p

    BCE with logits is torch's; with Dice as in nnU-Net (Isensee et al., 2021, ``compound_losses.py``); focal as Lin
    et al., arXiv 1708.02002, without α, as MONAI's ``DiceFocalLoss(sigmoid=True)``. Where truth is empty, bce and focal
    go to 0 as p does; for Dice see ``soft_dice``.
    """
    logits, truth = logits.float(), truth.float()
    weights = (1.0,) * logits.shape[1] if config.regions is None else config.regions
    axes = [0, *range(2, logits.ndim)]
    parts = logits.new_zeros(logits.shape[1])
    if "dice" in config.name:
        parts = parts + _weight(config, config.dice) * soft_dice(torch.sigmoid(logits), truth, config)
    if "bce" in config.name:
        positive = None if config.pos_weight == 1 else logits.new_full((), config.pos_weight)
        entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none", pos_weight=positive)
        parts = parts + _weight(config, config.cross_entropy) * entropy.mean(axes)
    if "focal" in config.name:
        entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        # 1 - q through logsigmoid: exact, and its gradient finite, where q is 1.
        other = F.logsigmoid(-logits * (2 * truth - 1))
        parts = parts + config.cross_entropy * ((other * config.gamma).exp() * entropy).mean(axes)
    # Numbers, not a tensor of them: sending one to a GPU would wait for all it has to do.
    return torch.stack([part * weight for part, weight in zip(parts, weights, strict=True)]).sum() / sum(weights)


def class_loss(logits: Tensor, truth: Tensor, config: LossConfig) -> Tensor:
    """Loss of (N, 4, *space) logits of background, necrosis, edema, enhancing; ``truth`` is (N, 3, *space) WT, TC, ET.

    With p = softmax(logits), t the one-hot classes, q = Σ_c t p and γ = ``gamma``:

        dice = mean over classes of ``soft_dice(p, t)``    ce = mean(-log q)    focal = mean((1 - q)^γ · -log q) / 4

    The focal part averages over the four channels, of which one is not 0, as MONAI's ``FocalLoss(use_softmax=True)``
    (MONAI's ``DiceFocalLoss`` would take the sigmoid there). Dice + CE: Isensee et al., 2021, and MONAI's
    ``DiceCELoss``. A sample without tumour is all background.
    """
    logits, classes = logits.float(), exclusive_classes(truth)
    total = logits.new_zeros(())
    if "dice" in config.name:
        onehot = F.one_hot(classes, CLASSES).movedim(-1, 1).float()
        dice = soft_dice(logits.softmax(1), onehot, config)
        total = total + _weight(config, config.dice) * (dice if config.background else dice[1:]).mean()
    if "ce" in config.name.split("_"):
        total = total + _weight(config, config.cross_entropy) * F.cross_entropy(logits, classes)
    if "focal" in config.name:
        log_q = logits.log_softmax(1).gather(1, classes.unsqueeze(1))
        total = (
            total + config.cross_entropy * ((-log_q.expm1()).clamp(min=1e-7) ** config.gamma * -log_q).mean() / CLASSES
        )
    return total


def soft_dice(p: Tensor, t: Tensor, config: LossConfig) -> Tensor:
    """Dice loss (C,) of each channel; ``p`` and ``t`` are (N, C, *space) in 0..1.

        dice_c = 1 - (2 Σ p t + s) / (Σ p + Σ t + s)

    with sums over the batch and space (``batch_dice``), or over space and then the mean over samples (Milletari et al.,
    arXiv 1606.04797, without squares; MONAI's ``DiceLoss`` with smooth_nr = smooth_dr = s). Sums over the batch keep
    the many samples without tumour from each counting as a full failure. Where a channel is empty in truth it is
    Σ p / (Σ p + s): near 1 for any false alarm larger than s voxels, 0 when nothing is predicted.
    """
    axes = list(range(2, p.ndim))
    overlap, total = (p * t).sum(axes), p.sum(axes) + t.sum(axes)
    if config.batch_dice:
        overlap, total = overlap.sum(0, keepdim=True), total.sum(0, keepdim=True)
    return (1 - (2 * overlap + config.smooth) / (total + config.smooth)).mean(0)


def exclusive_classes(regions: Tensor) -> Tensor:
    """Class index (N, *space) of nested WT, TC, ET (N, 3, *space): 0 background, 1 necrosis, 2 edema, 3 enhancing.

    Where the regions are not nested the inner one wins. Necrosis is what of the core does not enhance.
    """
    whole, core, enhancing = (regions[:, i].bool() for i in range(3))
    return torch.where(enhancing, 3, torch.where(core, 1, torch.where(whole, 2, 0)))


def _check(config: LossConfig, target: Target, channels: int | None) -> None:
    if _ONLY.get(config.name, target) != target:
        raise ConfigError(
            f"loss.name: {config.name!r} is for {_ONLY[config.name]}, but the target is {target}; "
            f"take {'bce_dice' if target == 'regions' else 'dice_ce'}, dice or dice_focal"
        )
    if target == "classes" and config.regions is not None:
        raise ConfigError("loss.regions: weights nested regions, but the target is classes; leave it out")
    if target == "classes" and channels not in (None, CLASSES):
        raise ConfigError(f"network.out_channels: must be {CLASSES} for the target classes, was {channels}")
    if channels is not None and config.regions is not None and len(config.regions) != channels:
        raise ConfigError(f"loss.regions: must weight each of the {channels} regions, was {list(config.regions)}")
    if config.regions is not None and (min(config.regions, default=0) < 0 or sum(config.regions) <= 0):
        raise ConfigError(f"loss.regions: must be at least 0 and not all 0, was {list(config.regions)}")


def _weight(config: LossConfig, share: float) -> float:
    """The share of a part in a sum; a loss of one part has no shares."""
    return share if "_" in config.name else 1.0


def _coarser(truth: Tensor, logits: Tensor) -> Tensor:
    """``truth`` at the size of ``logits``."""
    if truth.shape[2:] == logits.shape[2:]:
        return truth
    stride = [whole // part for whole, part in zip(truth.shape[2:], logits.shape[2:], strict=True)]
    return (F.max_pool2d if truth.ndim == 4 else F.max_pool3d)(truth.float(), stride)
