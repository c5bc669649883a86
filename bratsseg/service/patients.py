"""Patients: what may be said of one, search, paging, change, archive."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, field_validator
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from bratsseg.service.access import CARE
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.records import Patient, now
from bratsseg.service.records.patients import Sex
from bratsseg.service.refusal import Refusal, not_found

PER_PAGE = 25
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]
SECTIONS = ("history", "symptoms", "medication", "biopsy", "treatment", "notes")


class PatientFields(BaseModel):
    """What may be said of a patient. A control character or an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    number: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
    """The hospital's number; no two patients share it."""
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    """Family name, given name."""
    birth_date: date | None = None
    """Date of birth."""
    sex: Sex = Sex.UNKNOWN
    """As DICOM has it."""
    contact: Text = ""
    """Address, telephone."""
    doctor: Line = ""
    """The doctor in charge."""
    history: Text = ""
    """History."""
    symptoms: Text = ""
    """Symptoms."""
    medication: Text = ""
    """Medication."""
    biopsy: Text = ""
    """Biopsy."""
    treatment: Text = ""
    """Treatment."""
    notes: Text = ""
    """Anything else."""

    @field_validator("number", "name", "doctor")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("must be one line without control characters")
        return text

    @field_validator(*SECTIONS, "contact")
    @classmethod
    def _plain(cls, text: str) -> str:
        if not is_plain(text):
            raise ValueError("must be text without control characters")
        return text

    @field_validator("birth_date")
    @classmethod
    def _born(cls, day: date | None) -> date | None:
        if day is not None and not date(1850, 1, 1) <= day <= now().date():
            raise ValueError("must be a day since 1850, not in the future")
        return day


def is_plain(text: str) -> bool:
    """True for text of several lines without other control characters: a NUL ends it for some programs."""
    return all(sign.isprintable() or sign in "\n\r\t" for sign in text)


def list_patients(
    session: Session,
    visitor: Visitor,
    *,
    search: str = "",
    page: int = 1,
    archived: bool = False,
    per_page: int = PER_PAGE,
) -> tuple[list[Patient], int]:
    """The patients of one page and the number of all; ``search`` is part of a name or number, case aside."""
    wanted = select(Patient).where(Patient.archived_at.is_not(None) if archived else Patient.archived_at.is_(None))
    if not search.isprintable():  # SQLite's LIKE stops at a NUL, and would find everybody
        raise Refusal(422, "invalid", "search: must be one line without control characters")
    if text := search.strip():
        wanted = wanted.where(
            or_(Patient.name.icontains(text, autoescape=True), Patient.number.icontains(text, autoescape=True))
        )
    total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
    ordered = wanted.order_by(Patient.name, Patient.number, Patient.id)
    found = list(session.scalars(ordered.limit(per_page).offset((page - 1) * per_page)))
    record_action(session, visitor, "patient.list", found=total, shown=[patient.id for patient in found])
    return found, total


def read_patient(session: Session, visitor: Visitor, patient_id: str) -> Patient:
    """One patient; the audit keeps that it was read."""
    patient = session.get(Patient, patient_id)
    if patient is None:
        raise not_found("patient")
    record_action(session, visitor, "patient.read", patient_id)
    return patient


def require_patient(session: Session, patient_id: str) -> Patient:
    """The patient that a study is to be given to; a ``Refusal``: 404, 409 ``patient_archived``."""
    patient = session.get(Patient, patient_id)
    if patient is None:
        raise not_found("patient")
    if patient.archived_at is not None:
        raise Refusal(409, "patient_archived", "this patient is archived; restore the patient first")
    return patient


def visible_patients(session: Session, visitor: Visitor, ids: Iterable[str | None]) -> dict[str | None, dict[str, str]]:
    """``{id, name, number}`` of the patients of a list, by id; the audit keeps who was shown.

    Empty for a visitor who may not see patients.
    """
    wanted = {one for one in ids if one is not None}
    if not wanted or not visitor.roles & CARE:
        return {}
    found = session.scalars(select(Patient).where(Patient.id.in_(wanted))).all()
    record_action(session, visitor, "patient.list", shown=sorted(patient.id for patient in found))
    return {one.id: {"id": one.id, "name": one.name, "number": one.number} for one in found}


def add_patient(session: Session, visitor: Visitor, fields: PatientFields) -> Patient:
    """A new patient; a ``Refusal`` (409) with ``existing`` when the number is taken."""
    _refuse_taken(session, fields.number)
    patient = Patient(**fields.model_dump())
    session.add(patient)
    session.flush()
    record_action(session, visitor, "patient.create", patient.id)
    return patient


def change_patient(session: Session, visitor: Visitor, patient_id: str, fields: PatientFields) -> Patient:
    """New values for a patient; the audit keeps which fields, and not what they said."""
    patient = session.get(Patient, patient_id)
    if patient is None:
        raise not_found("patient")
    if fields.number != patient.number:
        _refuse_taken(session, fields.number)
    values = fields.model_dump()
    changed = sorted(name for name, value in values.items() if getattr(patient, name) != value)
    for name in changed:
        setattr(patient, name, values[name])
    record_action(session, visitor, "patient.change", patient_id, fields=changed)
    return patient


def archive_patient(session: Session, visitor: Visitor, patient_id: str, archived: bool) -> Patient:
    """Take a patient out of the lists, or back into them. Nothing is ever deleted."""
    patient = session.get(Patient, patient_id)
    if patient is None:
        raise not_found("patient")
    patient.archived_at = now() if archived else None
    record_action(session, visitor, "patient.archive" if archived else "patient.restore", patient_id)
    return patient


def fields_of(patient: Patient) -> dict[str, Any]:
    """The fields of a patient as plain values."""
    return PatientFields.model_construct(
        **{name: getattr(patient, name) for name in PatientFields.model_fields}
    ).model_dump(mode="json", warnings=False)


def _refuse_taken(session: Session, number: str) -> None:
    existing = session.scalar(select(Patient.id).where(Patient.number == number))
    if existing is not None:
        raise Refusal(409, "number_taken", "another patient has this number", existing=existing)
