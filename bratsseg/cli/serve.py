"""The verb ``serve``: the web service, its users, and the files that its pages load."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bratsseg.config import parse_config
from bratsseg.errors import UsageError

if TYPE_CHECKING:
    from bratsseg.service.settings import Settings

serve = typer.Typer(
    name="serve", invoke_without_command=True, no_args_is_help=False, rich_markup_mode=None, add_completion=False
)
Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", envvar="BRATSSEG_DATA", help="Folder that holds everything.")
]
_DATA = Path("bratsseg-data")


@serve.callback()
def run(
    call: typer.Context,
    *,
    data: Data = _DATA,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any that is free.")] = 8000,
    https: Annotated[
        bool, typer.Option("--https", help="A proxy before it speaks https: cookies go over https only.")
    ] = False,
    proxy: Annotated[
        list[str] | None,
        typer.Option("--proxy", metavar="ADDRESS", help="Believe X-Forwarded-For of this proxy; repeatable."),
    ] = None,
    hostname: Annotated[
        list[str] | None,
        typer.Option("--hostname", metavar="NAME", help="Answer requests for this host only; repeatable."),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="Model that is used when none is named.")] = "default",
    model_folder: Annotated[
        list[Path] | None, typer.Option("--model-folder", metavar="DIR", help="Also this model; may be repeated.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
) -> None:
    """Serve the pages for radiologists: upload, jobs, viewer, patients. Works on an empty folder.

    Everything lies in --data. Make users with: bratsseg serve add-user NAME --role ROLE
    """
    call.obj = data
    if call.invoked_subcommand is not None:
        return
    settings = _settings(
        data=data,
        host=host,
        port=port,
        https=https,
        proxies=tuple(proxy or ()),
        hosts=tuple(hostname or ()),
        model=model,
        models=tuple(str(folder.resolve()) for folder in model_folder or ()),
        device=device,
    )
    from bratsseg.service.server import serve_settings

    serve_settings(settings)


@serve.command("add-user")
def make_user(
    call: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the user types to log in.")],
    roles: Annotated[
        list[str],
        typer.Option("--role", metavar="ROLE", help="viewer, radiologist, data-manager or administrator; repeatable."),
    ],
    *,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of the service.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Make a user; the password is asked for twice, or read from standard input."""
    from bratsseg.service.accounts.roles import Role
    from bratsseg.service.accounts.users import add_user
    from bratsseg.service.accounts.visitor import Visitor
    from bratsseg.service.audit import record_action
    from bratsseg.service.context import Context
    from bratsseg.service.refusal import Refusal

    if strange := sorted(set(roles) - set(Role)):
        raise UsageError(f"--role: must be some of {', '.join(Role)}, was {', '.join(strange)}")
    context = Context.open(_settings(data=data or call.obj))
    password = sys.stdin.readline().rstrip("\n") if password_stdin else _ask_twice()
    try:
        with context.store.writing() as session:
            user = add_user(session, name, password, map(Role, roles))
            record_action(session, Visitor("", getpass.getuser(), frozenset(), "command line"), "user.create", user.id)
    except Refusal as refusal:
        raise UsageError(refusal.message) from refusal
    finally:
        context.store.close()
    typer.echo(f"user {name}: {', '.join(sorted(set(roles)))}")


@serve.command("verify-audit")
def check_audit(
    call: typer.Context,
    *,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of the service.")] = None,
    head: Annotated[str, typer.Option(metavar="HASH", help="A head noted earlier; rows cut off since are found.")] = "",
) -> None:
    """Check that nobody changed the audit: every row carries a hash over itself and the row before it."""
    from bratsseg.service.audit import verify_audit
    from bratsseg.service.context import Context

    settings = _settings(data=data or call.obj)
    if not settings.database_file.is_file():
        name = settings.database_file.name
        raise UsageError(f"--data {settings.data}: must be the folder of a service, holds no {name}")
    context = Context.open(settings)
    try:
        with context.store.reading() as session:
            state = verify_audit(session, head)
    finally:
        context.store.close()
    if state.problem:
        typer.echo(f"the audit was changed: {state.problem}", err=True)
        raise typer.Exit(1)
    typer.echo(f"the audit is unbroken: {state.rows:,} rows, head {state.head}")


@serve.command()
def assets() -> None:
    """Fetch what the pages load that is not ours (NiiVue, HTMX), with npm and a lock file."""
    from bratsseg.service.assets import fetch_assets

    typer.echo(f"fetched into {fetch_assets()}")


@serve.command(hidden=True)
def worker(
    settings: Annotated[str, typer.Option(metavar="JSON", help="Settings of the server.")],
    parent: Annotated[int | None, typer.Option(help="End with this process.")] = None,
) -> None:
    """Run jobs. The server starts one by itself."""
    from bratsseg.batch.memory import keep_memory_flat
    from bratsseg.service.log import start_log
    from bratsseg.service.settings import Settings
    from bratsseg.service.worker import run_worker

    start_log()
    keep_memory_flat()
    run_worker(Settings.model_validate_json(settings), parent)


def _settings(**values: object) -> Settings:
    try:
        from bratsseg.service.settings import Settings
    except ImportError as error:
        raise UsageError(f"serve needs more packages ({error.name}); type pip install 'bratsseg[serve]'") from error
    data = values["data"]
    if isinstance(data, Path):
        if data.exists() and not data.is_dir():
            raise UsageError(f"--data {data}: must be a folder, was a file")
        values["data"] = data.resolve()
    return parse_config(Settings, values, "serve")


def _ask_twice() -> str:
    if not sys.stdin.isatty():
        raise UsageError("add-user: there is no terminal to ask for the password; use --password-stdin")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise UsageError("add-user: the two passwords differ")
    return password
