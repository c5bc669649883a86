"""The training step as Lightning runs it: loss, averaged weights, validation on whole volumes."""

from __future__ import annotations

import copy
import functools
from typing import Any

import torch
from lightning import pytorch as pl
from torch import Tensor, nn
from torch.nn import functional as F

from bratsseg.network import build_network
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.windows import slabs
from bratsseg.training.experiment import Experiment, learning_rate_factor
from bratsseg.training.loss import hard_dice, supervised_loss

SUBSETS: dict[str, tuple[Modality, ...]] = {
    "all": tuple(Modality),
    "flair_t1c": (Modality.FLAIR, Modality.T1C),
}
"""Modality subsets that validation scores, by the name they have in the log."""


class SegmentationModule(pl.LightningModule):
    """``network`` is trained; ``average`` follows it as an exponential moving average and is what gets released."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self.experiment = experiment
        self.network = _channels_last(build_network(experiment.network))
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.lost: list[Tensor] = []
        self.scores: dict[str, list[Tensor]] = {}

    def configure_optimizers(self) -> Any:
        """AdamW; norms and biases do not decay."""
        config = self.experiment.optimiser
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
        optimiser = torch.optim.AdamW(groups, config.learning_rate, weight_decay=config.weight_decay)
        factor = functools.partial(learning_rate_factor, schedule=self.experiment.schedule)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss of one batch: slabs (N, 4 × slices, A, B), truth (N, 3, A, B)."""
        pictures, truth = batch
        outputs = self.network(_channels_last(pictures.to(self._arithmetic())))
        loss = supervised_loss(outputs, truth, self.experiment.loss)
        self.lost.append(loss.detach())
        return loss

    def on_train_start(self) -> None:
        """Follow this run's schedule from the first step, also where a checkpoint remembers another one."""
        factor = learning_rate_factor(self.global_step, self.experiment.schedule)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["initial_lr"] * factor

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the averaged weights; early steps average over fewer."""
        decay = min(self.experiment.trainer.ema_decay, (1 + self.global_step) / (10 + self.global_step))
        with torch.no_grad():
            for mean, now in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.is_floating_point():
                    mean.lerp_(now, 1 - decay)
                else:
                    mean.copy_(now)

    def train(self, mode: bool = True) -> SegmentationModule:
        """Set the mode of the trained network; the average always stays in eval."""
        super().train(mode)
        self.average.eval()
        return self

    def on_validation_epoch_start(self) -> None:
        """Forget the last scores."""
        self.scores = {name: [] for name in SUBSETS}

    def validation_step(self, patient: tuple[Tensor, Tensor], _: int) -> None:
        """Dice of one whole patient, for each modality subset."""
        whole, regions = patient
        for name, subset in SUBSETS.items():
            kept = torch.tensor([m in subset for m in Modality], device=whole.device)
            volume = whole * kept.view(-1, 1, 1, 1)
            predicted = predict_volume(self.average, volume.to(self._arithmetic()), self.experiment.data.slices) > 0
            self.scores[name].append(hard_dice(predicted, regions).cpu())

    def summary(self) -> dict[str, float]:
        """Mean loss since the last call and mean Dice per subset and region, by column name of the log."""
        row = {"loss": float(torch.stack(self.lost).mean()) if self.lost else float("nan")}
        self.lost = []
        for name, scores in self.scores.items():
            means = torch.stack(scores).mean(0).tolist() if scores else [float("nan")] * len(Region)
            row |= {f"dice_{region}_{name}": value for region, value in zip(Region, means, strict=True)}
        return row

    def _arithmetic(self) -> torch.dtype:
        return torch.bfloat16 if self.experiment.trainer.precision == "bf16-mixed" else torch.float32


def predict_volume(network: nn.Module, volume: Tensor, slices: int, axis: int = 2, batch: int = 16) -> Tensor:
    """Logits (3, I, J, K) of ``volume`` (4, I, J, K), slab by slab along ``axis``."""
    pictures = slabs(volume, slices, axis)
    a, b = pictures.shape[-2:]
    multiple = getattr(getattr(network, "config", None), "multiple", 16)
    pictures = F.pad(pictures, (0, -b % multiple, 0, -a % multiple))
    parts = [network(_channels_last(part)) for part in torch.split(pictures, batch)]
    return torch.cat(parts)[..., :a, :b].movedim(0, axis + 1)


def _channels_last(thing: Any) -> Any:
    return thing.to(memory_format=torch.channels_last)
