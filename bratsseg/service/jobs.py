"""The queue: rows that workers claim by one UPDATE … RETURNING, and keep by a heartbeat."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.models import require_model
from bratsseg.service.records import Job, JobStatus, Store, StudyRecord, now
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.service.settings import JobRules, Settings


def enqueue(session: Session, study_id: str, model: str, user_id: str) -> Job:
    """A new job at the end of the queue."""
    job = Job(study_id=study_id, model=model, created_by=user_id)
    session.add(job)
    session.flush()
    return job


def queue_study(session: Session, settings: Settings, visitor: Visitor, study_id: str, model: str | None = None) -> Job:
    """Queue a study that is here already; a ``Refusal``: 404, 422 or 503 when no model can take it."""
    study = session.get(StudyRecord, study_id)
    if study is None:
        raise not_found("study")
    scans = {file.role for file in study.files if file.role not in ("mask", "picture")}
    job = enqueue(session, study_id, require_model(session, settings, study.kind, scans, model).name, visitor.user_id)
    record_action(session, visitor, "job.create", job.id, study=study_id, model=job.model)
    return job


def claim(store: Store, worker: str, rules: JobRules) -> Job | None:
    """The oldest job that waits, or whose worker has not been heard of; None when there is none.

    One statement finds and takes it, so that no two workers get the same one.
    """
    at = now()
    free = or_(
        Job.status == JobStatus.QUEUED,
        and_(Job.status == JobStatus.RUNNING, Job.lease_until < at, Job.attempt < rules.attempts),
    )
    oldest = select(Job.id).where(free).order_by(Job.created_at, Job.id).limit(1).with_for_update(skip_locked=True)
    taken = (
        update(Job)
        .where(Job.id == oldest.scalar_subquery(), free)
        .values(
            status=JobStatus.RUNNING,
            worker=worker,
            attempt=Job.attempt + 1,
            stage="start",
            progress=0.0,
            started_at=at,
            heartbeat_at=at,
            lease_until=at + timedelta(seconds=rules.lease_seconds),
        )
        .returning(Job)
        .execution_options(synchronize_session=False)
    )
    give_up_lost(store, rules)
    with store.writing() as session:
        return session.scalars(taken).one_or_none()


def give_up_lost(store: Store, rules: JobRules) -> None:
    """End jobs whose last worker died too."""
    lost = and_(Job.status == JobStatus.RUNNING, Job.lease_until < now())
    with store.reading() as session:
        if session.scalar(select(Job.id).where(lost, Job.attempt >= rules.attempts).limit(1)) is None:
            return
    why = f"the worker died {rules.attempts} times over this study; tell the administrator"
    values = _ended(JobStatus.FAILED) | {"code": "worker_lost", "reason": why}
    with store.writing() as session:
        session.execute(update(Job).where(lost, Job.attempt >= rules.attempts).values(**values))


def beat(store: Store, job: Job, rules: JobRules) -> bool:
    """Keep the lease; False when the job is no longer this worker's, or is to be cancelled."""
    at = now()
    values = {"heartbeat_at": at, "lease_until": at + timedelta(seconds=rules.lease_seconds)}
    with store.writing() as session:
        mine = session.execute(update(Job).where(_held(job)).values(**values).returning(Job.cancel_asked)).first()
    return mine is not None and not mine[0]


def tell_stage(store: Store, job: Job, stage: str, progress: float) -> bool:
    """Note the stage; False when the job is no longer this worker's, or is to be cancelled."""
    values = {"stage": stage, "progress": progress}
    with store.writing() as session:
        mine = session.execute(update(Job).where(_held(job)).values(**values).returning(Job.cancel_asked)).first()
    return mine is not None and not mine[0]


def end(session: Session, job: Job, status: JobStatus, code: str = "", reason: str = "") -> bool:
    """End a job of this worker; False, and nothing changed, when another holds it by now."""
    values = _ended(status) | {"code": code, "reason": reason}
    if status is JobStatus.DONE:
        values |= {"progress": 1.0, "stage": "done"}
    return session.execute(update(Job).where(_held(job)).values(**values).returning(Job.id)).first() is not None


def put_back(store: Store, job: Job, *, count: bool) -> None:
    """Give a job back to the queue; it counts as an attempt when ``count``."""
    values: dict[str, Any] = {"status": JobStatus.QUEUED, "lease_until": None, "stage": "", "progress": 0.0}
    if not count:
        values["attempt"] = Job.attempt - 1
    with store.writing() as session:
        session.execute(update(Job).where(_held(job)).values(**values))


def ask_cancel(session: Session, job: Job) -> None:
    """Cancel a job: at once when it waits, at its next stage when it runs. A ``Refusal`` (409) when it has ended."""
    waiting = update(Job).where(Job.id == job.id, Job.status == JobStatus.QUEUED)
    if session.execute(waiting.values(**_ended(JobStatus.CANCELLED)).returning(Job.id)).first() is not None:
        return
    running = update(Job).where(Job.id == job.id, Job.status == JobStatus.RUNNING)
    if session.execute(running.values(cancel_asked=True).returning(Job.id)).first() is None:
        raise Refusal(409, "job_ended", f"this job is {job.status} already")


def _held(job: Job) -> ColumnElement[bool]:
    """This very attempt of the job: a worker that was given up must not write over its successor.

    The number alone does not tell: an attempt that was given back is not counted.
    """
    mine = Job.attempt == job.attempt, Job.worker == job.worker
    return and_(Job.id == job.id, Job.status == JobStatus.RUNNING, *mine)


def _ended(status: JobStatus) -> dict[str, Any]:
    return {"status": status, "ended_at": now(), "lease_until": None}
