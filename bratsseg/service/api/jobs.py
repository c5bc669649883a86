"""``/api/v1/jobs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import StreamingResponse

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.api.paging import PageNumber, PerPage, listed
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.events import job_events, job_facts
from bratsseg.service.jobs import ask_cancel, queue_study
from bratsseg.service.patients import visible_patients
from bratsseg.service.records import Job, JobStatus, StudyRecord
from bratsseg.service.refusal import not_found

router = APIRouter(prefix="/jobs", tags=["jobs"])


class NewJob(BaseModel):
    """A study to be segmented again, by this model or the usual one."""

    model_config = ConfigDict(extra="forbid")

    study_id: str
    model: str | None = None


@router.get("")
def list_(
    context: ContextOf,
    visitor: VisitorOf,
    *,
    status: JobStatus | None = None,
    study: str | None = None,
    page: PageNumber = 1,
    per_page: PerPage = 25,
) -> dict[str, Any]:
    """Jobs with their patients, the latest first."""
    wanted = select(Job)
    if status is not None:
        wanted = wanted.where(Job.status == status)
    if study is not None:
        wanted = wanted.where(Job.study_id == study)
    with context.store.writing() as session:
        total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        ordered = wanted.order_by(Job.created_at.desc()).limit(per_page).offset((page - 1) * per_page)
        found = jobs_of_patients(session, visitor, session.scalars(ordered).all())
    return listed(found, total, page, per_page)


def jobs_of_patients(session: Session, visitor: Visitor, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Jobs as plain values, each with ``patient``: ``{id, name, number}``, or None where it has none."""
    studies = select(StudyRecord.id, StudyRecord.patient_id).where(StudyRecord.id.in_({job.study_id for job in jobs}))
    owner = {row.id: row.patient_id for row in session.execute(studies)}
    whose = visible_patients(session, visitor, owner.values())
    return [{**job_facts(session, job.id), "patient": whose.get(owner[job.study_id])} for job in jobs]


@router.post("", status_code=201)
def add(context: ContextOf, visitor: VisitorOf, new: NewJob) -> dict[str, Any]:
    """Segment a study again. 503 ``model_not_loaded`` when the model cannot be used."""
    with context.store.writing() as session:
        job = queue_study(session, context.settings, visitor, new.study_id, new.model)
        return job_facts(session, job.id)


@router.get("/{job}")
def read(context: ContextOf, job: str) -> dict[str, Any]:
    """Where a job is."""
    with context.store.reading() as session:
        return job_facts(session, job)


@router.get("/{job}/events", response_class=StreamingResponse)
def events(context: ContextOf, job: str) -> StreamingResponse:
    """Server-sent events ``job`` whenever something changes, until the job has ended."""
    with context.store.reading() as session:
        job_facts(session, job)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(job_events(context, job), media_type="text/event-stream", headers=headers)


@router.post("/{job}/cancel")
def cancel(context: ContextOf, visitor: VisitorOf, job: str) -> dict[str, Any]:
    """Cancel a job: at once when it waits, at its next stage when it runs."""
    with context.store.writing() as session:
        found = session.get(Job, job)
        if found is None:
            raise not_found("job")
        ask_cancel(session, found)
        record_action(session, visitor, "job.cancel", job)
        session.expire_all()
        return job_facts(session, job)
