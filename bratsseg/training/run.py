"""One training run in one folder: starts, goes on by itself when started again, and ends with its best weights kept."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning import pytorch as pl
from lightning.pytorch.strategies import DDPStrategy

from bratsseg.errors import ConfigError, ModelError, TrainingError
from bratsseg.inference.model import ModelFolder
from bratsseg.network import load_pretrained
from bratsseg.training.checkpoint import Checkpoints
from bratsseg.training.clock import Clock
from bratsseg.training.data import CaseData
from bratsseg.training.experiment import Experiment, TrainerConfig
from bratsseg.training.folder import BEST, LAST, LOG, cut_log, is_first_process, open_folder, read_checkpoint
from bratsseg.training.log import Bar, EpochLog
from bratsseg.training.module import SegmentationModule


def train(experiment: Experiment, run: Path) -> None:
    """Train in the folder ``run``; if it holds a run of the same experiment, go on from its last checkpoint.

    Raises ``ConfigError`` when the folder holds another experiment, the errors of the data before the first step, and
    ``TrainingError`` when the run cannot go on. A run that is already at its end is left as it is.
    """
    if is_first_process():
        open_folder(experiment, run)
    last = run / LAST
    start = last if last.exists() else None
    if start is not None and _finished(experiment, run, read_checkpoint(start)):
        return
    if experiment.trainer.threads:
        torch.set_num_threads(experiment.trainer.threads)
    _quieten()
    pl.seed_everything(experiment.seed, verbose=False)
    data = CaseData(experiment, run)
    try:
        data.find()
        module = SegmentationModule(experiment)
        if start is None:
            _fill(module)
        if experiment.trainer.compile:
            module.network.compile()
        callbacks = _callbacks(experiment, run)
        _fit(_trainer(experiment, run, callbacks), module, data, start)
    finally:
        data.close()
    if is_first_process():
        _report(experiment, run, data)


def _callbacks(experiment: Experiment, run: Path) -> list[pl.Callback]:
    """The clock before the checkpoints, which keep its state."""
    plan = experiment.trainer
    clock: list[pl.Callback] = [] if plan.max_minutes is None else [Clock(run, plan.max_minutes)]
    return [EpochLog(run), Bar(), *clock, Checkpoints(run, plan.patience)]


def _report(experiment: Experiment, run: Path, data: CaseData) -> None:
    """Write the page of the run, where what draws it is installed and anything was validated."""
    if not (run / BEST).exists():
        return
    torch.backends.cudnn.benchmark = False  # every case has a size of its own
    try:
        from bratsseg.training.outcome import report_run  # noqa: PLC0415 - absent on machines that only train
    except ModuleNotFoundError as error:
        print(f"report.html is not written: {error.name} is not installed", file=sys.stderr)
        return
    print(f"report: {report_run(experiment, run, data.validation)}", file=sys.stderr)


def _finished(experiment: Experiment, run: Path, checkpoint: dict[str, Any]) -> bool:
    """Make the log agree with the checkpoint; True when there is nothing left to do."""
    trainer = experiment.trainer
    steps = int(checkpoint["global_step"])
    if steps % trainer.epoch_steps:
        raise ConfigError(
            f"run {run}: stands at step {steps}, which must be the end of an epoch, and an epoch is "
            f"{trainer.epoch_steps} steps now; a run of less than one epoch cannot be lengthened, give another folder"
        )
    if is_first_process():
        cut_log(run / LOG, steps // trainer.epoch_steps)
    judged = Checkpoints(run, trainer.patience)
    judged.load_state_dict(checkpoint["callbacks"][judged.state_key])
    return steps >= trainer.total_steps or judged.exhausted or _out_of_time(experiment, run, checkpoint)


def _out_of_time(experiment: Experiment, run: Path, checkpoint: dict[str, Any]) -> bool:
    if experiment.trainer.max_minutes is None:
        return False
    clock = Clock(run, experiment.trainer.max_minutes)
    state = checkpoint["callbacks"].get(clock.state_key)
    if state is not None:  # the run had a clock before
        clock.load_state_dict(state)
    return clock.at_its_end


def _trainer(experiment: Experiment, run: Path, callbacks: list[pl.Callback]) -> pl.Trainer:
    config = experiment.trainer
    devices, nodes = _processes(config)
    _require_devices(config, devices)
    return pl.Trainer(
        accelerator=config.accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=_strategy(config) if devices * nodes > 1 else "auto",
        precision=config.precision,
        max_epochs=config.epochs,
        limit_train_batches=config.epoch_steps * config.accumulate,
        accumulate_grad_batches=config.accumulate,
        check_val_every_n_epoch=config.validate_every,
        num_sanity_val_steps=0,
        gradient_clip_val=experiment.optimiser.clip_norm or None,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        benchmark=True,
        default_root_dir=run,
    )


def _require_devices(config: TrainerConfig, devices: int) -> None:
    """``ConfigError`` when the experiment asks for GPUs that are not here."""
    here = torch.cuda.device_count() or int(torch.backends.mps.is_available())
    if config.accelerator == "gpu" and not here:
        raise ConfigError("trainer.accelerator: must be cpu or auto on a machine without a GPU, was gpu")
    if config.accelerator != "cpu" and here and devices > here:
        raise ConfigError(f"trainer.devices: must be at most {here}, the GPUs of this machine, was {devices}")


def _processes(config: TrainerConfig) -> tuple[int, int]:
    """Processes on each machine, and machines: torchrun's word counts where there is one."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return here, int(os.environ["WORLD_SIZE"]) // here
    return config.devices or 1, config.nodes


