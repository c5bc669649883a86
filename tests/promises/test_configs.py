"""Every config that ships reads as what it is, and every package that is needed is pinned."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from bratsseg.cluster.job import ClusterJob
from bratsseg.config import Config, read_config
from bratsseg.study.layout.mapping import Patterns
from bratsseg.training.experiment import Experiment

ROOT = Path(__file__).resolve().parents[2]
KINDS: dict[str, type[Config]] = {"training": Experiment, "layout": Patterns, "cluster": ClusterJob}
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*") if path.suffix in (".yaml", ".yml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_config_reads_and_says_what_it_is_for(path):
    assert path.parent.name in KINDS, f"{path}: say in this test what configs/{path.parent.name} holds"
    read_config(KINDS[path.parent.name], path)
    assert path.read_text(encoding="utf-8").startswith("#"), f"{path}: its first line must say what it is for"


def test_there_is_a_config_of_each_kind():
    assert {path.parent.name for path in CONFIGS} == set(KINDS)


def test_constraints_pin_every_requirement_but_torch():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    groups = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    lines = [line.strip() for group in groups for line in group.splitlines()]
    needed = {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines if line and not line.startswith("%")}
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert needed - {normal(pin.partition("==")[0]) for pin in pins} == {"torch"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
