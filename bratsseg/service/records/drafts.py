"""Drafts: drawings that a reader has not saved as a correction yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bratsseg.service.records.base import ID, Base, new_id, now


class DrawingDraft(Base):
    """The one draft of a reader for a result. ``revision`` is the state of the result that it was begun on.

    ``window`` names the browser's window that draws it, so that an older one does not write over it.

    The drawing is the file ``drafts/<file>.nii.gz``; each time it is saved it gets a new one.
    """

    __tablename__ = "drafts"
    __table_args__ = (UniqueConstraint("result_id", "user_id"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    result_id: Mapped[str] = mapped_column(ForeignKey("results.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    revision: Mapped[str] = mapped_column(ID)
    file: Mapped[str] = mapped_column(ID)
    window: Mapped[str] = mapped_column(String(36), default="")
    comment: Mapped[str] = mapped_column(Text, default="")
    saved_at: Mapped[datetime] = mapped_column(default=now)
