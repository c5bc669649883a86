"""Results: what a job found, and what readers said of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bratsseg.service.records.base import ID, Base, new_id, now


class Result(Base):
    """What one job found. ``verdict`` is finding, none_found or not_assessable; ``measures`` are those of the report.

    Its files lie in ``results/<job>/<study>/`` as ``bratsseg segment`` writes them.
    """

    __tablename__ = "results"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id"), index=True)
    model: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str] = mapped_column(String(32))
    model_sha256: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(16))
    measures: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)

    reviews: Mapped[list[Review]] = relationship(order_by="Review.created_at", lazy="selectin")


class Review(Base):
    """What a reader decided: accept, correct or reject. The latest counts; none is ever changed.

    A correction's label map lies in the folder ``corrections/<id>``, with ``measures`` of its own.
    """

    __tablename__ = "reviews"

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    result_id: Mapped[str] = mapped_column(ForeignKey("results.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    user_name: Mapped[str] = mapped_column(String(64))
    decision: Mapped[str] = mapped_column(String(16))
    comment: Mapped[str] = mapped_column(Text, default="")
    measures: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
