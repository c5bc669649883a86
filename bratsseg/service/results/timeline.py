"""A patient over time: every study with its volumes, and the curve through them."""

from __future__ import annotations

from datetime import date
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from bratsseg.report.charts import curves
from bratsseg.service.results.views import history, is_rejected, summary, volumes_ml
from bratsseg.service.studies.days import told_day
from bratsseg.study.regions import Region


def timeline(session: Session, patient_id: str) -> list[dict[str, Any]]:
    """The latest result of each study, oldest first, with the change of each volume in mL since the one before.

    One that a reader rejected is told, but neither it nor what comes after is measured by its outlines. Those of an
    unknown day (``day`` is None) come last and are compared with none.
    """
    points: list[dict[str, Any]] = []
    before: dict[str, float | None] = {}
    for study, result in history(session, patient_id):
        volumes, day = volumes_ml(result), told_day(study)
        aside = is_rejected(result) or day is None
        change = {
            region: None if aside or value is None or (old := before.get(region)) is None else round(value - old, 4)
            for region, value in volumes.items()
        }
        points.append({**summary(result), "day": day, "change_ml": change})
        before = before if aside else volumes
    return points


def curve(points: list[dict[str, Any]]) -> Markup | None:
    """The volumes over known days as inline SVG, without rejected ones; None with fewer than two days."""
    points = [point for point in points if point["decision"] != "reject" and point["day"] is not None]
    days = [date.fromisoformat(point["day"]).toordinal() for point in points]
    if len(set(days)) < 2:
        return None
    volumes = {region: [point["volumes_ml"][str(region)] for point in points] for region in Region}
    return curves([float(day) for day in days], volumes, points[0]["day"], points[-1]["day"])
