"""ClusterJob: what a run asks a cluster for. A file of it is written once for a cluster and used with every command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from bratsseg.config import Config
from bratsseg.errors import UsageError

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A word that needs no quotes anywhere."""
Line = Annotated[str, StringConstraints(pattern=r"^[^\r\n]+$")]
"""One line of text."""

_TRAINS = ("train", "train-folds")


class ClusterJob(Config):
    """Machines, time and place in the queue of one job."""

    name: Name = "bratsseg"
    """What the queue and the log file call it."""
    nodes: int = Field(default=1, ge=1)
    """Machines."""
    gpus: int = Field(default=0, ge=0)
    """GPUs on each machine; 0 computes on CPUs."""
    gpu_type: Name | None = None
    """The cluster's name of the kind of GPU, such as a100; None takes any."""
    processes: int | None = Field(default=None, ge=1)
    """Training processes on each machine; None is one for each GPU, and one where there is none."""
    cpus: int = Field(default=8, ge=1)
    """CPU cores of each process, data workers included."""
    memory_gb: int | None = Field(default=None, ge=1)
    """Memory of each machine in GB; None takes the cluster's default."""
    hours: float = Field(default=24, gt=0)
    """Time limit. A job that needs more goes back into the queue and on from its last checkpoint."""
    partition: Name | None = None
    """Which machines; None takes the cluster's default."""
    account: Name | None = None
    """Who pays."""
    qos: Name | None = None
    """Quality of service."""
    requeue: bool = True
    """Go back into the queue shortly before the time limit, and when a machine fails or is wanted for others."""
    requeue_seconds: int = Field(default=120, ge=10)
    """How long before the time limit; what was computed since the last checkpoint is computed again."""
    most_requeues: int = Field(default=50, ge=1)
    """After so many starts it stays out of the queue: a job that finishes no epoch in ``hours`` would never end."""
    logs: Path = Path("logs")
    """Folder of the log files, one a job; a requeued job goes on in the same file."""
    setup: tuple[Line, ...] = ()
    """Shell lines that run first on the first machine, such as ``module load cuda``."""
    options: tuple[Annotated[str, StringConstraints(pattern=r"^--[a-z-]+(=[^\r\n]+)?$")], ...] = ()
    """More of the scheduler's own options, as typed, such as ``--constraint=nvlink``."""

    @property
    def processes_per_node(self) -> int:
        """Processes on each machine."""
        return self.processes or max(self.gpus, 1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.name in ("bash", "interactive"):
            raise ValueError("name must not be bash or interactive: Lightning takes such a job for a shell of a person")
        if self.requeue and self.hours * 3600 <= self.requeue_seconds:
            raise ValueError(f"hours must be longer than requeue_seconds, which is {self.requeue_seconds} s")
        if self.gpus and self.processes not in (None, self.gpus):
            raise ValueError(f"processes must be one for each GPU, of which there are {self.gpus}; leave it out")
        return self


def command_of(job: ClusterJob, words: Sequence[str]) -> tuple[str, ...]:
    """The words after ``bratsseg``: a training is told how many machines and processes the job has.

    Raises ``UsageError`` when the words say other numbers than the job, or when a verb that runs as one process would
    be started as several, which would all write the same results.
    """
    verb = words[0]
    if verb not in _TRAINS:
        if job.nodes * job.processes_per_node > 1:
            raise UsageError(
                f"submit {verb}: runs as one process, the job has {job.nodes} nodes × {job.processes_per_node} "
                "processes; give it one node and at most one GPU"
            )
        return tuple(words)
    wanted = {"trainer.nodes": job.nodes, "trainer.devices": job.processes_per_node}
    for word in words:
        key, _, value = word.partition("=")
        if key in wanted and value != str(wanted[key]):
            raise UsageError(f"submit {verb}: {key} must be the job's, {wanted[key]}, was {value}; leave it out")
    return (*words, *(text for key, value in wanted.items() if (text := f"{key}={value}") not in words))
