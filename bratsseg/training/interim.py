"""Configs of the synthetic stream's data, windows and augmentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bratsseg.config import Config
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.augmentation import ModalityShares


class SyntheticConfig(Config):
    """Patients made on the fly."""

    volumes: int = Field(default=24, ge=1)
    """Patients kept in memory at once, so that a batch mixes many."""
    windows_per_volume: int = Field(default=16, ge=1)
    """Samples drawn for each new patient."""
    lanes: int = Field(default=1, ge=1)
    """Pools of patients that batches take turns at; as many as workers, and no worker makes another's patients."""
    validation_patients: int = Field(default=6, ge=1)
    """Patients with a tumour, of the fixed validation set."""


class DataConfig(Config):
    """Where cases come from."""

    synthetic: SyntheticConfig = SyntheticConfig()
    """Patients made on the fly."""
    modalities: tuple[Modality, ...] = tuple(Modality)
    """The network's channels, in order."""
    regions: tuple[Region, ...] = tuple(Region)
    """What is learnt."""
    target: Literal["regions", "classes"] = "regions"
    """Nested regions or exclusive classes."""
    modality_dropout: ModalityShares | None = ModalityShares()
    """Modality dropout."""
    workers: int = Field(default=1, ge=0)
    """Processes that make samples; 0 makes them in the training process."""
