"""What scripts/gpu promises a machine that is lent for minutes: it ends in time, and one failure costs one piece."""

from __future__ import annotations

import configparser
import importlib
import json
import re
import sys
import zipfile
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bratsseg.config import read_config
from bratsseg.training.experiment import Experiment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def driven(
    module: ModuleType, tmp_path: Path, until: float, commands: dict[str, str], pieces: list[str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Drive Python one-liners in place of the pieces; the exit code and drive.json."""
    out, work, pack = tmp_path / "out", tmp_path / "work", tmp_path / "pack"
    (pack / "wheels").mkdir(parents=True)
    work.mkdir()
    options = Namespace(until=until, pack=pack, out=out, pieces=pieces or list(commands), device="cpu", small=False)

    class OneLiners(module.Drive):  # type: ignore[misc, name-defined]
        def command(self, name: str, limit: float) -> list[str]:
            return [sys.executable, "-c", commands[name]]

    code = OneLiners(options, work).run()
    return code, json.loads((out / "drive.json").read_text())


def test_a_piece_that_breaks_or_hangs_costs_only_itself(script: Any, tmp_path: Path, monkeypatch: Any) -> None:
    module = script("gpu_drive")
    monkeypatch.setitem(module.LIMITS, "making", 2)
    commands = {
        "imports": "print('all there')",
        "selftest": "raise SystemExit(3)",
        "making": "while True: pass",
        "bench": "print('measured')",
    }
    code, told = driven(module, tmp_path, 60, commands)
    assert code == 1
    assert [piece["ended"] for piece in told["pieces"]] == [
        "well",
        "exit code 3",
        "stopped: its time was over",
        "well",
    ]
    assert "measured" in (tmp_path / "out" / "drive.log").read_text()


def test_what_is_left_of_the_time_goes_to_training(script: Any, tmp_path: Path) -> None:
    module = script("gpu_drive")
    code, told = driven(module, tmp_path, 100, {"imports": "pass", "train": "pass", "score": "pass"})
    assert code == 0
    train = told["pieces"][1]
    assert 100 - module.LIMITS["score"] - module.TO_END - 20 < train["limit"] < 100 - module.LIMITS["score"]


def test_averaged_weights_come_home_while_training_runs(script: Any, tmp_path: Path) -> None:
    module = script("gpu_drive")
    average = tmp_path / "work" / "run" / "average"
    write = (
        f"import json, pathlib; a = pathlib.Path({str(average)!r}); a.mkdir(parents=True)\n"
        "(a / 'weights-1').write_bytes(b'one')\n"
        "(a / 'model.json').write_text(json.dumps({'weights': [{'file': 'weights-1'}]}))\n"
        "raise SystemExit(137)"
    )
    code, _ = driven(module, tmp_path, 60, {"imports": "pass", "train": write})
    assert code == 1
    assert (tmp_path / "out" / "model" / "weights-1").read_bytes() == b"one"
    assert {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()} == {
        "drive.json", "drive.log", "model.json", "weights-1",
    }  # fmt: skip


def test_training_that_broke_at_once_is_begun_again_with_care(script: Any, tmp_path: Path) -> None:
    commands = {"imports": "pass", "train": "raise SystemExit(1)", "train again": "pass"}
    module = script("gpu_drive")
    _, told = driven(module, tmp_path, 60, commands, pieces=["imports", "train"])
    assert [(piece["name"], piece["ended"]) for piece in told["pieces"]][1:] == [
        ("train", "exit code 1"),
        ("train again", "well"),
    ]
    read_config(Experiment, ROOT / "configs" / "training" / "default_3d.yaml", module.CAREFUL)


def test_patients_are_made_where_training_is_held_up_least(script: Any) -> None:
    config = ROOT / "configs" / "training" / "default_3d.yaml"
    module, experiment = script("bench_making"), read_config(Experiment, config)
    for rates, on_device, makers in (
        ({"on_device": 4.0, "by_makers": 20.0, "steps": 30.0, "steps_32": 0.0}, True, True),
        ({"on_device": 40.0, "by_makers": 1.0, "steps": 8.0, "steps_32": 3.0}, True, False),
        ({"on_device": 4.0, "by_makers": 20.0, "steps": 0.0, "steps_32": 0.0}, True, True),
        ({"on_device": 0.0, "by_makers": 2.0, "steps": 8.0, "steps_32": 3.0}, True, True),
        ({"on_device": 0.0, "by_makers": 0.0, "steps": 0.0, "steps_32": 0.0}, False, False),
    ):
        found = module.compare(experiment, **rates)
        chosen = read_config(Experiment, config, found["overrides"])
        assert chosen.data.synthetic is not None
        assert (chosen.data.synthetic.on_device, chosen.data.synthetic.makers > 0) == (on_device, makers)
        assert chosen.trainer.precision == "bf16-mixed"
        assert max(found["steps a second, made by device"], found["steps a second, made by makers"]) <= rates["steps"]


def test_float32_is_taken_where_half_precision_is_slower(script: Any) -> None:
    experiment = read_config(Experiment, ROOT / "configs" / "training" / "default_3d.yaml")
    found = script("bench_making").compare(experiment, on_device=40.0, by_makers=1.0, steps=2.0, steps_32=6.0)
    assert "trainer.precision=32-true" in found["overrides"]
    assert found["steps a second, made by device"] > 2.0


def test_a_drive_without_time_begins_nothing(script: Any, tmp_path: Path) -> None:
    code, told = driven(script("gpu_drive"), tmp_path, 5.5, {"imports": "raise SystemExit(0)"})
    assert code == 1
    assert told["pieces"][0]["ended"] == "not begun: no time was left"


def test_a_damaged_wheel_does_not_cost_the_others(script: Any, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.whl").write_bytes(b"cut short")
    with zipfile.ZipFile(tmp_path / "b.whl", "w") as wheel:
        wheel.writestr("fine/__init__.py", "")
    script("gpu_drive").unpack(tmp_path, tmp_path / "site")
    assert (tmp_path / "site" / "fine" / "__init__.py").is_file()
    assert "a.whl" in capsys.readouterr().out


@pytest.mark.parametrize("values", [np.arange(-5, 300.0), np.linspace(-3.5, 12.25, 999), np.zeros(4)])
def test_a_packed_scan_is_the_scan_but_for_a_step_in_65535(script: Any, values: Any) -> None:
    stored, (slope, intercept) = script("gpu_cases").in_16_bits(values.astype(np.float32))
    back = stored * slope + intercept
    step = 0 if (values == np.rint(values)).all() else (values.max() - values.min()) / 65_535
    assert np.abs(back - values).max() <= step / 2 + 1e-5
    assert stored.dtype == np.uint16


def test_whatever_is_required_is_there_or_travels(script: Any) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].split()
    pack, there = script("gpu_pack"), script("gpu_rehearse").THERE
    found = {pack.normal(name) for name in (*pack.WHEELS, *there)}
    assert {pack.normal(re.split(r"[\[<>=!~;]", line)[0]) for line in lines} <= found
