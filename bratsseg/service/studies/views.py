"""What is told of a study."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bratsseg.service.records import Job, Result, StudyRecord
from bratsseg.service.refusal import not_found
from bratsseg.service.results.views import current_measures, verdict_of
from bratsseg.service.studies.days import told_day


def find_study(session: Session, study_id: str) -> StudyRecord:
    """A study by its id; a ``Refusal`` (404)."""
    study = session.get(StudyRecord, study_id)
    if study is None:
        raise not_found("study")
    return study


def study_facts(session: Session, study: StudyRecord) -> dict[str, Any]:
    """A study as plain values, with its jobs and results, the latest first. ``taken_on`` is None where unknown."""
    jobs = session.scalars(select(Job).where(Job.study_id == study.id).order_by(Job.created_at.desc()))
    results = session.scalars(select(Result).where(Result.study_id == study.id).order_by(Result.created_at.desc()))
    return {
        "id": study.id,
        "patient_id": study.patient_id,
        "kind": study.kind,
        "taken_on": told_day(study),
        "files": [{"role": file.role, "bytes": file.size, "sha256": file.sha256} for file in study.files],
        "jobs": [{"id": job.id, "status": job.status, "model": job.model} for job in jobs],
        "results": [
            {"id": result.id, "verdict": verdict_of(current_measures(result)), "model": result.model}
            for result in results
        ],
        "created_at": study.created_at.isoformat(),
    }
