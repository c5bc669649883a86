"""The running server: one over each folder, and how it listens."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI

from bratsseg.claims import FOLDER, LEASE_SECONDS, ClaimFiles, Claims
from bratsseg.errors import UsageError
from bratsseg.service.accounts.users import any_user
from bratsseg.service.app import create_app
from bratsseg.service.assets import HOW, missing_assets
from bratsseg.service.connections import guarded
from bratsseg.service.log import start_log
from bratsseg.service.settings import Settings

if sys.platform != "win32":
    import resource


def serve_settings(settings: Settings) -> None:
    """Run the server until it is stopped; ``UsageError`` when another one serves the same folder.

    Where it listens is said on standard output, what is still missing on standard error.
    """
    start_log()
    settings.make_folders()
    with Claims(ClaimFiles(settings.data / FOLDER)) as claims:  # two servers would clear away each other's files
        if not claims.take("server"):
            text = f"--data {settings.data}: must be served by one server, another is running on it"
            raise UsageError(
                f"{text}; stop that one, or give another folder. One that was killed on another machine "
                f"or in another container counts as running for {LEASE_SECONDS:.0f} seconds more"
            )
        _serve(settings)


def _serve(settings: Settings) -> None:
    app = create_app(settings)
    if missing_assets():
        print(HOW, file=sys.stderr, flush=True)
    if not any_user(app.state.context.store):
        text = "there is no user yet; type: bratsseg serve add-user NAME --role administrator --data"
        print(f"{text} {settings.data}", file=sys.stderr, flush=True)
    _allow_files(settings.limits.connections)
    config = server_config(app, settings)
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    print(f"bratsseg serves http://{settings.host}:{listening.getsockname()[1]}  data: {settings.data}", flush=True)
    server.run([listening])


def _allow_files(connections: int) -> None:
    """Let this process hold as many sockets as connections, besides the files it reads, where the system lets it."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 1000
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn listens: a time limit for heads, bounds for addresses, and no word of whom it answers."""
    # No access log: addresses with what was searched for are no business of a log file.
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        http=guarded(settings.limits, settings.trusted_proxies),
        ws="none",
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
    )
