"""What is cleared away: files that a killed process left, at a start, and every hour uploads nobody went on with."""

from __future__ import annotations

import shutil
from datetime import timedelta

from sqlalchemy import select

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.context import Context
from bratsseg.service.intake.pieces import UNFINISHED, close_upload, one_at_a_time
from bratsseg.service.records import DrawingDraft, Photo, Review, StudyRecord, Upload, now

KEPT = timedelta(days=7)
"""How long an upload waits for the rest of it, or to be confirmed."""
_SELF = Visitor("", "bratsseg", frozenset(), "")  # as the audit names who did it


def sweep_uploads(context: Context) -> int:
    """Close uploads that nobody went on with for a week, and remove their files; returns how many."""
    with context.store.reading() as session:
        old = select(Upload.id).where(Upload.status.in_(UNFINISHED), Upload.created_at < now() - KEPT)
        found = list(session.scalars(old))
    for upload in found:
        with one_at_a_time(upload):
            close_upload(context, _SELF, upload, "cancelled", "abandoned")
    return len(found)


def sweep(context: Context) -> None:
    """The same, and remove files that no row speaks of. What has a row is never touched. Only while nobody uploads."""
    sweep_uploads(context)
    settings = context.settings
    with context.store.reading() as session:
        open_ones = set(session.scalars(select(Upload.id).where(Upload.status.in_(UNFINISHED))))
        studies, drawn = set(session.scalars(select(StudyRecord.id))), set(session.scalars(select(Review.id)))
        photos = {f"{photo}.jpg" for photo in session.scalars(select(Photo.id))}
        drafts = {f"{file}.nii.gz" for file in session.scalars(select(DrawingDraft.file))}
    for root, kept in ((settings.uploads, open_ones), (settings.studies, studies), (settings.corrections, drawn)):
        for folder in root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
    for room, names in ((settings.photos, photos), (settings.drafts, drafts)):
        for path in room.iterdir():
            if path.name not in names:
                path.unlink()