def _strategy(config: TrainerConfig) -> DDPStrategy:
    on_gpu = config.accelerator != "cpu" and torch.cuda.is_available()
    return DDPStrategy(process_group_backend="nccl" if on_gpu else "gloo", gradient_as_bucket_view=True)


def _fit(trainer: pl.Trainer, module: SegmentationModule, data: CaseData, start: Path | None) -> None:
    try:
        trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _too_little_memory(trainer, error) from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise _too_little_memory(trainer, error) from error
    except SystemExit as error:
        raise KeyboardInterrupt from error  # Lightning turned Ctrl-C into an exit


def _too_little_memory(trainer: pl.Trainer, error: BaseException) -> TrainingError:
    first = str(error).strip().partition("\n")[0]
    return TrainingError(
        f"step {trainer.global_step}: too little memory for this experiment ({first}); the last checkpoint is kept. "
        "Make trainer.batch_size smaller and trainer.accumulate larger, windows.size smaller, or the network's widths"
    )


def _fill(module: SegmentationModule) -> None:
    """Put the weights there that training starts from, where the experiment names some."""
    experiment = module.experiment
    note = load_pretrained(module.network)
    if note and is_first_process():
        print(note, file=sys.stderr)
    if experiment.trainer.init_from is not None:
        _load_released(module, experiment.trainer.init_from)
    module.average.load_state_dict(module.network.state_dict())


def _load_released(module: SegmentationModule, name: str) -> None:
    folder, data = ModelFolder.find(name), module.experiment.data
    model = folder.description
    for what, theirs, ours in (
        ("modalities", model.modalities, data.modalities),
        ("regions", model.regions, data.regions),
    ):
        if theirs != ours:
            raise ModelError(
                f"trainer.init_from {name}: data.{what} must be the model's, {', '.join(theirs)}, "
                f"were {', '.join(ours)}"
            )
    if len(model.weights) > 1 and is_first_process():
        first = f"{model.weights[0].file}; a model of one network says more clearly what was started from"
        print(f"trainer.init_from {name}: has {len(model.weights)} networks, taken is {first}", file=sys.stderr)
    (state, *_) = (network.state_dict() for network in folder.networks())
    mine = module.network.state_dict()
    differing = [key for key in state.keys() | mine.keys() if _shape(state, key) != _shape(mine, key)]
    if differing:
        key = min(differing)
        raise ModelError(
            f"trainer.init_from {name}: the network must be the model's; {len(differing)} weights differ, such as "
            f"{key}, there {_shape(state, key)}, here {_shape(mine, key)}. Copy `network` from its model.json"
        )
    module.network.load_state_dict(state)


def _shape(state: dict[str, torch.Tensor], key: str) -> tuple[int, ...] | None:
    return tuple(state[key].shape) if key in state else None


def _quieten() -> None:
    """Lightning's notes on its own settings, which nobody who trains here has made."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    for category in ("lightning.pytorch", "lightning.fabric"):
        warnings.filterwarnings("ignore", module=category)
