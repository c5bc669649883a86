"""What a start clears away: files that a killed process left, and uploads that nobody went on with."""

from __future__ import annotations

import shutil
from datetime import timedelta

from sqlalchemy import select, update

from bratsseg.service.context import Context
from bratsseg.service.records import Draft, Photo, Review, StudyRecord, Upload, now

_KEPT = timedelta(days=7)


def sweep(context: Context) -> None:
    """Close old uploads, and remove files that no row speaks of. What has a row is never touched."""
    settings, at = context.settings, now()
    with context.store.writing() as session:
        old = update(Upload).where(Upload.status.in_(("open", "checked")), Upload.created_at < at - _KEPT)
        session.execute(old.values(status="cancelled", code="abandoned"))
        open_ones = set(session.scalars(select(Upload.id).where(Upload.status.in_(("open", "checked")))))
        studies, drawn = set(session.scalars(select(StudyRecord.id))), set(session.scalars(select(Review.id)))
        photos = {f"{photo}.jpg" for photo in session.scalars(select(Photo.id))}
        drafts = {f"{file}.nii.gz" for file in session.scalars(select(Draft.file))}
    for root, kept in ((settings.uploads, open_ones), (settings.studies, studies), (settings.corrections, drawn)):
        for folder in root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
    for room, names in ((settings.photos, photos), (settings.drafts, drafts)):
        for path in room.iterdir():
            if path.name not in names:
                path.unlink()
