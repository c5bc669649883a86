"""Files on their way in: an upload is begun, its pieces come one after another, and a broken one goes on."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.context import Context
from bratsseg.service.intake.sniffing import promised
from bratsseg.service.patients import require_patient
from bratsseg.service.records import Upload, UploadedFile
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.service.settings import Limits

_GIB = 1 << 30
_ROOM_LEFT = _GIB  # bytes that an upload must leave free
UNFINISHED = ("open", "checked")
_PATIENCE = 5.0  # seconds that a piece waits for whoever works on its upload: not as long as a check takes
_GUARD = threading.Lock()
_LOCKS: dict[str, tuple[threading.Lock, int]] = {}  # with how many hold or want it; there is one server process


@dataclass(frozen=True)
class FileAnnouncement:
    """A file that will be sent: its name, its bytes, and the CRC-32 of them where the sender knows it."""

    name: str
    size: int
    crc32: int | None = None


def begin_upload(
    context: Context,
    visitor: Visitor,
    files: Sequence[FileAnnouncement],
    patient_id: str | None = None,
    taken_on: date | None = None,
) -> Upload:
    """Announce files; a ``Refusal``: 413 too large or too many, 415 other kinds, 507 no space."""
    _refuse_too_much(files, context.settings.limits)
    for file in files:
        promised(file.name)
    _refuse_without_room(context, sum(file.size for file in files))
    with context.store.writing() as session:
        if patient_id is not None:
            require_patient(session, patient_id)
        _refuse_over_quota(session, visitor, sum(file.size for file in files), context.settings.limits)
        upload = Upload(patient_id=patient_id, taken_on=taken_on, created_by=visitor.user_id)
        upload.files = [
            UploadedFile(position=at, name=_plain_name(file.name), size=file.size, crc32=file.crc32)
            for at, file in enumerate(files)
        ]
        session.add(upload)
        session.flush()
        record_action(session, visitor, "upload.begin", upload.id, files=len(files))
    return upload


def find_upload(context: Context, visitor: Visitor, upload_id: str) -> Upload:
    """An upload of this very user; otherwise a ``Refusal`` (404)."""
    with context.store.reading() as session:
        upload = session.get(Upload, upload_id)
    if upload is None or upload.created_by != visitor.user_id:
        raise not_found("upload")
    return upload


def unfinished_uploads(session: Session, visitor: Visitor) -> list[Upload]:
    """The visitor's uploads that did not become a study yet, the latest first: sent in part, or not confirmed."""
    wanted = select(Upload).where(Upload.created_by == visitor.user_id, Upload.status.in_(UNFINISHED))
    return list(session.scalars(wanted.order_by(Upload.created_at.desc()).limit(100)))


def upload_folder(context: Context, upload_id: str) -> Path:
    """Where the files of an upload lie."""
    return context.settings.uploads / upload_id


@contextmanager
def one_at_a_time(upload_id: str, patience: float = -1) -> Iterator[None]:
    """Hold an upload: two requests never work on one. A ``Refusal`` (503) after ``patience`` seconds, -1 for never."""
    with _GUARD:
        lock, users = _LOCKS.get(upload_id, (threading.Lock(), 0))
        _LOCKS[upload_id] = lock, users + 1
    try:
        if not lock.acquire(timeout=patience):
            text = "this upload is being checked just now; wait until that is done"
            raise Refusal(503, "busy", text, retry_after=5)
        try:
            yield
        finally:
            lock.release()
    finally:
        with _GUARD:
            _, users = _LOCKS.pop(upload_id)
            if users > 1:
                _LOCKS[upload_id] = lock, users - 1


