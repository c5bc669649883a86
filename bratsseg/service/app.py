"""The application: routes, gate, headers, and the worker beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from bratsseg.errors import BratssegError
from bratsseg.service import api, pages
from bratsseg.service.answers import answer
from bratsseg.service.context import Context
from bratsseg.service.gate import Gate
from bratsseg.service.headers import SafeHeaders
from bratsseg.service.housekeeping import sweep, sweep_uploads
from bratsseg.service.refusal import Refusal, of_error
from bratsseg.service.settings import Settings
from bratsseg.service.supervisor import Supervisor
from bratsseg.version import __version__

log = logging.getLogger(__name__)
STATIC = Path(__file__).with_name("static")
_THREADS = 24  # each may hold a database connection, and a volume while it is checked


def create_app(settings: Settings, *, with_worker: bool = True) -> FastAPI:
    """The service over ``settings.data``. Without a worker, jobs wait for one that somebody else starts."""
    context = Context.open(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        sweep(context)
        sweeping = asyncio.create_task(_sweep_again(context))
        supervisor = Supervisor(settings) if with_worker else None
        if supervisor is not None:
            supervisor.start()
        try:
            yield
        finally:
            sweeping.cancel()
            if supervisor is not None:
                supervisor.stop()
            context.close()

    app = FastAPI(
        title="bratsseg",
        version=__version__,
        description="Finds brain tumours in multi-modal MRI. For research; not a medical device.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        middleware=[Middleware(SafeHeaders, https=settings.https), Middleware(Gate, context=context)],
    )
    app.state.context = context
    app.include_router(api.router, prefix="/api/v1")
    app.include_router(pages.router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _answer_errors(app)
    return app


async def _sweep_again(context: Context) -> None:
    while True:
        await asyncio.sleep(60 * context.settings.sweep_minutes)
        try:
            await run_in_threadpool(sweep_uploads, context)
        except Exception as error:  # a disk that is full now may not be so in an hour
            log.warning("old uploads were not cleared away: %s", type(error).__name__)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    def refused(request: Request, error: Refusal) -> Response:
        if error.status == 403 or error.code == "too_many_attempts":
            context: Context = request.app.state.context
            context.attempts.note(request, request.state.visitor, error, request.scope["path"])
        return answer(request, error)

    @app.exception_handler(BratssegError)
    def of_the_tree(request: Request, error: BratssegError) -> Response:
        return answer(request, of_error(error))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        fields = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
        return answer(request, Refusal(422, "invalid", fields or "the request is not what it must be"))

    @app.exception_handler(HTTPException)
    def plain(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
        return answer(request, Refusal(error.status_code, code, str(error.detail)))
