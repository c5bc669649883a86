"""The training step as Lightning runs it: loss, averaged weights, schedule, validation on whole cases."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning import pytorch as pl
from torch import Tensor

from bratsseg.errors import TrainingError
from bratsseg.network import build_network
from bratsseg.training.average import AverageWeights
from bratsseg.training.data import varied
from bratsseg.training.experiment import Experiment
from bratsseg.training.loss import build_loss
from bratsseg.training.optimiser import build_optimiser
from bratsseg.training.schedule import Plateau, learning_rate_factor
from bratsseg.training.validation import NamedScores, gather, mean_scores, score_in_frame

OVERFLOWS_IN_A_ROW = 20
"""16-mixed: the scaler skips a step that overflows and halves its factor, so some are nothing to worry about."""
LOOKED_AT_EVERY = 25
"""Steps between looks at the losses on a GPU, where each look waits for it."""


class SegmentationModule(pl.LightningModule):
    """``network`` is trained; ``average`` follows it as an exponential moving average and is what gets released."""

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        self.experiment = experiment
        order = torch.channels_last if experiment.network.dims == 2 else torch.channels_last_3d
        self._order = order
        self.network = build_network(experiment.network).to(memory_format=order)  # type: ignore[call-overload]
        self._following = AverageWeights(self.network, experiment.trainer.ema_decay)
        self.average = self._following.network
        self._loss = build_loss(experiment.loss, experiment.data.target)
        self._plateau = Plateau(experiment.schedule) if experiment.schedule.name == "plateau" else None
        self.case_scores: dict[str, NamedScores] = {}
        self.scores: dict[str, float] = {}
        self._losses: list[Tensor] = []
        self._unseen: list[tuple[int, Tensor, Tensor]] = []
        self._overflows = 0
        self.expected_steps = experiment.trainer.total_steps
        """Length of the run, which the schedule is laid over; a clock shortens it."""

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser; its learning rates follow the schedule in ``on_train_batch_start``.

        Fused on a GPU, but for 16-mixed: there a fused step would take the scaler's factor away after clipping.
        """
        fused = self.device.type == "cuda" and self.experiment.trainer.precision != "16-mixed"
        return build_optimiser(self.network, self.experiment.optimiser, fused=fused)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of all gradients, without waiting for it; Lightning's own refuses fused optimisers."""
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), gradient_clip_val)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Arrays to the device, without waiting; the positions of samples are read on the CPU, and stay there."""
        return tuple(
            part.to(device, non_blocking=True) if isinstance(part, Tensor) and part.ndim > 1 else part for part in batch
        )

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rates of this step, and make an epoch's own random draws a function of its number."""
        trainer = self.experiment.trainer
        if batch_idx == 0:
            epoch = self.global_step // trainer.epoch_steps
            torch.manual_seed((self.experiment.seed * 1_000_003 + epoch) * 1009 + self.global_rank)
            self._losses, self._unseen, self.scores = [], [], {}
            is_last = epoch == trainer.epochs - 1
            self.trainer.check_val_every_n_epoch = 1 if is_last else trainer.validate_every
        factor = learning_rate_factor(self.global_step, self.expected_steps, self.experiment.schedule)
        factor *= self._plateau.factor if self._plateau else 1.0
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["initial_lr"] * factor

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], batch_idx: int) -> Tensor:
        """Loss of one batch: pictures (N, C, *space), truth (N, R, *space), positions (N,)."""
        on_cpu = batch[0].device.type == "cpu"  # there the loader has varied it
        pictures, truth, positions = batch if on_cpu else varied(batch, self.experiment)
        outputs = self.network(pictures.to(self._arithmetic()).contiguous(memory_format=self._order))
        loss = self._loss(outputs, truth)
        self._losses.append(loss.detach())
        self._unseen.append((self.global_step, loss.detach(), positions))
        if loss.device.type == "cpu" or len(self._unseen) >= LOOKED_AT_EVERY:
            self.look_at_losses()
        return loss

    @property
    def within_epoch(self) -> bool:
        """True when an epoch was begun and not ended: a clock has cut it, and its steps count for the average alone."""
        return bool(self.global_step % self.experiment.trainer.epoch_steps)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the averaged weights, after a step has been taken."""
        if (batch_idx + 1) % self.experiment.trainer.accumulate == 0:
            self._following.update(self.network, self.global_step)

    def look_at_losses(self) -> None:
        """Raise ``TrainingError`` when a loss since the last look was not a number, naming the step and the cases."""
        seen, self._unseen = self._unseen, []
        finite = torch.stack([loss for _, loss, _ in seen]).isfinite().tolist() if seen else []
        for (step, loss, positions), fine in zip(seen, finite, strict=True):
            self._overflows = 0 if fine else self._overflows + 1
            if self._overflows > (OVERFLOWS_IN_A_ROW if self.experiment.trainer.precision == "16-mixed" else 0):
                name_of = self.trainer.datamodule.samples.name_of
                cases = sorted({name_of(int(position)) for position in positions})
                raise TrainingError(
                    f"step {step}: the loss must be a number, was {float(loss)}, on cases {', '.join(cases)}; "
                    "the checkpoint of the epoch before is kept. Look at those scans, or lower "
                    "optimiser.learning_rate, or set trainer.precision to 32-true"
                )

    def mean_loss(self) -> float:
        """Mean loss of the epoch over all processes, all of them numbers; before the epoch's checkpoint is written."""
        self.look_at_losses()
        total = torch.stack(self._losses).double().mean() if self._losses else torch.tensor(math.nan)
        return float(self.trainer.strategy.reduce(total, reduce_op="mean"))

    def train(self, mode: bool = True) -> SegmentationModule:
        """Set the mode of the trained network; the average always stays in eval."""
        super().train(mode)
        self.average.eval()
        return self

    def on_validation_epoch_start(self) -> None:
        """Forget the last scores."""
        self.look_at_losses()
        self.case_scores = {}
        torch.backends.cudnn.benchmark = False  # every case has a size of its own

    def validation_step(self, case: tuple[str, Tensor, Tensor], _: int) -> None:
        """Scores of one whole case."""
        name, images, regions = case
        images = images.to(self._arithmetic())
        self.case_scores[name] = score_in_frame(self.average, images, regions, self.experiment)

    def on_validation_epoch_end(self) -> None:
        """Put the scores of all processes together; lower the learning rate when they stopped rising."""
        torch.backends.cudnn.benchmark = True
        self.case_scores = gather(self.case_scores)
        self.scores = mean_scores(self.case_scores.values(), self.experiment.score_names)
        if self._plateau:
            self._plateau.update(self.scores[self.experiment.trainer.monitor])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what Lightning does not know of."""
        if self._plateau:
            checkpoint["plateau"] = self._plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        if self._plateau and "plateau" in checkpoint:
            self._plateau.load_state_dict(checkpoint["plateau"])

    def _arithmetic(self) -> torch.dtype:
        return torch.bfloat16 if self.experiment.trainer.precision == "bf16-mixed" else torch.float32