def write_piece(
    context: Context, visitor: Visitor, upload_id: str, file_id: str, *, offset: int, content: bytes
) -> int:
    """Put ``content`` at ``offset`` of a file; returns the bytes received so far.

    Raises a ``Refusal``: 409 ``offset_differs`` with ``received`` when the file goes on elsewhere, 413 when it gets
    longer than announced, 507 when the disk is nearly full.
    """
    with one_at_a_time(upload_id, _PATIENCE):
        upload = find_upload(context, visitor, upload_id)
        if upload.status != "open":
            raise Refusal(409, "upload_closed", f"this upload is {upload.status}; begin another")
        _refuse_elsewhere(upload, file_id, offset, len(content))
        _refuse_without_room(context, len(content))
        folder = upload_folder(context, upload.id)
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / file_id
        path.touch(0o600)
        with path.open("r+b") as stream:
            stream.truncate(offset)  # what a killed request left beyond the row's number
            stream.seek(offset)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        with context.store.writing() as session:
            row = update(UploadedFile).where(UploadedFile.id == file_id)
            session.execute(row.values(received=offset + len(content)))
    return offset + len(content)


def cancel_upload(context: Context, visitor: Visitor, upload_id: str) -> None:
    """Give an upload up and remove its files."""
    with one_at_a_time(upload_id, _PATIENCE):
        close_upload(context, visitor, find_upload(context, visitor, upload_id).id, "cancelled")


def close_upload(context: Context, visitor: Visitor, upload_id: str, status: str, code: str = "") -> None:
    """End an upload that did not become a study, and remove its files."""
    with context.store.writing() as session:
        row = update(Upload).where(Upload.id == upload_id, Upload.status.in_(UNFINISHED))
        if session.execute(row.values(status=status, code=code).returning(Upload.id)).first() is not None:
            record_action(session, visitor, f"upload.{status}", upload_id, code=code)
    shutil.rmtree(upload_folder(context, upload_id), ignore_errors=True)


def _refuse_without_room(context: Context, wanted: int) -> None:
    if shutil.disk_usage(context.settings.uploads).free - wanted < _ROOM_LEFT:
        raise Refusal(507, "storage_full", "the disk of this service is nearly full; tell its administrator")


def _refuse_over_quota(session: Session, visitor: Visitor, wanted: int, limits: Limits) -> None:
    mine = select(Upload.id).where(Upload.created_by == visitor.user_id, Upload.status.in_(UNFINISHED))
    many = session.scalar(select(func.count()).select_from(mine.subquery())) or 0
    held = session.scalar(select(func.sum(UploadedFile.size)).where(UploadedFile.upload_id.in_(mine))) or 0
    if many >= limits.unfinished or held + wanted > limits.unfinished_bytes:
        most = f"at most {limits.unfinished} uploads of {limits.unfinished_bytes / _GIB:,.0f} GiB may be unfinished"
        text = f"{most}, yours are {many} of {held / _GIB:,.1f} GiB; confirm or cancel some on the page Upload"
        raise Refusal(413, "quota_full", text)


def _refuse_too_much(files: Sequence[FileAnnouncement], limits: Limits) -> None:
    if not files:
        raise Refusal(422, "modality_missing", "an upload must have one file or more")
    if len(files) > limits.files:
        raise Refusal(413, "too_many_files", f"an upload may have at most {limits.files} files, was {len(files)}")
    for file in files:
        if file.size < 0:
            raise Refusal(422, "invalid", f"{file.name}: its size must be 0 or more")
        if file.size > limits.file:
            most = limits.file / (1 << 20)
            raise Refusal(413, "too_large", f"{file.name}: a file may have at most {most:,.0f} MiB")
    if sum(file.size for file in files) > limits.study:
        raise Refusal(413, "too_large", f"an upload may have at most {limits.study / (1 << 20):,.0f} MiB in all")


def _refuse_elsewhere(upload: Upload, file_id: str, offset: int, length: int) -> None:
    row = next((one for one in upload.files if one.id == file_id), None)
    if row is None:
        raise not_found("file in this upload")
    if offset != row.received:
        text = f"{row.name}: must go on at byte {row.received}, was {offset}"
        raise Refusal(409, "offset_differs", text, received=row.received)
    if offset + length > row.size:
        raise Refusal(413, "too_large", f"{row.name}: was announced with {row.size} bytes and must not be longer")


def _plain_name(name: str) -> str:
    """The file's own name, without the folders a browser may send, as any page can show it."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(sign if sign.isprintable() else "?" for sign in last)[-255:]
