"""What the service remembers: one file for each kind of record, and the door to the database in ``store``."""

from __future__ import annotations

from bratsseg.service.records.accounts import ApiToken, LoginSession, User
from bratsseg.service.records.audit import AuditEntry
from bratsseg.service.records.base import Base, new_id, now
from bratsseg.service.records.drafts import DrawingDraft
from bratsseg.service.records.jobs import Job, JobStatus
from bratsseg.service.records.patients import Patient, Photo
from bratsseg.service.records.released import InstalledModel, WorkerState
from bratsseg.service.records.results import Result, Review
from bratsseg.service.records.store import Store
from bratsseg.service.records.studies import StudyFile, StudyRecord
from bratsseg.service.records.uploads import Upload, UploadedFile

__all__ = [
    "ApiToken",
    "AuditEntry",
    "Base",
    "DrawingDraft",
    "InstalledModel",
    "Job",
    "JobStatus",
    "LoginSession",
    "Patient",
    "Photo",
    "Result",
    "Review",
    "Store",
    "StudyFile",
    "StudyRecord",
    "Upload",
    "UploadedFile",
    "User",
    "WorkerState",
    "new_id",
    "now",
]
