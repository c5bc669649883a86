"""The user confirms what each file is: the upload becomes a study, and a job is queued, in one step."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from isal import igzip
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bratsseg.files import GZIP_MAGIC
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.context import Context
from bratsseg.service.intake.findings import Finding
from bratsseg.service.intake.pictures import keep_picture
from bratsseg.service.intake.pieces import close_upload, find_upload, one_at_a_time, upload_folder
from bratsseg.service.intake.scans import IGNORE, MASK, ROLES, check_study
from bratsseg.service.jobs import enqueue
from bratsseg.service.models import require_model
from bratsseg.service.patients import require_patient
from bratsseg.service.records import Job, Result, StudyFile, StudyRecord, Upload, new_id
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.study.modality import Modality
from bratsseg.study.stack import hash_of

PICTURE = "picture"


def accept_upload(
    context: Context,
    visitor: Visitor,
    upload_id: str,
    *,
    roles: Mapping[str, str] | None = None,
    model: str | None = None,
    patient_id: str | None = None,
    taken_on: date | None = None,
    day_unknown: bool = False,
) -> tuple[StudyRecord, Job]:
    """Make the study and its job. ``roles`` are by the id of a found file; those proposed stand where none is given.

    Raises a ``Refusal``: 422 for roles that are missing or given twice, grids that differ, skull on; 409
    ``study_exists`` with its id; 503 when no model can take it. The upload stays open to be confirmed differently,
    but for files that can never be used. A second request waits for the first and has its answer.
    """
    with one_at_a_time(upload_id):
        upload = find_upload(context, visitor, upload_id)
        day = None if day_unknown else taken_on or upload.taken_on
        return _accept(context, visitor, upload, roles=roles or {}, model=model, patient_id=patient_id, taken_on=day)


def _accept(
    context: Context,
    visitor: Visitor,
    upload: Upload,
    *,
    roles: Mapping[str, str],
    model: str | None,
    patient_id: str | None,
    taken_on: date | None,
) -> tuple[StudyRecord, Job]:
    if upload.status == "accepted":
        return _accepted_before(context, upload)
    if upload.status != "checked":
        raise Refusal(409, "upload_not_checked", f"this upload is {upload.status}; complete it first")
    chosen = choose_roles(upload, roles)
    kind = str(upload.found["kind"])
    with context.store.reading() as session:
        name = require_model(session, context.settings, kind, set(chosen) - {MASK, PICTURE}, model).name
    uploaded = upload_folder(context, upload.id)
    sources = {role: uploaded / found["path"] for role, found in chosen.items()}
    findings = _findings(chosen)
    if kind != PICTURE:
        check_study("study", sources, {role: found["name"] for role, found in chosen.items()}, findings)
    study = StudyRecord(
        id=new_id(),
        patient_id=patient_id or upload.patient_id,
        kind=kind,
        taken_on=taken_on,
        created_by=visitor.user_id,
    )
    kept_in = context.settings.studies / study.id
    try:
        study.files = [_keep(role, path, kept_in, findings.get(role)) for role, path in sources.items()]
        study.fingerprint = _hashed(file.sha256 for file in study.files)
        if findings and all(finding.content for finding in findings.values()):
            study.content = _hashed(finding.content for finding in findings.values())
        job = _record(context, visitor, upload, study, name)
    except BaseException:
        shutil.rmtree(kept_in, ignore_errors=True)
        raise
    shutil.rmtree(uploaded, ignore_errors=True)
    return study, job


def _findings(chosen: Mapping[str, dict[str, Any]]) -> dict[str, Finding]:
    """What the check found, by role; an upload of an earlier version has none, and its scans are read again."""
    return {role: Finding.model_validate(found["finding"]) for role, found in chosen.items() if "finding" in found}


def choose_roles(upload: Upload, given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The found files by role; a ``Refusal`` (422) when a role is open, unknown, or claimed twice."""
    if upload.found["kind"] == PICTURE:
        return {PICTURE: upload.found["files"][0]}
    chosen: dict[str, dict[str, Any]] = {}
    for found in upload.found["files"]:
        role = given.get(found["id"]) or found["role"]
        if role == "":
            labels = " or ".join(Modality(one).label for one in found["candidates"]) or "any modality"
            raise Refusal(422, "modality_ambiguous", f"{found['name']}: may be {labels}; say which")
        if role not in ROLES:
            raise Refusal(422, "invalid", f"{found['name']}: its role must be one of {', '.join(ROLES)}")
        if role == IGNORE:
            continue
        if role in chosen:
            label = role if role == MASK else Modality(role).label
            text = f"{chosen[role]['name']} and {found['name']} are both called {label}; keep one"
            raise Refusal(422, "modality_ambiguous", text)
        chosen[role] = found
    if not set(chosen) - {MASK}:
        raise Refusal(422, "modality_missing", "a study must have one scan or more; say which file is which")
    return chosen


