"""Pages of studies, jobs and results."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from bratsseg.report.measures import LESION_ML
from bratsseg.service.api import jobs as api
from bratsseg.service.api.studies import study_facts
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.events import job_facts
from bratsseg.service.jobs import queue_study
from bratsseg.service.models import installed_models, model_facts
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.records import Patient, StudyRecord
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.service.results.drafts import draft_facts
from bratsseg.service.results.reviews import add_review
from bratsseg.service.results.views import find_result, patient_behind, result_facts
from bratsseg.service.templates import page
from bratsseg.study.modality import Modality

router = APIRouter()


@router.get("/studies/{study}")
def show_study(request: Request, context: ContextOf, visitor: VisitorOf, study: str) -> Response:
    """A study with its jobs and results."""
    with context.store.writing() as session:
        found = session.get(StudyRecord, study)
        if found is None:
            raise not_found("study")
        record_action(session, visitor, "study.read", study, patient=found.patient_id)
        values: dict[str, Any] = {
            "study": study_facts(session, found),
            "patient": None if found.patient_id is None else session.get(Patient, found.patient_id),
            "models": [model_facts(model) for model in installed_models(session) if model.kind == found.kind],
        }
    return page(request, "study.html.j2", default=context.settings.model, **values)


@router.post("/studies/{study}/jobs")
def run_again(context: ContextOf, visitor: VisitorOf, form: FormOf, study: str) -> Response:
    """Segment a study again."""
    with context.store.writing() as session:
        job = queue_study(session, context.settings, visitor, study, text(form, "model") or None)
    return redirect(f"/jobs/{job.id}")


@router.get("/jobs")
def show_jobs(
    request: Request,
    context: ContextOf,
    visitor: VisitorOf,
    at: Annotated[int, Query(ge=1, le=100_000, alias="page")] = 1,
) -> Response:
    """All jobs, the latest first."""
    return page(request, "jobs.html.j2", listed=api.list_(context, visitor, page=at))


@router.get("/jobs/{job}")
def show_job(request: Request, context: ContextOf, job: str) -> Response:
    """Where a job is."""
    with context.store.reading() as session:
        return page(request, "job.html.j2", job=job_facts(session, job))


@router.post("/jobs/{job}/cancel")
def cancel(context: ContextOf, visitor: VisitorOf, job: str) -> Response:
    """Cancel a job."""
    api.cancel(context, visitor, job)
    return redirect(f"/jobs/{job}")


@router.get("/results/{result}")
def show_result(request: Request, context: ContextOf, visitor: VisitorOf, result: str) -> Response:
    """A result: verdict, viewer, volumes, flags, review, what to download."""
    return _result(request, context, visitor, result)


@router.post("/results/{result}/review")
def review(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf, result: str) -> Response:
    """Accept or reject; a result that changed since it was opened is shown as it is now, with what was typed."""
    decision = text(form, "decision")
    if decision not in ("accept", "reject"):
        raise Refusal(422, "invalid", "a review must accept or reject")
    comment, seen = text(form, "comment"), text(form, "revision")
    try:
        with context.store.writing() as session:
            chosen: Literal["accept", "reject"] = "accept" if decision == "accept" else "reject"
            add_review(session, visitor, result, chosen, comment=comment, seen=seen)
    except Refusal as refusal:
        if refusal.code != "result_changed":
            raise
        return _result(request, context, visitor, result, refusal=refusal, comment=comment)
    return redirect(f"/results/{result}")


def _result(
    request: Request,
    context: ContextOf,
    visitor: VisitorOf,
    result: str,
    *,
    refusal: Refusal | None = None,
    comment: str = "",
) -> Response:
    with context.store.writing() as session:
        found = find_result(session, result)
        facts = result_facts(context, session, found)
        draft = draft_facts(session, visitor, result)
        values: dict[str, Any] = {
            "result": {**facts, "draft": draft, "reader": visitor.user_id},
            "patient": patient_behind(session, found),
            "modalities": list(Modality),
            "lesion_ml": LESION_ML,
        }
        record_action(session, visitor, "result.read", result, patient=facts["patient_id"])
    status = 200 if refusal is None else refusal.status
    return page(request, "result.html.j2", status, refusal=refusal, comment=comment, draft=draft, **values)
