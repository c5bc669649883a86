"""Results: what the viewer and programs are told of one, and the files they may fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bratsseg.exchange import labels_of
from bratsseg.results.filenames import LABELS, PAGE, PICTURE, SHEET, SLICER, probability_name
from bratsseg.results.record import CaseRecord, read_record, record_path
from bratsseg.service.context import Context
from bratsseg.service.models import model_facts
from bratsseg.service.pictures import FILES as PICTURE_FILES
from bratsseg.service.records import InstalledModel, Patient, Result, Review, StudyRecord
from bratsseg.service.refusal import not_found
from bratsseg.service.results.revisions import revision_of
from bratsseg.service.settings import Settings
from bratsseg.service.studies.days import told_day
from bratsseg.study.dialect import get_dialect
from bratsseg.study.modality import Modality
from bratsseg.study.quality import quality_flags
from bratsseg.study.regions import APPEARANCE, Region

_REPORTS = {"report.pdf": SHEET, "report.png": PICTURE, "report.html": PAGE}


def find_result(session: Session, result_id: str) -> Result:
    """A result by its id; a ``Refusal`` (404)."""
    result = session.get(Result, result_id)
    if result is None:
        raise not_found("result")
    return result


def result_folder(settings: Settings, result: Result) -> Path:
    """Where the files of a result lie, as ``bratsseg segment`` wrote them."""
    return settings.results / result.job_id / result.study_id


def correction_folder(settings: Settings, review: Review) -> Path:
    """Where the files of a correction lie."""
    return settings.corrections / review.id


def record_of(settings: Settings, result: Result) -> CaseRecord:
    """The record that was written with a result; a ``Refusal`` (404) when somebody removed it."""
    record = read_record(record_path(settings.results / result.job_id, result.study_id))
    if record is None:
        raise not_found("record of this result")
    return record


def verdict_of(measures: dict[str, Any]) -> str:
    """finding, none_found or not_assessable. What is below the size of a lesion is no finding."""
    whole = measures["regions"][str(Region.WT)]
    if not whole["assessable"]:
        return "not_assessable"
    return "finding" if whole["lesions"] else "none_found"


def is_rejected(result: Result) -> bool:
    """True when the last word of a reader is that these outlines are wrong."""
    return bool(result.reviews) and result.reviews[-1].decision == "reject"


def latest_correction(result: Result) -> Review | None:
    """The correction that counts: the latest. Accept and reject speak of it from then on."""
    corrections = [review for review in result.reviews if review.decision == "correct"]
    return corrections[-1] if corrections else None


def current_measures(result: Result) -> dict[str, Any]:
    """Measures of the correction where there is one, otherwise of the model's own label map."""
    correction = latest_correction(result)
    return result.measures if correction is None else correction.measures


def result_files(settings: Settings, study: StudyRecord, result: Result) -> dict[str, Path]:
    """Every file of a result by its public name; names that we invented, so that none tells who the patient is."""
    folder, stem = result_folder(settings, result), result.study_id
    files = {file.file: settings.studies / study.id / file.file for file in study.files}
    if study.kind == "picture":
        files |= {name: folder / written for name, written in PICTURE_FILES.items()}
    files |= {
        "labels.nii.gz": folder / f"{stem}{LABELS}",
        "segmentation.seg.nrrd": folder / f"{stem}{SLICER[0]}",
        "record.json": folder / f"{stem}.json",
    }
    files |= {f"probability-{region}.nii.gz": folder / probability_name(stem, region) for region in Region}
    files |= {name: folder / f"{stem}{suffix}" for name, suffix in _REPORTS.items()}
    correction = latest_correction(result)
    if correction is not None:
        corrected = correction_folder(settings, correction)
        files |= {
            "corrected.nii.gz": corrected / f"{stem}{LABELS}",
            "corrected.seg.nrrd": corrected / f"{stem}{SLICER[0]}",
            **{f"corrected-{name}": corrected / f"{stem}{suffix}" for name, suffix in _REPORTS.items()},
        }
    return {name: path for name, path in files.items() if path.is_file()}


def result_facts(context: Context, session: Session, result: Result) -> dict[str, Any]:
    """All that a viewer needs of one result, as plain values. Volumes in mL, lengths in mm, positions in RAS mm."""
    study = session.get_one(StudyRecord, result.study_id)
    record, measures = record_of(context.settings, result), current_measures(result)
    model = session.get(InstalledModel, result.model)
    correction = latest_correction(result)
    quality = record.quality if correction is None else {}
    return {
        **summary(result),
        "study": {
            "id": study.id,
            "kind": study.kind,
            "taken_on": told_day(study),
            "modalities": [file.role for file in study.files if file.role in list(Modality)],
        },
        "patient_id": study.patient_id,
        "reference_modality": record.reference_modality,
        "dialect": record.dialect,
        "labels": _labels(record),
        "tissues": _tissues(record),
        "regions": _regions(measures, record),
        "location": {key: measures[key] for key in ("side", "share_right", "centroid_ras_mm", "middle")},
        "largest_slice": measures["largest_slice"],
        "flags": [*quality_flags(quality), *record.warnings],
        "quality": {str(region): found.model_dump(mode="json") for region, found in quality.items()},
        "not_assessable": {str(region): why for region, why in record.unanswered().items()},
        "picture": measures.get("picture"),
        "facts": record.facts,
        "seconds": record.seconds,
        "model": {
            "name": result.model,
            "version": result.model_version,
            "sha256": result.model_sha256,
            **({} if model is None else {"card": model.card, "installed": model_facts(model)}),
        },
        "corrected": None if correction is None else correction.id,
        "revision": revision_of(result),
        "reviews": [review_facts(review) for review in result.reviews],
        "prior": prior_of(session, result, study),
        "files": {
            name: {"url": f"/api/v1/results/{result.id}/files/{name}", "bytes": path.stat().st_size}
            for name, path in result_files(context.settings, study, result).items()
        },
    }


