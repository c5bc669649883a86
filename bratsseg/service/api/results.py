"""``/api/v1/results``."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from starlette.responses import FileResponse, Response

from bratsseg.service.api.bodies import DrawingBody, SeenRevision, drawing_body
from bratsseg.service.api.paging import PageNumber, PerPage, listed
from bratsseg.service.audit import record_action
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.records import Result, StudyRecord
from bratsseg.service.refusal import not_found
from bratsseg.service.results.drafts import DraftWindow, draft_facts, draft_path, drop_draft, keep_draft, require_draft
from bratsseg.service.results.reviews import LONGEST_COMMENT, add_correction, add_review
from bratsseg.service.results.views import find_result, result_facts, result_files, review_facts, summary

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
    revision: str | None = Field(
        default=None, max_length=64, description="Of the result as it was seen; If-Match says the same."
    )


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
def read(context: ContextOf, visitor: VisitorOf, response: Response, result: str) -> dict[str, Any]:
    """All that a viewer needs: volumes in mL with their change, diameters, lesions, side, flags, model, files.

    ``revision``, also the ETag, names the state that is told; whoever decides on it sends it back.
    """
    with context.store.writing() as session:
        facts = result_facts(context, session, find_result(session, result))
        record_action(session, visitor, "result.read", result, patient=facts["patient_id"])
    response.headers["ETag"] = f'"{facts["revision"]}"'
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
def review(context: ContextOf, visitor: VisitorOf, seen: SeenRevision, result: str, new: NewReview) -> dict[str, Any]:
    """Accept or reject the result as it was seen. 409 ``result_changed`` tells what has come since."""
    with context.store.writing() as session:
        made = add_review(session, visitor, result, new.decision, comment=new.comment, seen=new.revision or seen)
        return review_facts(made)


@router.put("/{result}/correction", status_code=201, openapi_extra=drawing_body())
async def correct(context: ContextOf, visitor: VisitorOf, result: str, drawn: DrawingBody) -> dict[str, Any]:
    """Save a corrected label map: NIfTI on the result's grid, values of its dialect. Earlier ones are kept.

    It says which state of the result was seen; 409 ``result_changed`` tells what has come since.
    """

    def work() -> dict[str, Any]:
        made = add_correction(context, visitor, result, drawn.content, comment=drawn.comment, seen=drawn.seen)
        drop_draft(context, visitor, result)
        return review_facts(made)

    return await context.corrections.run(visitor.user_id, work)


@router.put("/{result}/draft", openapi_extra=drawing_body())
def save_draft(context: ContextOf, visitor: VisitorOf, result: str, drawn: DrawingBody) -> dict[str, Any]:
    """Keep an unfinished drawing of your own in the place of the one before; it is not judged and not measured."""
    window = DraftWindow(drawn.window, drawn.replaces)
    keep_draft(context, visitor, result, drawn.content, comment=drawn.comment, seen=drawn.seen, window=window)
    with context.store.reading() as session:
        return draft_facts(session, visitor, result) or {}


@router.get("/{result}/draft", response_class=Response)
def fetch_draft(context: ContextOf, visitor: VisitorOf, result: str) -> Response:
    """Your unfinished drawing, as it was kept last."""
    with context.store.writing() as session:
        draft = require_draft(session, visitor, result)
        record_action(session, visitor, "draft.read", result)
        content = draft_path(context.settings, draft.file).read_bytes()  # the next one takes its place after this block
    return Response(content, media_type="application/gzip")


@router.delete("/{result}/draft", status_code=204)
def discard_draft(context: ContextOf, visitor: VisitorOf, result: str) -> None:
    """Discard your unfinished drawing."""
    drop_draft(context, visitor, result)
