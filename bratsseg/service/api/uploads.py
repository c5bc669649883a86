"""``/api/v1/uploads``: announce, send in pieces, complete, confirm."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field

from bratsseg.service.api.bodies import RawBody, raw_body
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.intake.acceptance import accept_upload
from bratsseg.service.intake.completion import complete_upload
from bratsseg.service.intake.pieces import (
    FileAnnouncement,
    begin_upload,
    cancel_upload,
    find_upload,
    unfinished_uploads,
    write_piece,
)
from bratsseg.service.intake.scans import ROLES
from bratsseg.service.records import Upload
from bratsseg.service.studies.days import ScanDay

router = APIRouter(prefix="/uploads", tags=["uploads"])


class AnnouncedFile(BaseModel):
    """A file that will be sent."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=1024)
    size: int = Field(ge=0)
    crc32: int | None = Field(
        default=None, ge=0, lt=1 << 32, description="Of the whole file; checked when all is sent."
    )


class NewUpload(BaseModel):
    """Files of one study, and whose it is."""

    model_config = ConfigDict(extra="forbid")

    files: list[AnnouncedFile]
    patient_id: str | None = None
    taken_on: ScanDay | None = None


class Confirmation(BaseModel):
    """What each file is, by its id in ``found``; files that are not named keep the role that was proposed."""

    model_config = ConfigDict(extra="forbid")

    roles: dict[str, str] = Field(default_factory=dict, description=f"Each one of {', '.join(ROLES)}.")
    model: str | None = None
    patient_id: str | None = None
    taken_on: ScanDay | None = None
    day_unknown: bool = Field(default=False, description="Nobody knows the day, whatever was announced.")


def upload_facts(context: ContextOf, upload: Upload) -> dict[str, Any]:
    """An upload as plain values; ``piece_bytes`` is the most that one piece may have."""
    return {
        "id": upload.id,
        "status": upload.status,
        "code": upload.code,
        "patient_id": upload.patient_id,
        "taken_on": None if upload.taken_on is None else upload.taken_on.isoformat(),
        "study_id": upload.study_id,
        "created_at": upload.created_at.isoformat(),
        "piece_bytes": context.settings.limits.piece,
        "files": [
            {"id": file.id, "name": file.name, "size": file.size, "crc32": file.crc32, "received": file.received}
            for file in upload.files
        ],
        "found": _found_facts(upload.found),
    }


def _found_facts(found: dict[str, Any]) -> dict[str, Any]:
    """What was found without what only the service itself needs of it."""
    if not found:
        return found
    kept = [{key: value for key, value in file.items() if key != "finding"} for file in found["files"]]
    return {**found, "files": kept}


@router.post("", status_code=201)
def begin(context: ContextOf, visitor: VisitorOf, new: NewUpload) -> dict[str, Any]:
    """Announce the files of a study."""
    files = [FileAnnouncement(file.name, file.size, file.crc32) for file in new.files]
    upload = begin_upload(context, visitor, files, new.patient_id, new.taken_on)
    return upload_facts(context, upload)


@router.get("")
def list_(context: ContextOf, visitor: VisitorOf) -> dict[str, Any]:
    """Your uploads that are not finished, so that a broken one can go on."""
    with context.store.reading() as session:
        found = unfinished_uploads(session, visitor)
    return {"items": [upload_facts(context, upload) for upload in found]}


@router.get("/{upload}")
def read(context: ContextOf, visitor: VisitorOf, upload: str) -> dict[str, Any]:
    """How much of each file has been received, and what the files turned out to be."""
    return upload_facts(context, find_upload(context, visitor, upload))


@router.patch("/{upload}/files/{file}", openapi_extra=raw_body("application/octet-stream"))
def send(
    context: ContextOf,
    visitor: VisitorOf,
    *,
    upload: str,
    file: str,
    content: RawBody,
    upload_offset: Annotated[int, Header(ge=0, description="Where in the file this piece begins.")],
) -> dict[str, int]:
    """One piece. 409 ``offset_differs`` tells where to go on; after a broken connection ask for ``received``."""
    return {"received": write_piece(context, visitor, upload, file, offset=upload_offset, content=content)}


@router.post("/{upload}/complete")
async def complete(context: ContextOf, visitor: VisitorOf, upload: str) -> dict[str, Any]:
    """All is sent: check the files and propose their roles, which ``accept`` confirms. One upload after another."""
    done = await context.checks.run(visitor.user_id, partial(complete_upload, context, visitor, upload))
    return upload_facts(context, done)


@router.post("/{upload}/accept", status_code=201)
async def accept(context: ContextOf, visitor: VisitorOf, upload: str, confirmation: Confirmation) -> dict[str, str]:
    """Confirm the roles: the upload becomes a study, and a job is queued."""
    work = partial(
        accept_upload,
        context,
        visitor,
        upload,
        roles=confirmation.roles,
        model=confirmation.model,
        patient_id=confirmation.patient_id,
        taken_on=confirmation.taken_on,
        day_unknown=confirmation.day_unknown,
    )
    study, job = await context.checks.run(visitor.user_id, work)
    return {"study_id": study.id, "job_id": job.id}


@router.delete("/{upload}", status_code=204)
def cancel(context: ContextOf, visitor: VisitorOf, upload: str) -> None:
    """Give an upload up."""
    cancel_upload(context, visitor, upload)
