"""A SLURM of two nodes inside this machine, as its own user, that leaves nothing behind."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
_CONF = """
ClusterName=inside
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1 RealMemory=1000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=1000
PartitionName=all Nodes=n1,n2 Default=YES State=UP MaxTime=INFINITE
"""


def missing() -> list[str]:
    """The programs of SLURM that this machine lacks."""
    return [name for name in PROGRAMS if _found(name) is None]


@dataclass(frozen=True)
class Slurm:
    """A running one; ``environment`` is what its programs need."""

    folder: Path
    environment: dict[str, str]

    def call(self, program: str, *words: str) -> str:
        """What a program of SLURM prints."""
        ended = subprocess.run(
            [_path(program), *words], env=self.environment, capture_output=True, text=True, check=True, timeout=30
        )
        return ended.stdout

    def state(self, job: str) -> dict[str, str]:
        """What SLURM knows of a job."""
        pairs = (word.partition("=") for word in self.call("scontrol", "show", "job", job).split())
        return {key: value for key, _, value in pairs}

    def wait(self, job: str, ready: Callable[[dict[str, str]], bool], seconds: float) -> dict[str, str]:
        """The job's state once ``ready`` says so; an AssertionError with the last state after ``seconds``."""
        until = time.monotonic() + seconds
        while not ready(state := self.state(job)):
            assert time.monotonic() < until, f"job {job} is still {state['JobState']}: {state}"
            time.sleep(0.2)
        return state


@contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """Start munge, the controller and two nodes in ``folder``, and stop them by their process ids."""
    for name in ("state", "spool/n1", "spool/n2"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(_CONF.format(host=host, user=getpass.getuser(), folder=folder, ports=_free_ports(3)))
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    environment["SLURM_CONF"] = str(conf)
    slurm = Slurm(folder, environment)
    places = {
        "--socket": "munge.socket",
        "--key-file": "munge.key",
        "--pid-file": "munge.pid",
        "--log-file": "munge.log",
        "--seed-file": "munge.seed",
    }
    munge = ["munged", "--force", "--foreground", *(f"{flag}={folder / name}" for flag, name in places.items())]
    commands = [munge, ["slurmctld", "-D"], ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"]]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            with (folder / f"{len(started)}-{command[0]}.txt").open("wb") as log:
                started.append(
                    subprocess.Popen([_path(command[0]), *command[1:]], env=environment, stdout=log, stderr=log)
                )
            if command is munge:
                _until((folder / "munge.socket").exists, "munged", folder)
        _until(lambda: _idle(slurm), "two idle nodes", folder)
        yield slurm
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
        for process in reversed(started):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _idle(slurm: Slurm) -> bool:
    try:
        return slurm.call("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == "2"
    except subprocess.CalledProcessError:
        return False


def _until(ready: Callable[[], bool], what: str, folder: Path) -> None:
    until = time.monotonic() + 30
    while not ready():
        if time.monotonic() > until:
            logs = "\n".join(
                f"{path.name}: {path.read_text()[-500:]}" for path in sorted(folder.glob("*.[lt][ox][gt]"))
            )
            raise AssertionError(f"SLURM: no {what} after 30 s\n{logs}")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _path(name: str) -> str:
    path = _found(name)
    assert path is not None, f"{name} is missing"
    return path
