"""Home, models, the explainer, and the description of the REST interface."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import func, select
from starlette.responses import JSONResponse, Response

from bratsseg.service.accounts.roles import Role
from bratsseg.service.api.jobs import jobs_of_patients
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.models import find_model, installed_models, model_facts
from bratsseg.service.records import Job, JobStatus, WorkerState, now
from bratsseg.service.templates import page
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.version import __version__

router = APIRouter()
_WORKER_SILENT_SECONDS = 60


@router.get("/")
def home(request: Request, context: ContextOf, visitor: VisitorOf) -> Response:
    """What waits, what runs, and where to go."""
    jobs: list[dict[str, Any]] = []
    if visitor.may(Role.VIEWER, Role.RADIOLOGIST):
        with context.store.writing() as session:
            latest = session.scalars(select(Job).order_by(Job.created_at.desc()).limit(8)).all()
            jobs = jobs_of_patients(session, visitor, latest)
    return page(request, "home.html.j2", jobs=jobs)


@router.get("/models")
def models(request: Request, context: ContextOf) -> Response:
    """The models at hand."""
    with context.store.reading() as session:
        found = [model_facts(model) for model in installed_models(session)]
    return page(request, "models.html.j2", models=found, default=context.settings.model)


@router.get("/models/{name}")
def model(request: Request, context: ContextOf, name: str) -> Response:
    """A model's card, with its validated scores."""
    with context.store.reading() as session:
        found = find_model(session, name)
    return page(request, "model.html.j2", model=model_facts(found), card=found.card)


@router.get("/explainer")
def explainer(request: Request) -> Response:
    """What the sequences and the parts of a tumour are."""
    regions = [(region, APPEARANCE[region]) for region in Region]
    return page(request, "explainer.html.j2", regions=regions)


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """The REST interface for programs."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def docs(request: Request) -> Response:
    """The REST interface for people."""
    return page(request, "docs.html.j2", paths=request.app.openapi()["paths"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The server answers."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(context: ContextOf) -> Response:
    """The database answers, a worker lives, a model is loaded; 503 and why when not."""
    with context.store.reading() as session:
        seen = session.scalar(select(func.max(WorkerState.seen_at)))
        usable = [model.name for model in installed_models(session) if not model.problem]
        waiting = session.scalar(select(func.count()).where(Job.status == JobStatus.QUEUED))
    lives = seen is not None and (now() - seen).total_seconds() < _WORKER_SILENT_SECONDS
    ready = lives and context.settings.model in usable
    facts = {"ready": ready, "database": True, "worker": lives, "model": context.settings.model in usable}
    return JSONResponse({**facts, "waiting": waiting}, 200 if ready else 503)


@router.get("/version")
def version() -> dict[str, str]:
    """The version of the software."""
    return {"version": __version__}
