"""Photos of patients: decoded and written anew, so that nothing of the file that came is kept but its pixels."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageOps
from sqlalchemy import select
from sqlalchemy.orm import Session

from bratsseg.files import write_bytes
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.context import Context
from bratsseg.service.intake.pictures import open_picture
from bratsseg.service.records import Patient, Photo, new_id
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.study.reading import Content

_EDGE = 800


def keep_photo(context: Context, visitor: Visitor, patient_id: str, content: bytes) -> Photo:
    """Keep a photo as the patient's latest; a ``Refusal`` when it is no picture."""
    with context.store.reading() as session:
        if session.get(Patient, patient_id) is None:
            raise not_found("patient")
    photo = Photo(id=new_id(), patient_id=patient_id)
    arrived = context.settings.photos / f"{photo.id}.part"
    try:
        arrived.write_bytes(content)
        small = _upright(arrived)
    finally:
        arrived.unlink(missing_ok=True)
    small.thumbnail((_EDGE, _EDGE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=88)
    write_bytes(photo_path(context, photo), out.getvalue())
    with context.store.writing() as session:
        session.add(photo)
        record_action(session, visitor, "photo.create", photo.id, patient=patient_id)
    return photo


def _upright(path: Path) -> Image.Image:
    """The picture in colour and turned as its EXIF says; a ``Refusal`` when that is damaged."""
    with open_picture(Content(path), "the photo") as picture:
        try:
            return ImageOps.exif_transpose(picture).convert("RGB")
        except Exception as error:  # Pillow takes EXIF as it comes and may stumble over any of it
            raise Refusal(422, "unreadable", "the photo is damaged; save it again") from error


def latest_photo(session: Session, patient_id: str) -> Photo | None:
    """The photo that is shown, or None."""
    latest = select(Photo).where(Photo.patient_id == patient_id, Photo.archived_at.is_(None))
    return session.scalars(latest.order_by(Photo.created_at.desc()).limit(1)).first()


def photo_path(context: Context, photo: Photo) -> Path:
    """Where a photo lies."""
    return context.settings.photos / f"{photo.id}.jpg"
