"""Patients made ahead by other processes: the same patients, and no silence when something goes wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bratsseg.config import read_config
from bratsseg.errors import ConfigError, TrainingError
from bratsseg.training.experiment import Experiment
from bratsseg.training.makers import PatientMakers
from bratsseg.training.synthetic import PatientKey, SyntheticSamples, validation_patients

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "preparation.spacing_mm=6", "windows.size=[16,16,16]", "network.widths=[8,16]", "trainer.batch_size=2",
    "data.synthetic.volumes=5", "data.synthetic.volumes_at_first=2", "data.synthetic.windows_per_volume=1",
    "data.synthetic.validation_patients=2", "data.synthetic.makers=2",
)  # fmt: skip


def small(*overrides: str) -> Experiment:
    return read_config(Experiment, ROOT / "configs" / "training" / "default_3d.yaml", [*SMALL, *overrides])


@pytest.fixture
def makers() -> Iterator[PatientMakers]:
    made = PatientMakers(small(), 2)
    yield made
    made.close()


def same(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_samples_and_validation_are_those_made_without_makers(makers: PatientMakers) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    experiment = small()
    ahead, alone = SyntheticSamples(experiment, 2, makers=makers), SyntheticSamples(experiment, 2)
    theirs, mine = validation_patients(experiment, makers=makers), validation_patients(experiment)
    assert [case.id for case in theirs] == [case.id for case in mine]
    assert same(tuple(case.images for case in theirs), tuple(case.images for case in mine))
    found = [ahead[position][:2] for position in range(20)]
    for position in reversed(range(20)):
        assert same(found[position], alone[position][:2])
    resumed = SyntheticSamples(experiment, 2, makers=makers)
    assert same(resumed[13][:2], found[13])
    torch.set_num_threads(threads)


def test_a_maker_that_dies_is_an_error_that_names_it(makers: PatientMakers) -> None:
    makers.ask([PatientKey(0)])
    makers.take(PatientKey(0))
    for process in torch.multiprocessing.active_children():
        os.kill(process.pid or 0, signal.SIGKILL)
    with pytest.raises(TrainingError, match=r"patient maker \d must live as long as the training.*exit code -9"):
        makers.take(PatientKey(1))
    with pytest.raises(TrainingError, match="patient maker"):
        makers.ask([PatientKey(2)])


def test_what_breaks_in_a_maker_reaches_the_user() -> None:
    makers = PatientMakers(small("preparation.spacing_mm=500"), 1)
    with pytest.raises(TrainingError, match="synthetic patient 0 could not be made:"):
        makers.take(PatientKey(0))
    makers.close()


def test_makers_end_with_a_training_process_that_is_killed() -> None:
    program = f"""
        import os, signal, sys
        sys.path.insert(0, {str(ROOT)!r})
        from tests.training.test_makers import small
        from bratsseg.training.makers import PatientMakers
        if __name__ == "__main__":
            makers = PatientMakers(small(), 2)
            print("begun", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    # What the program writes to ends when nobody holds it any more: a maker that lived on would use up the time.
    script = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, timeout=120, check=False
    )
    assert script.returncode == -signal.SIGKILL
    assert script.stdout.strip() == b"begun"


def test_a_growing_pool_begins_with_few_and_ends_with_all() -> None:
    few, all_at_once = (
        small("data.synthetic.makers=0"),
        small("data.synthetic.makers=0", "data.synthetic.volumes_at_first=5"),
    )
    growing, whole = SyntheticSamples(few, 2), SyntheticSamples(all_at_once, 2)
    assert [len(growing._pool(batch)) for batch in range(5)] == [2, 3, 4, 5, 5]
    assert not same(growing[4][:2], whole[4][:2])
    assert same(growing[9][:2], whole[9][:2]), "once it has grown it is the pool of a run that began with all"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.workers=2", "workers must be 0 where synthetic"),
        ("data.synthetic.lanes=2", "lanes must be 1 with makers"),
    ],
)
def test_makers_have_one_pool(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small("data.synthetic.on_device=false", override)
