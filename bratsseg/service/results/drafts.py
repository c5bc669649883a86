"""Drawings on their way: kept on the server every few seconds, so that no log-out or closed tab loses one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bratsseg.files import GZIP_MAGIC, write_bytes
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.context import Context
from bratsseg.service.records import DrawingDraft, new_id
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.service.results.reviews import bounded_comment
from bratsseg.service.results.revisions import revision_of
from bratsseg.service.results.views import find_result
from bratsseg.service.settings import Settings


def find_draft(session: Session, visitor: Visitor, result_id: str) -> DrawingDraft | None:
    """The visitor's own draft for a result, if there is one. Nobody sees another reader's."""
    return session.scalar(
        select(DrawingDraft).where(DrawingDraft.result_id == result_id, DrawingDraft.user_id == visitor.user_id)
    )


def require_draft(session: Session, visitor: Visitor, result_id: str) -> DrawingDraft:
    """The same; a ``Refusal`` (404) when there is none."""
    draft = find_draft(session, visitor, result_id)
    if draft is None:
        raise not_found("draft")
    return draft


@dataclass(frozen=True)
class DraftWindow:
    """Which window of a browser draws, and whose draft it goes on with; both empty for a program."""

    name: str = ""
    replaces: str = ""

    def refuse_other(self, draft: DrawingDraft) -> None:
        """A ``Refusal`` (409) when the draft at hand is of another window that this one did not go on from."""
        if self.name and draft.window not in ("", self.name, self.replaces):
            text = "you drew on this result in another window since; what is here stays until you close this one"
            raise Refusal(409, "draft_elsewhere", text)


_PROGRAM = DraftWindow()


def keep_draft(
    context: Context,
    visitor: Visitor,
    result_id: str,
    content: bytes,
    *,
    comment: str,
    seen: str | None,
    window: DraftWindow = _PROGRAM,
) -> None:
    """Keep a drawing in the place of the reader's earlier draft. It is measured and judged only when it is saved.

    ``seen`` is the revision it was begun on; unlike a decision, a draft is kept when that is not the latest, for
    nothing that was drawn may be lost. Raises a ``Refusal``: 404, 409 ``draft_elsewhere``, 413 ``quota_full``, 422
    ``unreadable`` for what is no gzip.
    """
    if not content.startswith(GZIP_MAGIC):
        raise Refusal(422, "unreadable", "the draft must be a gzipped NIfTI file, as the viewer makes it")
    with context.store.reading() as session:
        result = find_result(session, result_id)
        begun_on = seen if seen in {result.id, *(review.id for review in result.reviews)} else revision_of(result)
    kept = DrawingDraft(
        result_id=result_id,
        user_id=visitor.user_id,
        revision=begun_on,
        window=window.name,
        comment=bounded_comment(comment),
        file=new_id(),
    )
    write_bytes(draft_path(context.settings, kept.file), content)
    unused = kept.file
    try:
        unused = _take_place(context, visitor, kept, window)
    finally:
        draft_path(context.settings, unused).unlink(missing_ok=True)


def _take_place(context: Context, visitor: Visitor, kept: DrawingDraft, window: DraftWindow) -> str:
    """Put a draft in the place of the one before; returns the file that nobody needs now, "" for none."""
    with context.store.writing() as session:
        before = find_draft(session, visitor, kept.result_id)
        if before is None:
            _refuse_over_quota(session, visitor, context.settings.limits.drafts)
            record_action(session, visitor, "draft.begin", kept.result_id)
        else:
            window.refuse_other(before)
            session.delete(before)
            session.flush()
        session.add(kept)
        return "" if before is None else before.file


def _refuse_over_quota(session: Session, visitor: Visitor, most: int) -> None:
    held = session.scalar(select(func.count()).where(DrawingDraft.user_id == visitor.user_id)) or 0
    if held >= most:
        text = f"at most {most} drawings of yours may wait to be saved; save or discard some of the others first"
        raise Refusal(413, "quota_full", text)


def drop_draft(context: Context, visitor: Visitor, result_id: str) -> None:
    """Remove the visitor's draft for good: it was discarded, or saved as a correction. Nothing happens without one."""
    with context.store.writing() as session:
        draft = find_draft(session, visitor, result_id)
        if draft is None:
            return
        session.delete(draft)
        record_action(session, visitor, "draft.drop", result_id)
    draft_path(context.settings, draft.file).unlink(missing_ok=True)


def draft_path(settings: Settings, file: str) -> Path:
    """Where the drawing of a draft lies."""
    return settings.drafts / f"{file}.nii.gz"


def draft_facts(session: Session, visitor: Visitor, result_id: str) -> dict[str, Any] | None:
    """What the visitor is told of their own draft; None without one. ``stale``: the result has changed since."""
    draft = find_draft(session, visitor, result_id)
    if draft is None:
        return None
    latest = revision_of(find_result(session, result_id))
    return {
        "url": f"/api/v1/results/{result_id}/draft",
        "revision": draft.revision,
        "stale": draft.revision != latest,
        "window": draft.window,
        "comment": draft.comment,
        "saved_at": draft.saved_at.isoformat(),
    }
