"""A study is given to the right patient, or its day is put right. Its scans never change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.patients import require_patient
from bratsseg.service.records import StudyRecord
from bratsseg.service.refusal import Refusal
from bratsseg.service.studies.days import told_day
from bratsseg.service.studies.views import find_study


def place_of(study: StudyRecord) -> str:
    """Whose a study is and of which day, as a form carries what was seen."""
    return f"{study.patient_id or ''}/{told_day(study) or ''}"


def change_study(
    session: Session, visitor: Visitor, study_id: str, given: Mapping[str, Any], *, seen: str | None = None
) -> StudyRecord:
    """New values for ``patient_id`` and ``taken_on``; what is not given stays. The audit keeps before and after.

    Raises a ``Refusal``: 404, 409 ``patient_archived``, 409 ``study_moved`` when it is not where it was ``seen``.
    """
    study = find_study(session, study_id)
    if seen is not None and seen != place_of(study):
        text = "not stored: since you opened this page, somebody gave this study another patient or day; look again"
        raise Refusal(409, "study_moved", text)
    if given.get("patient_id") is not None and given["patient_id"] != study.patient_id:
        require_patient(session, given["patient_id"])
    before, day_before = study.patient_id, told_day(study)
    for name, value in given.items():
        setattr(study, name, value)
    told = {"patient": study.patient_id, "before": before, "day": told_day(study), "day_before": day_before}
    record_action(session, visitor, "study.change", study_id, fields=sorted(given), **told)
    session.flush()
    return study
