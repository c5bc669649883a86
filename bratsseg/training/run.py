"""One training run in one folder: starts, logs, checkpoints each epoch, and goes on by itself when started again."""

from __future__ import annotations

import csv
import json
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from lightning import pytorch as pl
from torch.utils.data import DataLoader

from bratsseg.config import read_config, write_config
from bratsseg.errors import ConfigError
from bratsseg.synthesis.generator import VERSION
from bratsseg.training.data import SlabStream, ValidationPatients, training_loader
from bratsseg.training.experiment import Experiment, ScheduleConfig
from bratsseg.training.module import SegmentationModule

CHECKPOINT = Path("checkpoints") / "last.ckpt"
LOG = "log.csv"
EXPERIMENT = "experiment.yaml"
VERSIONS = "versions.json"


def train(experiment: Experiment, run: Path) -> None:
    """Train in the folder ``run``; if it holds a run of the same experiment, go on from its last checkpoint.

    Only ``schedule``, and of ``trainer`` the threads and accelerator, may differ from what the folder was started
    with: so a run can be shortened or lengthened. Anything else is a ConfigError.
    """
    start = _prepare_folder(experiment, run)
    if experiment.trainer.threads:
        torch.set_num_threads(experiment.trainer.threads)
    pl.seed_everything(experiment.seed, verbose=False)
    module = SegmentationModule(experiment)
    steps = experiment.trainer.steps_per_epoch
    stream = SlabStream(experiment, _finished_epochs(start, steps))
    validation = DataLoader(ValidationPatients(experiment), batch_size=None)
    trainer = pl.Trainer(
        accelerator=experiment.trainer.accelerator,
        devices=1,
        precision=experiment.trainer.precision,
        max_steps=experiment.schedule.max_steps,
        max_epochs=-1,
        limit_train_batches=steps,
        num_sanity_val_steps=0,
        gradient_clip_val=experiment.optimiser.clip_norm or None,
        callbacks=[_Log(run / LOG), _Checkpoint(run / CHECKPOINT)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=run,
    )
    trainer.fit(module, training_loader(experiment, stream), validation, ckpt_path=start, weights_only=True)


class _Log(pl.Callback):
    """Appends one line per epoch: epoch, step, seconds, learning rate, loss, Dice per region and modality subset."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since = time.monotonic()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not isinstance(pl_module, SegmentationModule):
            return
        now = time.monotonic()
        row: dict[str, Any] = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row |= {"seconds": round(now - self._since, 1), "learning_rate": trainer.optimizers[0].param_groups[0]["lr"]}
        row |= {name: round(value, 4) for name, value in pl_module.summary().items()}
        self._since = now
        fresh = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)


class _Checkpoint(pl.Callback):
    """Keeps the last epoch's state: written beside and renamed, so that there is always a whole one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        beside = self._path.with_name(self._path.name + ".part")
        trainer.save_checkpoint(beside, weights_only=False)
        beside.replace(self._path)


def _prepare_folder(experiment: Experiment, run: Path) -> Path | None:
    """Record the experiment; the checkpoint to go on from, or None."""
    run.mkdir(parents=True, exist_ok=True)
    record = run / EXPERIMENT
    if record.exists():
        before = read_config(Experiment, record)
        if _fixed_part(before) != _fixed_part(experiment):
            raise ConfigError(f"run {run}: was started with another experiment; give another folder")
    write_config(experiment, record)
    (run / VERSIONS).write_text(json.dumps(_versions(), indent=1), encoding="utf-8")
    checkpoint = run / CHECKPOINT
    return checkpoint if checkpoint.exists() else None


def _fixed_part(experiment: Experiment) -> Experiment:
    trainer = experiment.trainer.model_copy(update={"threads": 0, "accelerator": "auto"})
    return experiment.model_copy(update={"schedule": ScheduleConfig(), "trainer": trainer})


def _finished_epochs(checkpoint: Path | None, steps_per_epoch: int) -> int:
    if checkpoint is None:
        return 0
    step = torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"]
    return int(step) // steps_per_epoch


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "generator": VERSION}
    for name in ("bratsseg", "torch", "lightning", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
