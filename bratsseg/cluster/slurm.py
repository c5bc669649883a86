"""SLURM: a job as the text that ``sbatch`` takes.

The script is one shell that starts the command by ``srun`` on every machine and waits. Sources: sbatch(1) and srun(1)
of SLURM 22.05; Lightning's ``SLURMEnvironment`` for what each process is told.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bratsseg.cluster.job import ClusterJob
from bratsseg.errors import ConfigError, UsageError

# SLURM tells the shell, and not Lightning in each process, that time is nearly up: Lightning would write a checkpoint
# of its own in the middle of an epoch, from which a run would not go on bit by bit.
_AGAIN = """\
again() {{
  if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {most} ]; then
    echo "bratsseg: the time is nearly up; job $SLURM_JOB_ID goes back into the queue"
    scontrol requeue "$SLURM_JOB_ID"
  else
    echo "bratsseg: the time is nearly up, and job $SLURM_JOB_ID was requeued {most} times; it ends"
  fi
}}
trap again USR1
"""
_WAIT = """\
step=$!
wait "$step"
status=$?
while kill -0 "$step" 2>/dev/null; do  # wait was ended by the signal, not by the step
  wait "$step"
  status=$?
done
exit "$status"
"""


def batch_script(job: ClusterJob, words: Sequence[str], python: str, folder: Path) -> str:
    """The text for ``sbatch`` that runs ``python -m bratsseg WORDS`` in ``folder`` (absolute) on what ``job`` asks for.

    Pure: reads and writes nothing. Raises ``ConfigError`` for a folder whose name cannot stand in a directive.
    """
    srun = ["srun", f"--cpus-per-task={job.cpus}", "--kill-on-bad-exit=1", python, "-m", "bratsseg", *words]
    return "".join(
        (
            "#!/bin/bash\n",
            "".join(f"#SBATCH {option}\n" for option in _options(job, folder)),
            "\n",
            "".join(f"{line}\n" for line in job.setup),
            # The shell runs on the first machine, which is that of process 0; a host name holds where a node's
            # name in SLURM is no host's.
            'export MASTER_ADDR="$(hostname)"\n',
            'export MASTER_PORT="$((15000 + (SLURM_JOB_ID + ${SLURM_RESTART_COUNT:-0}) % 15000))"\n',
            "export PYTHONUNBUFFERED=1\n\n",
            _AGAIN.format(most=job.most_requeues) if job.requeue else "",
            f"{shlex.join(srun)} &\n",
            _WAIT,
        )
    )


def submit(script: str, logs: Path) -> str:
    """Hand ``script`` to ``sbatch``; returns the job's id. ``logs`` is made first: without it a job ends silently.

    ``UsageError`` when there is no ``sbatch``, or with what it said when it refused.
    """
    program = shutil.which("sbatch")
    if program is None:
        raise UsageError("submit: sbatch must be on PATH; go to the cluster's login machine, or look with --dry-run")
    logs.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run([program, "--parsable"], input=script, text=True, capture_output=True, check=False)
    if ended.returncode != 0:
        raise UsageError(f"submit: sbatch refused the job; {ended.stderr.strip() or 'it said nothing'}")
    return ended.stdout.strip().partition(";")[0]  # "1234;cluster" where there are several clusters


def log_file(job: ClusterJob, folder: Path, job_id: str) -> Path:
    """Where the log of a job lies that was submitted in ``folder``."""
    return folder / job.logs / f"{job.name}-{job_id}.out"


def _options(job: ClusterJob, folder: Path) -> list[str]:
    gpus = f"gpu:{job.gpu_type}:{job.gpus}" if job.gpu_type else f"gpu:{job.gpus}"
    log = log_file(job, folder, "").parent.as_posix().replace("%", "%%")
    options = {
        "job-name": job.name,
        "nodes": job.nodes,
        "ntasks-per-node": job.processes_per_node,
        "cpus-per-task": job.cpus,
        "gres": gpus if job.gpus else None,
        "mem": f"{job.memory_gb}G" if job.memory_gb else None,
        "time": _clock(job.hours),
        "partition": job.partition,
        "account": job.account,
        "qos": job.qos,
        "chdir": _quoted(folder.as_posix()),
        "output": _quoted(f"{log}/%x-%j.out"),
        "open-mode": "append",
        "signal": f"B:USR1@{job.requeue_seconds}" if job.requeue else None,
    }
    flags = [f"--{name}={value}" for name, value in options.items() if value is not None]
    return [*flags, "--requeue" if job.requeue else "--no-requeue", *job.options]


def _quoted(path: str) -> str:
    """A path in a directive: SLURM reads quotes, but in an output name a backslash turns its patterns off."""
    if any(character in path for character in '"\\\n\r'):
        raise ConfigError(f"submit: folder {path!r} must be free of quotes, backslashes and line ends; rename it")
    return f'"{path}"'


def _clock(hours: float) -> str:
    """Hours as SLURM's days-hours:minutes:seconds."""
    minutes, seconds = divmod(round(hours * 3600), 60)
    whole, minutes = divmod(minutes, 60)
    days, whole = divmod(whole, 24)
    return f"{days}-{whole:02d}:{minutes:02d}:{seconds:02d}"
