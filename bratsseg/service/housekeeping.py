"""What a start clears away: files that a killed process left, and uploads that nobody went on with."""

from __future__ import annotations

import shutil
from datetime import timedelta

from sqlalchemy import select, update

from bratsseg.service.context import Context
from bratsseg.service.records import Study, Upload, now

_KEPT = timedelta(days=7)


def sweep(context: Context) -> None:
    """Close old uploads, and remove folders that no row speaks of. Studies and results with a row are never touched."""
    settings, at = context.settings, now()
    with context.store.writing() as session:
        old = update(Upload).where(Upload.status.in_(("open", "checked")), Upload.created_at < at - _KEPT)
        session.execute(old.values(status="cancelled", code="abandoned"))
        open_ones = set(session.scalars(select(Upload.id).where(Upload.status.in_(("open", "checked")))))
        studies = set(session.scalars(select(Study.id)))
    for root, kept in ((settings.uploads, open_ones), (settings.studies, studies)):
        for folder in root.iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
