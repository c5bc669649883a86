"""Uploads: files on their way in, piece by piece."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bratsseg.service.records.base import ID, Base, new_id, now


class Upload(Base):
    """One upload. ``status``: open, checked (roles wait for confirmation), accepted, refused or cancelled."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    patient_id: Mapped[str | None] = mapped_column(ForeignKey("patients.id"))
    taken_on: Mapped[date | None]
    status: Mapped[str] = mapped_column(String(16), default="open", index=True)
    code: Mapped[str] = mapped_column(String(64), default="")
    found: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the files turned out to be, once all are here: see ``intake.completion``."""
    study_id: Mapped[str | None] = mapped_column(ForeignKey("studies.id"))
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    files: Mapped[list[UploadedFile]] = relationship(order_by="UploadedFile.position", lazy="selectin")


class UploadedFile(Base):
    """One file of an upload; ``received`` bytes of ``size`` lie in ``uploads/<upload>/<id>``.

    The number here is the truth: bytes beyond it were written by a request that never ended.
    """

    __tablename__ = "uploaded_files"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.id"), index=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    crc32: Mapped[int | None] = mapped_column(BigInteger)
    """Of the whole file as its sender has it: scans of two patients often share name and size."""
