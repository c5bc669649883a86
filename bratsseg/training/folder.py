"""The folder of a run: what lies where, what was started in it, and whether the same experiment is going on."""

from __future__ import annotations

import csv
import json
import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from bratsseg.config import read_config, write_config
from bratsseg.errors import ConfigError
from bratsseg.files import replacing, write_json
from bratsseg.synthesis.generator import VERSION
from bratsseg.synthesis.shapes import load_shapes
from bratsseg.training.experiment import Experiment

LAST = Path("checkpoints") / "last.ckpt"
BEST = Path("checkpoints") / "best.ckpt"
LOG = "log.csv"
EXPERIMENT = "experiment.yaml"
VERSIONS = "versions.json"
SPLIT = "split.json"
SCORES = Path("validation") / "scores.csv"
AVERAGE = "average"
SHAPES = "shapes"
"""Key of ``VERSIONS`` that says which real label maps tumours were grown from; absent where all were drawn."""

FREE_TO_CHANGE = (
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.max_minutes",
    "trainer.patience",
    "trainer.threads",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.nodes",
    "trainer.compile",
    "data.workers",
    "data.folder",
    "data.cache",
    "synthesis.tumour.shapes",
)
"""What may differ when a run goes on: how long, on what machine, and where the same data lie now."""


def open_folder(experiment: Experiment, run: Path) -> None:
    """Record the experiment in ``run``; ``ConfigError`` names the keys in which a run found there differs.

    A run without a checkpoint has computed nothing yet, and may become another one.
    """
    record = run / EXPERIMENT
    if record.exists() and (run / LAST).exists():
        before = read_config(Experiment, record)
        differing = list(differences(before, experiment))
        if differing:
            raise ConfigError(
                f"run {run}: was started with another experiment: {'; '.join(differing)}. "
                "Give the old values, or another folder"
            )
    now = versions(experiment)
    if (run / LAST).exists() and (run / VERSIONS).exists():
        _require_same_shapes(run, now)
    run.mkdir(parents=True, exist_ok=True)
    (run / LAST).parent.mkdir(exist_ok=True)
    write_json(run / VERSIONS, now)
    with replacing(record) as part:
        write_config(experiment, part)


def is_first_process() -> bool:
    """True for the process that writes: the only one, or the first of torchrun's, SLURM's or Lightning's."""
    rank = os.environ.get("RANK") or os.environ.get("SLURM_PROCID") or "0"
    return rank == "0" and os.environ.get("LOCAL_RANK", "0") == "0"


def differences(before: Experiment, now: Experiment) -> Iterator[str]:
    """The keys that must not differ and do, as ``key was …, is …``."""
    old, new = dict(_leaves(before.model_dump(mode="json"))), dict(_leaves(now.model_dump(mode="json")))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key) and not _free(key):
            yield f"{key} was {old.get(key)}, is {new.get(key)}"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, its tensors read when they are used; never runs code from it."""
    loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return loaded


def cut_log(path: Path, epochs: int) -> None:
    """Drop the lines of epochs after ``epochs``, which a kill left without their checkpoint."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        names, rows = list(reader.fieldnames or ()), list(reader)
    kept = [row for row in rows if (row["epoch"] or "").isdigit() and int(row["epoch"]) < epochs]
    if len(kept) == len(rows):
        return
    write_table(path, names, kept)


def write_table(path: Path, names: list[str], rows: list[dict[str, Any]]) -> None:
    """Write a CSV file whole or not at all; ``WriteError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


def versions(experiment: Experiment) -> dict[str, str]:
    """Of everything that decides what a run computes; ``ConfigError`` where its file of shapes cannot be read."""
    found = {"python": platform.python_version(), "generator": VERSION}
    path = experiment.synthesis.tumour.shapes
    if path is not None:
        shapes = load_shapes(path)
        found[SHAPES] = f"{len(shapes)} public label maps, SHA-256 {shapes.sha256}"
    for name in ("bratsseg", "torch", "lightning", "numpy", "monai"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _require_same_shapes(run: Path, now: dict[str, str]) -> None:
    before = json.loads((run / VERSIONS).read_text(encoding="utf-8"))
    if before.get(SHAPES) != now.get(SHAPES):
        raise ConfigError(
            f"run {run}: synthesis.tumour.shapes must hold what it was started with, {before.get(SHAPES)}, held "
            f"{now.get(SHAPES)}. Give the old file, or another folder"
        )


def _leaves(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    elif isinstance(values, list) and any(isinstance(value, dict) for value in values):
        for number, value in enumerate(values):
            yield from _leaves(value, f"{key}[{number}]")
    else:
        yield key, values


def _free(key: str) -> bool:
    return key in FREE_TO_CHANGE or re.fullmatch(r"data\.sources\[\d+\]\.folder", key) is not None
