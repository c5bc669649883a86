"""What a job may ask for, and what a command is told of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bratsseg.cluster.job import ClusterJob, command_of
from bratsseg.errors import UsageError

TRAIN = ("train", "a.yaml", "--out", "runs/a")


def test_a_training_is_told_its_machines_and_processes():
    assert command_of(ClusterJob(nodes=2, gpus=4), TRAIN) == (*TRAIN, "trainer.nodes=2", "trainer.devices=4")
    assert command_of(ClusterJob(), TRAIN) == (*TRAIN, "trainer.nodes=1", "trainer.devices=1")
    assert command_of(ClusterJob(processes=3), (*TRAIN, "trainer.nodes=1")) == (
        *TRAIN,
        "trainer.nodes=1",
        "trainer.devices=3",
    )


def test_numbers_unlike_the_job_are_refused_before_the_queue():
    with pytest.raises(UsageError, match=r"trainer.devices must be the job's, 4, was 8"):
        command_of(ClusterJob(gpus=4), (*TRAIN, "trainer.devices=8"))


def test_a_verb_of_one_process_is_not_started_twice():
    words = ("segment", "in", "out")
    assert command_of(ClusterJob(gpus=1), words) == words
    for job in (ClusterJob(nodes=2), ClusterJob(gpus=2), ClusterJob(processes=2)):
        with pytest.raises(UsageError, match="runs as one process"):
            command_of(job, words)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "a b"}, "should match pattern"),
        ({"name": "bash"}, "shell of a person"),
        ({"hours": 0.02}, "longer than requeue_seconds"),
        ({"gpus": 2, "processes": 3}, "one for each GPU"),
        ({"setup": ("one\ntwo",)}, "should match pattern"),
        ({"options": ("constraint=a",)}, "should match pattern"),
        ({"gpu": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_job_that_cannot_be_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        ClusterJob(**fields)
