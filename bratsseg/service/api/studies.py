"""``/api/v1/studies``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from bratsseg.service.api.paging import PageNumber, PerPage, listed
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.patients import visible_patients
from bratsseg.service.records import StudyRecord
from bratsseg.service.studies.days import ScanDay
from bratsseg.service.studies.moving import change_study
from bratsseg.service.studies.views import find_study, study_facts

router = APIRouter(prefix="/studies", tags=["studies"])


class StudyChange(BaseModel):
    """Whose study it is, and when it was taken, null where that is unknown; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    patient_id: str | None = None
    taken_on: ScanDay | None = None


@router.get("")
def list_(
    context: ContextOf, visitor: VisitorOf, patient: str | None = None, page: PageNumber = 1, per_page: PerPage = 25
) -> dict[str, Any]:
    """Studies with their patients, the latest first; of one patient on request."""
    wanted = select(StudyRecord) if patient is None else select(StudyRecord).where(StudyRecord.patient_id == patient)
    with context.store.writing() as session:
        total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        ordered = wanted.order_by(StudyRecord.created_at.desc()).limit(per_page).offset((page - 1) * per_page)
        studies = session.scalars(ordered).all()
        whose = visible_patients(session, visitor, (study.patient_id for study in studies))
        found = [{**study_facts(session, study), "patient": whose.get(study.patient_id)} for study in studies]
        record_action(session, visitor, "study.list", patient=patient, shown=[study["id"] for study in found])
    return listed(found, total, page, per_page)


@router.get("/{study}")
def read(context: ContextOf, visitor: VisitorOf, study: str) -> dict[str, Any]:
    """One study."""
    with context.store.writing() as session:
        found = find_study(session, study)
        record_action(session, visitor, "study.read", study, patient=found.patient_id)
        return study_facts(session, found)


@router.patch("/{study}")
def change(context: ContextOf, visitor: VisitorOf, study: str, fields: StudyChange) -> dict[str, Any]:
    """Give a study to a patient, or say when it was taken. Its scans never change."""
    with context.store.writing() as session:
        return study_facts(session, change_study(session, visitor, study, fields.model_dump(exclude_unset=True)))
