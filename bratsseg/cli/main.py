"""The command ``bratsseg``: its verbs, and how errors reach the user.

Exit codes: 0 all done, 1 some case refused or failed, 2 wrong use, 130 interrupted. Each verb imports what it needs
when it runs, so that ``bratsseg --help`` and ``bratsseg check`` load no torch.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bratsseg.cli.compare import compare
from bratsseg.cli.convert import convert
from bratsseg.cli.describe import describe_data
from bratsseg.cli.describe_refusals import describe_refusals
from bratsseg.cli.evaluate import evaluate
from bratsseg.cli.export import export
from bratsseg.cli.models import models
from bratsseg.cli.release import release
from bratsseg.cli.report import report
from bratsseg.cli.segment import AcceptNoFormCodes, AcceptShear, Layout, TrustForm, geometry_policy, segment
from bratsseg.cli.selftest import selftest
from bratsseg.cli.serve import serve
from bratsseg.cli.status import status
from bratsseg.cli.streams import fault_of_stdout, open_streams, use_utf8
from bratsseg.cli.submit import PASS_ON, submit
from bratsseg.cli.synthesize import synthesize
from bratsseg.cli.train import train
from bratsseg.cli.train_folds import train_folds
from bratsseg.cli.verify import verify
from bratsseg.cli.watch import watch
from bratsseg.errors import BratssegError
from bratsseg.version import __version__

app = typer.Typer(
    name="bratsseg",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="IN", help="Folder of studies.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
    voxels: Annotated[bool, typer.Option("--voxels", help="Read every scan to its end.")] = False,
    layout: Layout = None,
    trust_form: TrustForm = None,
    accept_no_form_codes: AcceptNoFormCodes = False,
    accept_shear: AcceptShear = False,
) -> None:
    """Say what IN holds, case by case and modality by modality, and what is wrong with it. Writes nothing."""
    from bratsseg.cli.check import check as run_check

    policy = geometry_policy(trust_form, accept_no_form_codes, accept_shear)
    raise typer.Exit(run_check(folder, as_json, voxels, layout, policy))


for verb in (
    segment,
    evaluate,
    compare,
    report,
    convert,
    export,
    synthesize,
    train,
    release,
    status,
    verify,
    watch,
    selftest,
):
    app.command()(verb)
app.command()(selftest)
app.add_typer(models, name="models")
app.command("train-folds")(train_folds)
app.command("describe-data")(describe_data)
app.command("describe-refusals")(describe_refusals)
app.command(context_settings=PASS_ON)(submit)
app.add_typer(serve)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bratsseg {__version__}")
        raise typer.Exit


@app.callback()
def bratsseg(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Finds brain tumours in multi-modal MRI: folders of scans in, label maps out, in each scan's own geometry.

    For research; not a medical device.
    """


def main() -> None:
    """Run the command line and exit; errors raised on purpose become one message without a traceback."""
    use_utf8()
    open_streams()
    try:
        app()
    except SystemExit:
        if (fault := fault_of_stdout()) is not None:
            _fail(f"stdout: not all could be told; {fault.strerror}", 1)
        raise
    except KeyboardInterrupt:
        _fail("interrupted; finished cases are kept, and the same command goes on from there", 130)
    except BratssegError as error:
        _fail(str(error), error.exit_code)
    except MemoryError:
        _fail("out of memory", 1)
    except OSError as error:
        _fail(f"{error.filename or _whose()}: {error.strerror or error}", 1)


def _whose() -> str:
    """What an error of the system without a file's name is about."""
    try:
        Path.cwd()
    except OSError:
        return "the folder that the command was called in is gone, call it from another"
    return "the system"


def _fail(message: str, code: int) -> None:
    print(f"bratsseg: {message}", file=sys.stderr)
    sys.exit(code)
