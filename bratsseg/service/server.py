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
from bratsseg.service.log import start_log
from bratsseg.service.settings import Settings


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
    config = _config(app, settings)
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    print(f"bratsseg serves http://{settings.host}:{listening.getsockname()[1]}  data: {settings.data}", flush=True)
    server.run([listening])


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    # No access log: addresses with what was searched for are no business of a log file.
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=settings.https,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
        limit_concurrency=400,
    )
