"""An experiment: everything that decides what a training run does, as one frozen config."""

from __future__ import annotations

from math import prod
from typing import Literal, Self

from pydantic import Field, model_validator

from bratsseg.config import Config
from bratsseg.network import NetworkConfig, UNetConfig
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.synthesis.generator import SynthesisConfig
from bratsseg.tensors.augmentation import AugmentationConfig
from bratsseg.tensors.transforms import Preparation
from bratsseg.tensors.windows import SlabWindows, Windows
from bratsseg.training.ignored import refuse_ignored
from bratsseg.training.loss import LossConfig, build_loss
from bratsseg.training.optimiser import OptimiserConfig
from bratsseg.training.schedule import ScheduleConfig
from bratsseg.training.sources import DataConfig


class TrainerConfig(Config):
    """How the steps are run."""

    batch_size: int = Field(default=16, ge=1)
    """Samples of one process in one batch."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are summed into one step."""
    steps_per_epoch: int = Field(default=250, ge=1)
    """Optimiser steps of an epoch; each epoch ends with a checkpoint."""
    max_epochs: int | None = Field(default=None, ge=1)
    """Length of the run in epochs; the shorter of this and ``max_steps`` counts."""
    max_steps: int | None = Field(default=None, ge=1)
    """Length of the run in steps, rounded up to whole epochs."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Longest time of the run in minutes, all starts together: it ends with the last epoch that fits, or within one
    that does not, and the schedule is laid over the steps that are expected to fit. Every minute the averaged weights
    are written to RUN/average, a model folder, which ``segment`` and ``init_from`` take."""
    validate_every: int = Field(default=1, ge=1)
    """Epochs from one validation to the next; the last epoch is always validated."""
    monitor: str = "vol_dice_mean"
    """The validation score that the best checkpoint and the patience go by; higher is better."""
    patience: int | None = Field(default=None, ge=1)
    """Validations without a better score after which the run ends; None never ends it early."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    """Lightning's name of the arithmetic."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """Kind of device."""
    devices: int | None = Field(default=None, ge=1)
    """Processes on each machine, one a GPU; None is what torchrun says, otherwise 1."""
    nodes: int = Field(default=1, ge=1)
    """Machines."""
    threads: int = Field(default=1, ge=0)
    """CPU threads of each training process; 0 leaves torch's default."""
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    """Decay per step of the averaged weights, which validation and release use; 0 is the weights themselves."""
    compile: bool = False
    """torch.compile the network: a minute at the start, then faster steps on a GPU."""
    init_from: str | None = None
    """A released model, by name or folder, whose weights training starts from."""

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.max_epochs is None and self.max_steps is None:
            raise ValueError("max_epochs or max_steps must be given: a run has an end")
        return self

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch; a run that is shorter than an epoch has one of its own length."""
        return min(self.steps_per_epoch, self.max_steps or self.steps_per_epoch)

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""
        by_steps = None if self.max_steps is None else -(-self.max_steps // self.epoch_steps)
        return min(count for count in (self.max_epochs, by_steps) if count is not None)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole run, which the schedule is laid over."""
        return self.epochs * self.epoch_steps


