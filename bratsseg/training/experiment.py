"""An experiment: everything that decides what a training run does, as one frozen config."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bratsseg.config import Config
from bratsseg.network import UNetConfig
from bratsseg.study.modality import Modality
from bratsseg.synthesis.generator import SynthesisConfig
from bratsseg.training.loss import LossConfig


class ModalityShares(Config):
    """How often a sample keeps which modalities; the others are zeroed, so that one network serves any subset."""

    all_four: float = 0.35
    """FLAIR, T1, T1ce, T2."""
    flair_t1c: float = 0.3
    """FLAIR and T1ce, the pair many public sets have."""
    flair_only: float = 0.08
    """FLAIR alone."""
    # The rest: any other subset that contains FLAIR or T2, uniformly.


class DataConfig(Config):
    """How synthetic patients become batches of slabs."""

    spacing_mm: float = Field(default=1.5, gt=0)
    """Isotropic spacing of the volumes; inference resamples to the same."""
    slices: int = Field(default=5, ge=1)
    """Adjacent slices in one slab; odd."""
    window: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = ((128, 112), (112, 112), (112, 128))
    """In-plane size of a slab for sagittal (J, K), coronal (I, K), axial (I, J) slabs; larger heads are cropped."""
    planes: tuple[float, float, float] = (0.25, 0.25, 0.5)
    """Share of batches from the sagittal, coronal and axial plane."""
    volumes: int = Field(default=24, ge=1)
    """Patients kept in memory per worker, so that a batch mixes many."""
    slabs_per_volume: int = Field(default=16, ge=1)
    """Slabs drawn for each new patient."""
    tumour_share: float = Field(default=0.65, ge=0, le=1)
    """Share of slabs whose centre slice touches tumour."""
    modalities: ModalityShares = ModalityShares()
    """Modality dropout."""
    gain_sd: float = 0.12
    """Sd of the log gain on each modality after the z-score."""
    offset_sd: float = 0.12
    """Sd of the offset on each modality after the z-score."""
    workers: int = Field(default=1, ge=0)
    """Processes that make patients; 0 makes them in the training process."""

    @model_validator(mode="after")
    def _slices_odd(self) -> DataConfig:
        if self.slices % 2 == 0:
            raise ValueError("slices must be odd: a slab has a centre slice")
        return self


class OptimiserConfig(Config):
    """AdamW (Loshchilov & Hutter, arXiv 1711.05101)."""

    learning_rate: float = 2e-3
    """Peak learning rate."""
    weight_decay: float = 0.01
    """Decoupled weight decay."""
    clip_norm: float = 5.0
    """Largest gradient norm; 0 turns clipping off."""


class ScheduleConfig(Config):
    """Warm-up, constant, linear decay: it can be shortened on resume by a smaller ``max_steps``."""

    max_steps: int = Field(default=6000, ge=1)
    """Optimiser steps of the whole run."""
    warmup_steps: int = Field(default=200, ge=0)
    """Steps over which the learning rate rises from 0."""
    decay_share: float = Field(default=0.3, ge=0, le=1)
    """Last share of the steps, over which it falls to ``final``."""
    final: float = 0.01
    """Learning rate at the end relative to the peak."""


class TrainerConfig(Config):
    """How the steps are run."""

    batch_size: int = Field(default=16, ge=1)
    """Slabs per step."""
    steps_per_epoch: int = Field(default=250, ge=1)
    """Steps between validations; each ends with a checkpoint."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    """Lightning's name of the arithmetic."""
    accelerator: str = "auto"
    """Lightning's name of the device kind."""
    threads: int = Field(default=1, ge=0)
    """CPU threads of the training process; 0 leaves torch's default."""
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    """Decay per step of the averaged weights, which validation and release use."""
    validation_patients: int = Field(default=6, ge=1)
    """Synthetic patients of the fixed validation set."""


class Experiment(Config):
    """One training run."""

    name: str
    """Names the run and, unless told otherwise, the released model."""
    seed: int = 0
    """Everything drawn follows from it."""
    synthesis: SynthesisConfig = SynthesisConfig()
    """The patients."""
    data: DataConfig = DataConfig()
    """How patients become batches."""
    network: UNetConfig = UNetConfig()
    """What is trained."""
    loss: LossConfig = LossConfig()
    """What it minimises."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """How."""
    schedule: ScheduleConfig = ScheduleConfig()
    """For how long, at which learning rate."""
    trainer: TrainerConfig = TrainerConfig()
    """On what."""

    @model_validator(mode="after")
    def _channels_agree(self) -> Experiment:
        wanted = len(Modality) * self.data.slices
        if self.network.in_channels != wanted:
            raise ValueError(f"network.in_channels must be {wanted} (4 modalities × {self.data.slices} slices)")
        for size in self.data.window:
            if any(side % self.network.multiple for side in size):
                raise ValueError(f"data.window sides must be multiples of {self.network.multiple}, were {size}")
        return self


def learning_rate_factor(step: int, schedule: ScheduleConfig) -> float:
    """Learning rate at ``step`` relative to the peak."""
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    decay = max(schedule.decay_share * schedule.max_steps, 1)
    left = max(schedule.max_steps - step, 0) / decay
    return schedule.final + (1 - schedule.final) * min(left, 1.0)
