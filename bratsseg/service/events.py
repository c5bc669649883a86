"""Server-sent events: where a job is, told until it has ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from bratsseg.service.context import Context
from bratsseg.service.records import Job, JobStatus, Result
from bratsseg.service.refusal import not_found

_LONGEST_SECONDS = 900.0  # a client asks again by itself; its log-in is then checked anew
_SILENCE_SECONDS = 15.0


def job_facts(session: Session, job_id: str) -> dict[str, Any]:
    """A job as plain values, with its place in the queue and, once done, its result; a ``Refusal`` (404)."""
    job = session.get(Job, job_id)
    if job is None:
        raise not_found("job")
    result = session.scalar(select(Result.id).where(Result.job_id == job.id))
    ahead = None
    if job.status == JobStatus.QUEUED:
        waiting = select(func.count()).where(Job.status == JobStatus.QUEUED, Job.created_at < job.created_at)
        ahead = session.scalar(waiting)
    return {
        "id": job.id,
        "study_id": job.study_id,
        "model": job.model,
        "status": job.status,
        "stage": job.stage,
        "progress": round(job.progress, 3),
        "attempt": job.attempt,
        "ahead": ahead,
        "code": job.code,
        "reason": job.reason,
        "result_id": result,
        "created_at": job.created_at.isoformat(),
        "started_at": None if job.started_at is None else job.started_at.isoformat(),
        "ended_at": None if job.ended_at is None else job.ended_at.isoformat(),
    }


async def job_events(context: Context, job_id: str) -> AsyncIterator[str]:
    """Events ``job`` with the job's facts whenever they change; the last one has an ended status."""
    told, silent, left = "", 0.0, _LONGEST_SECONDS
    every = context.settings.jobs.poll_seconds
    while left > 0:
        facts = await run_in_threadpool(_read, context, job_id)
        text = json.dumps(facts)
        if text != told:
            told, silent = text, 0.0
            yield f"event: job\ndata: {text}\n\n"
        elif silent >= _SILENCE_SECONDS:
            silent = 0.0
            yield ": still here\n\n"
        if JobStatus(facts["status"]).ended:
            return
        await asyncio.sleep(every)
        silent, left = silent + every, left - every


def _read(context: Context, job_id: str) -> dict[str, Any]:
    with context.store.reading() as session:
        return job_facts(session, job_id)