class Experiment(Config):
    """One training run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Names the run and, unless told otherwise, the released model."""
    seed: int = 0
    """Everything drawn follows from it."""
    fold: int = Field(default=0, ge=0)
    """Which fold of the split is held out."""
    data: DataConfig = DataConfig()
    """Whose scans, or synthetic patients."""
    synthesis: SynthesisConfig = SynthesisConfig()
    """What synthetic patients are like."""
    preparation: Preparation = Preparation()
    """How a study becomes an array; the released model does the same."""
    windows: Windows = SlabWindows()
    """What is cut from a case to be one sample."""
    augmentation: AugmentationConfig = AugmentationConfig()
    """What is changed in a sample at random."""
    network: NetworkConfig = UNetConfig()
    """What is trained."""
    loss: LossConfig = LossConfig()
    """What it minimises."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """How."""
    schedule: ScheduleConfig = ScheduleConfig()
    """At which learning rate."""
    trainer: TrainerConfig
    """For how long, on what."""
    expects: Literal["brain"] | None = None
    """brain: the released model refuses what is unlike one unless it is forced (see ``study.likeness``); None takes
    anything: nobody but you knows what your scans show."""

    @property
    def subsets(self) -> dict[str, tuple[Modality, ...]]:
        """Which modalities validation gives the network, by name: with dropout also the pair that many sites have."""
        pair = (Modality.FLAIR, Modality.T1C)
        everything = {"all": self.data.modalities}
        spare = set(self.data.modalities) > set(pair) and self.data.modality_dropout is not None
        return everything | {"flair_t1c": pair} if spare else everything

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the validation scores, any of which ``trainer.monitor`` may name."""
        of = [*(str(region) for region in self.data.regions), "mean"]
        return tuple(
            f"vol_{measure}_{name}{suffix}"
            for suffix in ("", *(f"@{subset}" for subset in self.subsets if subset != "all"))
            for measure in ("dice", "iou")
            for name in of
        )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        refuse_ignored(self)
        for check in (self._preparation, self._dimensions, self._channels, self._sides, self._coarsest, self._monitor):
            check()
        return self

    def _channels(self) -> None:
        modalities, slices = len(self.data.modalities), self.windows.neighbours
        wanted = modalities * slices
        if self.network.in_channels != wanted:
            raise ValueError(f"network.in_channels must be {wanted} ({modalities} modalities × {slices} slices)")
        build_loss(self.loss, self.data.target, self.network.out_channels)
        classes = len(Region) + 1 if self.data.target == "classes" else len(self.data.regions)
        if self.network.out_channels != classes:
            raise ValueError(f"network.out_channels must be {classes}, one for each of data's {self.data.target}")

    def _sides(self) -> None:
        multiple = self.network.multiple
        windows = self.windows
        for size in windows.sizes if windows.kind == "slabs" else (windows.size,):
            if any(side % multiple for side in size):
                raise ValueError(f"windows.size must be multiples of {multiple} for this network, was {size}")

    def _coarsest(self) -> None:
        """Norms take statistics over the voxels of a level: of one voxel there are none to take."""
        over, windows, multiple = self.network.norm_over, self.windows, self.network.multiple
        for size in windows.sizes if windows.kind == "slabs" else (windows.size,):
            voxels = prod(side // multiple for side in size) * (self.trainer.batch_size if over == "batch" else 1)
            if over != "nothing" and voxels < 2:
                raise ValueError(
                    f"windows.size must be more than {multiple} along some axis for this network, was {size}: its "
                    "coarsest level would be one voxel, which has no deviation to be divided by"
                )

    def _preparation(self) -> None:
        if self.preparation.normalisation == "imagenet" and len(self.data.modalities) != 3:
            raise ValueError("data.modalities must be three for preparation.normalisation imagenet")
        if self.data.synthetic is None:
            return
        size = self.synthesis.pictures.size
        if self.preparation.subject == "volume" and self.preparation.spacing_mm is None:
            raise ValueError("preparation.spacing_mm must be given: synthetic patients are made at that spacing")
        if self.preparation.subject == "picture" and self.preparation.plane_size != (size, size):
            raise ValueError(
                f"preparation.plane_size must be synthesis.pictures.size both ways, {size} by {size}, was "
                f"{self.preparation.plane_size}"
            )

    def _dimensions(self) -> None:
        dims = 2 if self.windows.kind == "slabs" else 3
        if self.network.dims != dims:
            raise ValueError(f"network.dims must be {dims} for windows of kind {self.windows.kind}")

    def _monitor(self) -> None:
        if self.trainer.monitor not in self.score_names:
            raise ValueError(f"trainer.monitor must be one of {', '.join(self.score_names)}")
