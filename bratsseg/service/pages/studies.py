"""Pages of studies, jobs and results."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from bratsseg.report.measures import LESION_ML
from bratsseg.service.api import jobs as api
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.events import job_facts
from bratsseg.service.jobs import queue_study
from bratsseg.service.models import installed_models, model_facts
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.patients import list_patients, read_patient
from bratsseg.service.records import Patient
from bratsseg.service.refusal import Refusal
from bratsseg.service.results.drafts import draft_facts
from bratsseg.service.results.reviews import add_review
from bratsseg.service.results.views import find_result, patient_behind, result_facts
from bratsseg.service.studies.days import typed_day
from bratsseg.service.studies.moving import change_study, place_of
from bratsseg.service.studies.views import find_study, study_facts
from bratsseg.service.templates import page
from bratsseg.study.modality import Modality

router = APIRouter()


@router.get("/studies/{study}")
def show_study(request: Request, context: ContextOf, visitor: VisitorOf, study: str) -> Response:
    """A study with its jobs and results."""
    with context.store.writing() as session:
        found = find_study(session, study)
        record_action(session, visitor, "study.read", study, patient=found.patient_id)
        values: dict[str, Any] = {
            "study": study_facts(session, found),
            "patient": None if found.patient_id is None else session.get(Patient, found.patient_id),
            "models": [model_facts(model) for model in installed_models(session) if model.kind == found.kind],
        }
    return page(request, "study.html.j2", default=context.settings.model, **values)


@router.get("/studies/{study}/move")
def ask_where(
    request: Request,
    context: ContextOf,
    visitor: VisitorOf,
    study: str,
    search: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Whose study it is and of which day: search the patient it belongs to."""
    return _move(request, context, visitor, study, search=search)


@router.post("/studies/{study}/move")
def move(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf, study: str) -> Response:
    """Give a study to another patient or to none, or put its day right."""
    try:
        day = typed_day(text(form, "taken_on"), unknown="day_unknown" in form)
        given = {"patient_id": text(form, "patient") or None, "taken_on": day}
        with context.store.writing() as session:
            change_study(session, visitor, study, given, seen=text(form, "seen"))
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        return _move(request, context, visitor, study, search=text(form, "search"), refusal=refusal, form=form)
    patient = given["patient_id"]
    return redirect(f"/patients/{patient}" if patient else f"/studies/{study}")


def _move(
    request: Request,
    context: ContextOf,
    visitor: VisitorOf,
    study: str,
    *,
    search: str,
    refusal: Refusal | None = None,
    form: FormData | None = None,
) -> Response:
    with context.store.writing() as session:
        found = find_study(session, study)
        record_action(session, visitor, "study.read", study, patient=found.patient_id)
        owner = None if found.patient_id is None else read_patient(session, visitor, found.patient_id)
        listed = list_patients(session, visitor, search=search)[0] if search.strip() else []
        facts, seen = study_facts(session, found), place_of(found)
    chosen = text(form, "patient") if form else found.patient_id or ""
    offered = [*([owner] if owner else []), *listed]
    if chosen and chosen not in {one.id for one in offered}:
        with context.store.writing() as session:
            offered.append(read_patient(session, visitor, chosen))
    return page(
        request,
        "move.html.j2",
        200 if refusal is None else refusal.status,
        study=facts,
        seen=seen,
        offered=list({one.id: one for one in offered}.values()),
        chosen=chosen,
        day_typed=text(form, "taken_on") if form else facts["taken_on"] or "",
        unknown="day_unknown" in form if form else facts["taken_on"] is None,
        search=search,
        searched=bool(search.strip()),
        refusal=refusal,
    )


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
