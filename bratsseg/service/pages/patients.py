"""Pages of patients."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from sqlalchemy import select
from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse, Response

from bratsseg.service.api.patients import get_photo, patient_facts
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.patients import (
    PER_PAGE,
    PatientFields,
    add_patient,
    archive_patient,
    change_patient,
    fields_of,
    list_patients,
    read_patient,
)
from bratsseg.service.photos import keep_photo, latest_photo
from bratsseg.service.records import StudyRecord
from bratsseg.service.refusal import Refusal
from bratsseg.service.results.timeline import curve, timeline
from bratsseg.service.studies.views import study_facts
from bratsseg.service.templates import page

router = APIRouter()
_EMPTY = dict.fromkeys(PatientFields.model_fields, "") | {"sex": "unknown"}


@router.get("/patients")
def register(
    request: Request,
    context: ContextOf,
    visitor: VisitorOf,
    *,
    search: Annotated[str, Query(max_length=200)] = "",
    at: Annotated[int, Query(ge=1, le=100_000, alias="page")] = 1,
    archived: bool = False,
) -> Response:
    """The register: search and page through it."""
    with context.store.writing() as session:
        found, total = list_patients(session, visitor, search=search, page=at, archived=archived)
        shown = [patient_facts(patient) for patient in found]
    pages = max(1, -(-total // PER_PAGE))
    return page(
        request,
        "patients.html.j2",
        patients=shown,
        total=total,
        at=at,
        count=pages,
        search=search,
        archived=archived,
    )


@router.get("/patients/new")
def new(request: Request) -> Response:
    """An empty form."""
    return page(request, "patient_form.html.j2", fields=_EMPTY, problems={}, patient_id=None)


@router.post("/patients/new")
def add(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf) -> Response:
    """Register a patient."""
    fields, problems = _read(form)
    if fields is not None:
        try:
            with context.store.writing() as session:
                return redirect(f"/patients/{add_patient(session, visitor, fields).id}")
        except Refusal as refusal:
            problems = {"number": refusal.message}
    return page(request, "patient_form.html.j2", 422, fields=_as_typed(form), problems=problems, patient_id=None)


@router.get("/patients/{patient}")
def show(request: Request, context: ContextOf, visitor: VisitorOf, patient: str) -> Response:
    """A patient: notes, studies, volumes over time."""
    with context.store.writing() as session:
        found = read_patient(session, visitor, patient)
        studies = session.scalars(
            select(StudyRecord)
            .where(StudyRecord.patient_id == patient)
            .order_by(StudyRecord.taken_on.is_(None), StudyRecord.taken_on.desc(), StudyRecord.created_at.desc())
            .limit(200)
        )
        points = timeline(session, patient)
        values: dict[str, Any] = {
            "patient": patient_facts(found),
            "studies": [study_facts(session, study) for study in studies],
            "points": points,
            "curve": curve(points),
            "photo": latest_photo(session, patient) is not None,
        }
    return page(request, "patient.html.j2", **values)


@router.get("/patients/{patient}/edit")
def edit(request: Request, context: ContextOf, visitor: VisitorOf, patient: str) -> Response:
    """The form with what is known."""
    with context.store.writing() as session:
        fields = fields_of(read_patient(session, visitor, patient))
    return page(request, "patient_form.html.j2", fields=fields, problems={}, patient_id=patient)


@router.post("/patients/{patient}/edit")
def change(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf, patient: str) -> Response:
    """Save the form."""
    fields, problems = _read(form)
    if fields is not None:
        try:
            with context.store.writing() as session:
                change_patient(session, visitor, patient, fields)
            return redirect(f"/patients/{patient}")
        except Refusal as refusal:
            if refusal.status == 404:
                raise
            problems = {"number": refusal.message}
    return page(request, "patient_form.html.j2", 422, fields=_as_typed(form), problems=problems, patient_id=patient)


@router.post("/patients/{patient}/archive")
def archive(context: ContextOf, visitor: VisitorOf, patient: str) -> Response:
    """Take a patient out of the register."""
    with context.store.writing() as session:
        archive_patient(session, visitor, patient, True)
    return redirect(f"/patients/{patient}")


@router.post("/patients/{patient}/restore")
def restore(context: ContextOf, visitor: VisitorOf, patient: str) -> Response:
    """Put a patient back."""
    with context.store.writing() as session:
        archive_patient(session, visitor, patient, False)
    return redirect(f"/patients/{patient}")


@router.post("/patients/{patient}/photo")
def photo(context: ContextOf, visitor: VisitorOf, form: FormOf, patient: str) -> Response:
    """A new photo."""
    sent = form.get("photo")
    if not isinstance(sent, UploadFile) or not sent.size:
        raise Refusal(422, "invalid", "choose a photo first")
    keep_photo(context, visitor, patient, sent.file.read())
    return redirect(f"/patients/{patient}")


router.get("/patients/{patient}/photo", response_class=FileResponse)(get_photo)


def _read(form: FormData) -> tuple[PatientFields | None, dict[str, str]]:
    typed = _as_typed(form)
    try:
        given = {**typed, "birth_date": typed["birth_date"] or None, "sex": typed["sex"] or "unknown"}
        return PatientFields.model_validate(given), {}
    except ValidationError as error:
        return None, {str(item["loc"][0]): str(item["msg"]) for item in error.errors()}


def _as_typed(form: FormData) -> dict[str, str]:
    return {name: text(form, name) for name in PatientFields.model_fields}
