"""The verb ``submit``: any other verb as a job of a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bratsseg.config import read_config
from bratsseg.errors import UsageError

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""What the verb's own options need to come through."""


def submit(
    context: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="VERB", help="The command, as without submit.")],
    *,
    cluster: Annotated[Path, typer.Option(metavar="FILE", help="Such as configs/cluster/slurm.yaml.")],
    job: Annotated[
        list[str] | None, typer.Option("--job", metavar="KEY=VALUE", help="A key of FILE with another value.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what sbatch would be given, and do nothing.")
    ] = False,
) -> None:
    """Run a verb of bratsseg as a SLURM job: bratsseg submit train CONFIG --out RUN --cluster FILE.

    The command is checked before it is queued. The job runs in this folder with this Python, logs to one file, and
    goes back into the queue before its time is up; the same command then goes on where it was.
    """
    from bratsseg.cluster.job import ClusterJob, command_of
    from bratsseg.cluster.slurm import batch_script, log_file
    from bratsseg.cluster.slurm import submit as submit_script

    _check(context, words)
    asked = read_config(ClusterJob, cluster, job or ())
    folder = Path.cwd()
    script = batch_script(asked, command_of(asked, words), sys.executable, folder)
    if dry_run:
        typer.echo(script, nl=False)
        return
    logs = log_file(asked, folder, "").parent
    job_id = submit_script(script, logs)
    typer.echo(f"job {job_id}  log: {log_file(asked, folder, job_id)}")


def _check(context: typer.Context, words: list[str]) -> None:
    """Refuse now what would be refused after hours in the queue: an unknown verb, option, or key of an experiment."""
    verbs: dict[str, Any] = getattr(context.parent and context.parent.command, "commands", {})
    verb = verbs.get(words[0])
    if verb is None or words[0] == context.info_name:
        known = ", ".join(name for name in verbs if name != context.info_name)
        raise UsageError(f"submit {words[0]}: must be a verb of bratsseg, one of {known}")
    parsed = verb.make_context(f"bratsseg submit {words[0]}", list(words[1:]), parent=context.parent)
    config = parsed.params.get("config")
    if isinstance(config, Path):
        from bratsseg.training.experiment import Experiment

        read_config(Experiment, config, parsed.params.get("overrides") or ())
