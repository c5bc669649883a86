"""Patients. They are archived, never deleted."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bratsseg.service.records.base import ID, Base, new_id, now


class Sex(StrEnum):
    """As DICOM has it (0010,0040), and unknown."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class Patient(Base):
    """One patient. ``number`` is the hospital's own, and no two patients share it."""

    __tablename__ = "patients"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    birth_date: Mapped[date | None]
    sex: Mapped[str] = mapped_column(String(16), default=Sex.UNKNOWN.value)
    contact: Mapped[str] = mapped_column(Text, default="")
    doctor: Mapped[str] = mapped_column(String(200), default="")
    history: Mapped[str] = mapped_column(Text, default="")
    symptoms: Mapped[str] = mapped_column(Text, default="")
    medication: Mapped[str] = mapped_column(Text, default="")
    biopsy: Mapped[str] = mapped_column(Text, default="")
    treatment: Mapped[str] = mapped_column(Text, default="")
    notes: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)
    archived_at: Mapped[datetime | None] = mapped_column(index=True)


class Photo(Base):
    """A photo of a patient; the latest that is not archived is shown. The file is ``photos/<id>.jpg``."""

    __tablename__ = "photos"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    archived_at: Mapped[datetime | None]
