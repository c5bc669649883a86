"""``/api/v1/results``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from starlette.responses import FileResponse, Response

from bratsseg.service.api.bodies import RawBody, raw_body
from bratsseg.service.api.paging import PageNumber, PerPage, listed
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.records import Result, StudyRecord
from bratsseg.service.refusal import not_found
from bratsseg.service.results import find_result, result_facts, result_files, review_facts, summary
from bratsseg.service.reviews import LONGEST_COMMENT, add_correction, add_review

router = APIRouter(prefix="/results", tags=["results"])
_MEDIA = {
    ".gz": "application/gzip",
    ".nrrd": "application/octet-stream",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
}


class NewReview(BaseModel):
    """What a reader says of a result."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["accept", "reject"]
    comment: str = Field(default="", max_length=LONGEST_COMMENT)


@router.get("")
def list_(
    context: ContextOf, visitor: VisitorOf, study: str | None = None, page: PageNumber = 1, per_page: PerPage = 25
) -> dict[str, Any]:
    """Results, the latest first."""
    wanted = select(Result) if study is None else select(Result).where(Result.study_id == study)
    with context.store.writing() as session:
        total = session.scalar(select(func.count()).select_from(wanted.subquery())) or 0
        ordered = wanted.order_by(Result.created_at.desc()).limit(per_page).offset((page - 1) * per_page)
        found = [summary(result) for result in session.scalars(ordered)]
        record_action(session, visitor, "result.list", shown=[result["id"] for result in found])
    return listed(found, total, page, per_page)


@router.get("/{result}")
def read(context: ContextOf, visitor: VisitorOf, result: str) -> dict[str, Any]:
    """All that a viewer needs: volumes in mL with their change, diameters, lesions, side, flags, model, files."""
    with context.store.writing() as session:
        facts = result_facts(context, session, find_result(session, result))
        record_action(session, visitor, "result.read", result, patient=facts["patient_id"])
        return facts


@router.get("/{result}/files/{name}", response_class=FileResponse)
def fetch(context: ContextOf, visitor: VisitorOf, result: str, name: str) -> Response:
    """A file of a result: flair.nii.gz, labels.nii.gz, probability-WT.nii.gz, segmentation.seg.nrrd, report.pdf, …"""
    with context.store.writing() as session:
        found = find_result(session, result)
        study = session.get_one(StudyRecord, found.study_id)
        path = result_files(context.settings, study, found).get(name)
        if path is None:
            raise not_found("file of this result")
        record_action(session, visitor, "result.fetch", result, file=name, patient=study.patient_id)
    return FileResponse(path, media_type=_MEDIA[path.suffix], filename=f"{result}-{name}")


@router.post("/{result}/reviews", status_code=201)
def review(context: ContextOf, visitor: VisitorOf, result: str, new: NewReview) -> dict[str, Any]:
    """Accept or reject."""
    with context.store.writing() as session:
        return review_facts(add_review(session, visitor, result, new.decision, new.comment))


@router.put("/{result}/correction", status_code=201, openapi_extra=raw_body("application/gzip"))
def correct(
    context: ContextOf,
    visitor: VisitorOf,
    result: str,
    content: RawBody,
    comment: Annotated[str, Query(max_length=LONGEST_COMMENT)] = "",
) -> dict[str, Any]:
    """Save a corrected label map: NIfTI on the result's grid, values of its dialect. Earlier ones are kept."""
    return review_facts(add_correction(context, visitor, result, content, comment))
