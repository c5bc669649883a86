"""``/api/v1/studies``."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bratsseg.service.api.paging import PageNumber, PerPage, listed
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.patients import visible_patients
from bratsseg.service.records import Job, Patient, Result, StudyRecord
from bratsseg.service.refusal import not_found
from bratsseg.service.results.views import current_measures, day_of, verdict_of

router = APIRouter(prefix="/studies", tags=["studies"])


class StudyChange(BaseModel):
    """Whose study it is, and when it was taken; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    patient_id: str | None = None
    taken_on: date | None = None


def study_facts(session: Session, study: StudyRecord) -> dict[str, Any]:
    """A study as plain values, with its jobs and results, the latest first."""
    jobs = session.scalars(select(Job).where(Job.study_id == study.id).order_by(Job.created_at.desc()))
    results = session.scalars(select(Result).where(Result.study_id == study.id).order_by(Result.created_at.desc()))
    return {
        "id": study.id,
        "patient_id": study.patient_id,
        "kind": study.kind,
        "day": day_of(study),
        "taken_on": None if study.taken_on is None else study.taken_on.isoformat(),
        "files": [{"role": file.role, "bytes": file.size, "sha256": file.sha256} for file in study.files],
        "jobs": [{"id": job.id, "status": job.status, "model": job.model} for job in jobs],
        "results": [
            {"id": result.id, "verdict": verdict_of(current_measures(result)), "model": result.model}
            for result in results
        ],
        "created_at": study.created_at.isoformat(),
    }


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
        found = session.get(StudyRecord, study)
        if found is None:
            raise not_found("study")
        record_action(session, visitor, "study.read", study, patient=found.patient_id)
        return study_facts(session, found)


@router.patch("/{study}")
def change(context: ContextOf, visitor: VisitorOf, study: str, fields: StudyChange) -> dict[str, Any]:
    """Give a study to a patient, or say when it was taken. Its scans never change."""
    given = fields.model_dump(exclude_unset=True)
    with context.store.writing() as session:
        found = session.get(StudyRecord, study)
        if found is None:
            raise not_found("study")
        if given.get("patient_id") is not None and session.get(Patient, given["patient_id"]) is None:
            raise not_found("patient")
        before = found.patient_id
        for name, value in given.items():
            setattr(found, name, value)
        record_action(
            session, visitor, "study.change", study, fields=sorted(given), patient=found.patient_id, before=before
        )
        session.flush()
        return study_facts(session, found)