def _record(context: Context, visitor: Visitor, upload: Upload, study: StudyRecord, model: str) -> Job:
    """Study, job, upload and audit in one transaction; who came second learns of the first."""
    try:
        with context.store.writing() as session:
            _refuse_existing(session, study)
            if study.patient_id is not None:
                require_patient(session, study.patient_id)
            session.add(study)
            session.flush()
            job = enqueue(session, study.id, model, visitor.user_id)
            row = session.get_one(Upload, upload.id)
            if row.status != "checked":
                raise Refusal(409, "upload_closed", f"this upload is {row.status}")
            row.status, row.study_id = "accepted", study.id
            record_action(session, visitor, "study.create", study.id, patient=study.patient_id, upload=upload.id)
            record_action(session, visitor, "job.create", job.id, study=study.id, model=model)
    except Refusal as refusal:
        if refusal.code == "study_exists":
            close_upload(context, visitor, upload.id, "refused", refusal.code)
        raise
    except IntegrityError as error:  # another database may let two of them in at once
        with context.store.reading() as session:
            _refuse_existing(session, study)
        raise error
    return job


def _refuse_existing(session: Session, study: StudyRecord) -> None:
    same = StudyRecord.fingerprint == study.fingerprint
    if study.content is not None:
        same = or_(same, StudyRecord.content == study.content)
    existing = session.scalars(select(StudyRecord).where(same).order_by(StudyRecord.created_at)).first()
    if existing is None:
        return
    latest = select(Result.id).where(Result.study_id == existing.id).order_by(Result.created_at.desc())
    text = "these scans are here already; open the existing study, or run it again there"
    if existing.patient_id != study.patient_id:
        text = "these scans are here already, under another patient or none; open that study and move it"
    raise Refusal(409, "study_exists", text, existing=existing.id, result=session.scalar(latest))


def _accepted_before(context: Context, upload: Upload) -> tuple[StudyRecord, Job]:
    """The same answer again, for a client that did not hear the first."""
    with context.store.reading() as session:
        study = session.get_one(StudyRecord, upload.study_id)
        first = select(Job).where(Job.study_id == study.id).order_by(Job.created_at)
        return study, session.scalars(first).first() or _no_job()


def _no_job() -> Job:
    raise not_found("job")


def _keep(role: str, path: Path, folder: Path, finding: Finding | None) -> StudyFile:
    """Put a file into the study's folder under our own name: NIfTI always gzipped, a picture as PNG of its pixels."""
    folder.mkdir(exist_ok=True, mode=0o700)
    kept = folder / ("picture.png" if role == PICTURE else f"{role}.nii.gz")
    if role == PICTURE:
        keep_picture(path, kept)
        digest = hash_of(kept)
    else:
        digest = _keep_packed(path, kept, finding)
    return StudyFile(role=role, file=kept.name, sha256=digest, size=kept.stat().st_size)


def _keep_packed(path: Path, kept: Path, finding: Finding | None) -> str:
    """The SHA-256 of what is kept. A packed file that is known and unchanged is neither copied nor read."""
    with path.open("rb") as source:
        packed = source.read(2) == GZIP_MAGIC
        source.seek(0)
        if not packed:
            content = igzip.compress(source.read(), 1, mtime=0)
            kept.write_bytes(content)
            return hashlib.sha256(content).hexdigest()
    if finding is not None and finding.holds_for(path):
        with suppress(OSError):  # some disks have no links
            os.link(path, kept)
            return finding.sha256
    shutil.copyfile(path, kept)
    return hash_of(kept)


def _hashed(hashes: Iterable[str]) -> str:
    """One hash over those of files, in whatever order."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()