def summary(result: Result) -> dict[str, Any]:
    """A result in a list."""
    return {
        "id": result.id,
        "job_id": result.job_id,
        "study_id": result.study_id,
        "verdict": verdict_of(current_measures(result)),
        "model_name": result.model,
        "volumes_ml": volumes_ml(result),
        "decision": result.reviews[-1].decision if result.reviews else None,
        "created_at": result.created_at.isoformat(),
    }


def volumes_ml(result: Result) -> dict[str, float | None]:
    """Volume of each region in mL, as it was corrected; None when it was not assessable."""
    regions = current_measures(result)["regions"]
    return {str(region): regions[str(region)]["volume_ml"] for region in Region}


def review_facts(review: Review) -> dict[str, Any]:
    """A review as plain values."""
    return {
        "id": review.id,
        "decision": review.decision,
        "comment": review.comment,
        "user": review.user_name,
        "created_at": review.created_at.isoformat(),
    }


def prior_of(session: Session, result: Result, study: StudyRecord) -> dict[str, Any] | None:
    """The result of the same patient's study before this one, with the change of each volume in mL since.

    One that a reader rejected is passed over: nothing is measured against outlines that are wrong. None where the day
    of this study is unknown, and none of an unknown day is taken: nobody knows which came first.
    """
    if study.patient_id is None or study.taken_on is None:
        return None
    known = [(one, found) for one, found in history(session, study.patient_id) if one.taken_on is not None]
    at = next((number for number, (one, _) in enumerate(known) if one.id == study.id), len(known))
    earlier = [found for _, found in known[:at] if not is_rejected(found)]
    if not earlier:
        return None
    before = earlier[-1]
    then, today = volumes_ml(before), volumes_ml(result)
    changes = {
        region: None if value is None or (old := then[region]) is None else round(value - old, 4)
        for region, value in today.items()
    }
    taken = session.get_one(StudyRecord, before.study_id)
    return {**summary(before), "taken_on": told_day(taken), "change_ml": changes}


def history(session: Session, patient_id: str) -> list[tuple[StudyRecord, Result]]:
    """Each study of a patient with its latest result, oldest first; those of an unknown day come last."""
    studies = session.scalars(
        select(StudyRecord)
        .where(StudyRecord.patient_id == patient_id)
        .order_by(StudyRecord.taken_on.is_(None), StudyRecord.taken_on, StudyRecord.created_at)
    )
    found = []
    for study in studies:
        latest = select(Result).where(Result.study_id == study.id).order_by(Result.created_at.desc()).limit(1)
        if (result := session.scalars(latest).first()) is not None:
            found.append((study, result))
    return found


def patient_behind(session: Session, result: Result) -> Patient | None:
    """Whose result it is, when the study belongs to a patient."""
    study = session.get_one(StudyRecord, result.study_id)
    return None if study.patient_id is None else session.get(Patient, study.patient_id)


def _labels(record: CaseRecord) -> list[dict[str, Any]]:
    """The values of the label map with names and colours."""
    shown = frozenset(Region) - record.unanswered().keys()
    found = labels_of(get_dialect(record.dialect), shown)
    return [{"value": one.value, "name": one.name, "colour": list(one.colour)} for one in found]


def _tissues(record: CaseRecord) -> list[dict[str, Any]]:
    """What a reader may draw: every tissue of the dialect, also those that the model could not assess."""
    dialect = get_dialect(record.dialect)
    shown = {one["value"]: one for one in _labels(record)}
    found = []
    for one in labels_of(dialect):
        regions = [str(region) for region in Region if region in dialect.meaning[one.value]]
        plain = {"value": one.value, "name": one.name, "colour": list(one.colour)}
        found.append({**shown.get(one.value, plain), "regions": regions, "innermost": regions[-1] if regions else ""})
    return found


def _regions(measures: dict[str, Any], record: CaseRecord) -> dict[str, Any]:
    reasons = record.unanswered()
    return {
        str(region): {
            "name": APPEARANCE[region].name,
            "colour": list(APPEARANCE[region].colour),
            "why_not": reasons.get(region, ""),
            **measures["regions"][str(region)],
        }
        for region in Region
    }
