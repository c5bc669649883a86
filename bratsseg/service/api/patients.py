"""``/api/v1/patients``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.responses import FileResponse, Response

from bratsseg.service.api.bodies import RawBody, raw_body
from bratsseg.service.api.paging import PageNumber, PerPage, listed
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.patients import (
    PatientFields,
    add_patient,
    archive_patient,
    change_patient,
    fields_of,
    list_patients,
    read_patient,
)
from bratsseg.service.photos import keep_photo, latest_photo, photo_path
from bratsseg.service.records import Patient
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.service.results.timeline import timeline

router = APIRouter(prefix="/patients", tags=["patients"])


def patient_facts(patient: Patient) -> dict[str, Any]:
    """A patient as plain values."""
    return {
        "id": patient.id,
        **fields_of(patient),
        "archived": patient.archived_at is not None,
        "created_at": patient.created_at.isoformat(),
        "updated_at": patient.updated_at.isoformat(),
    }


@router.get("")
def list_(
    context: ContextOf,
    visitor: VisitorOf,
    *,
    search: Annotated[str, Query(max_length=200, description="Part of a name or number.")] = "",
    page: PageNumber = 1,
    per_page: PerPage = 25,
    archived: bool = False,
) -> dict[str, Any]:
    """Patients by name; archived ones only on request."""
    with context.store.writing() as session:
        found, total = list_patients(session, visitor, search=search, page=page, archived=archived, per_page=per_page)
    return listed(map(patient_facts, found), total, page, per_page)


@router.post("", status_code=201)
def add(context: ContextOf, visitor: VisitorOf, fields: PatientFields) -> dict[str, Any]:
    """Register a patient."""
    with context.store.writing() as session:
        return patient_facts(add_patient(session, visitor, fields))


@router.get("/{patient}")
def read(context: ContextOf, visitor: VisitorOf, patient: str) -> dict[str, Any]:
    """One patient; the audit keeps that it was read."""
    with context.store.writing() as session:
        return patient_facts(read_patient(session, visitor, patient))


@router.patch("/{patient}")
def change(context: ContextOf, visitor: VisitorOf, patient: str, fields: dict[str, Any]) -> dict[str, Any]:
    """New values for some fields."""
    with context.store.writing() as session:
        now = fields_of(read_patient(session, visitor, patient))
        try:
            wanted = PatientFields.model_validate({**now, **fields})
        except ValidationError as error:
            raise Refusal(422, "invalid", problems(error)) from error
        return patient_facts(change_patient(session, visitor, patient, wanted))


@router.post("/{patient}/archive")
def archive(context: ContextOf, visitor: VisitorOf, patient: str) -> dict[str, Any]:
    """Take a patient out of the lists. Nothing is deleted."""
    with context.store.writing() as session:
        return patient_facts(archive_patient(session, visitor, patient, True))


@router.post("/{patient}/restore")
def restore(context: ContextOf, visitor: VisitorOf, patient: str) -> dict[str, Any]:
    """Put a patient back into the lists."""
    with context.store.writing() as session:
        return patient_facts(archive_patient(session, visitor, patient, False))


@router.get("/{patient}/timeline")
def read_timeline(context: ContextOf, visitor: VisitorOf, patient: str) -> dict[str, Any]:
    """The latest result of each study, oldest first, with changes of volume in mL."""
    with context.store.writing() as session:
        read_patient(session, visitor, patient)
        return {"points": timeline(session, patient)}


@router.put("/{patient}/photo", status_code=201, openapi_extra=raw_body("image/jpeg"))
def put_photo(context: ContextOf, visitor: VisitorOf, patient: str, content: RawBody) -> dict[str, str]:
    """A new photo; those before are kept."""
    return {"id": keep_photo(context, visitor, patient, content).id}


@router.get("/{patient}/photo", response_class=FileResponse)
def get_photo(context: ContextOf, visitor: VisitorOf, patient: str) -> Response:
    """The latest photo."""
    with context.store.writing() as session:
        photo = latest_photo(session, patient)
        if photo is None:
            raise not_found("photo")
        record_action(session, visitor, "photo.read", photo.id, patient=patient)
    return FileResponse(photo_path(context, photo), media_type="image/jpeg")


def problems(error: ValidationError) -> str:
    """What is wrong with which field, without what was in it."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
