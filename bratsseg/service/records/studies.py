"""Studies: the scans of one patient on one day, accepted and never changed again."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bratsseg.service.records.base import ID, Base, new_id, now


class StudyRecord(Base):
    """A study. ``kind`` is scan or picture.

    ``fingerprint`` is a hash over its files and ``content`` one over their voxels, so that none comes in twice, packed
    anew or not; studies from before have no ``content``.
    """

    __tablename__ = "studies"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    patient_id: Mapped[str | None] = mapped_column(ForeignKey("patients.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16), default="scan")
    taken_on: Mapped[date | None]
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    content: Mapped[str | None] = mapped_column(String(64), index=True)
    created_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)

    files: Mapped[list[StudyFile]] = relationship(order_by="StudyFile.role", lazy="selectin")


class StudyFile(Base):
    """One file of a study. ``role`` is a modality, ``mask`` or ``picture``; the file's name on disk is ours."""

    __tablename__ = "study_files"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    file: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
