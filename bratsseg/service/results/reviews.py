"""What a reader says of a result: accept, reject, or a corrected label map. Reviews are added, never changed."""

from __future__ import annotations

import shutil
from math import prod
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from bratsseg.errors import CaseError
from bratsseg.exchange import export_case
from bratsseg.exchange.formats import made_by
from bratsseg.files import digest, write_files
from bratsseg.report.run import report_case
from bratsseg.results.record import CaseRecord
from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.cases import case_of
from bratsseg.service.context import Context
from bratsseg.service.intake.scans import AT_ONCE, read_bounded
from bratsseg.service.patients import is_plain
from bratsseg.service.records import Result, Review, StudyRecord, new_id
from bratsseg.service.refusal import Refusal, of_error
from bratsseg.service.results.revisions import require_latest
from bratsseg.service.results.views import find_result, record_of
from bratsseg.study.dialect import get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.reading import Content, read_study
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study, Volume

LONGEST_COMMENT = 10_000
_NOTE = "the outlines were corrected by a reader"


def add_review(
    session: Session,
    visitor: Visitor,
    result_id: str,
    decision: Literal["accept", "reject"],
    *,
    comment: str,
    seen: str | None,
) -> Review:
    """Accept or reject a result as it was ``seen``; a ``Refusal`` of ``require_latest`` when it is not so any more."""
    result = find_result(session, result_id)
    require_latest(result, seen)
    review = _review(visitor, result, decision, comment)
    session.add(review)
    session.flush()
    record_action(session, visitor, f"review.{decision}", review.id, result=result.id)
    return review


def add_correction(
    context: Context, visitor: Visitor, result_id: str, content: bytes, *, comment: str, seen: str | None
) -> Review:
    """Keep a label map that a reader drew, in every format, with a report and measures of its own.

    ``content`` is a NIfTI file on the grid of the result, in any order and direction of axes. Raises a ``Refusal``
    (422): ``grids_differ``, ``labels_invalid``, ``unreadable``; that of ``require_latest`` when the result is not as
    it was ``seen``.
    """
    with context.store.reading() as session:
        result = find_result(session, result_id)
        require_latest(result, seen)
        study = session.get_one(StudyRecord, result.study_id)
    if study.kind == "picture":
        raise Refusal(422, "invalid", "the outlines of a picture cannot be drawn over; accept or reject them")
    record = record_of(context.settings, result)
    review = _review(visitor, result, "correct", comment)
    folder = context.settings.corrections / review.id
    folder.mkdir(mode=0o700)
    drawing = folder / "drawing.nii.gz"
    try:
        with AT_ONCE:
            scans = read_study(case_of(study, context.settings.studies / study.id))
            most = context.settings.limits.volume
            label_map = _read_drawing(Content(drawing, {drawing: content}), scans.reference, record, most)
            review.measures = _write(folder, label_map, scans, record)
        with context.store.writing() as session:
            require_latest(find_result(session, result_id), seen)  # measuring took a while
            session.add(review)
            record_action(session, visitor, "review.correct", review.id, result=result.id)
    except CaseError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise of_error(error, {"drawing.nii.gz": "the drawing"}) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return review


def bounded_comment(comment: str) -> str:
    """A reader's words without space around them; a ``Refusal`` (422) when they are too many, or no plain text."""
    if len(comment) > LONGEST_COMMENT:
        raise Refusal(422, "invalid", f"a comment may have at most {LONGEST_COMMENT:,} characters")
    if not is_plain(comment):
        raise Refusal(422, "invalid", "a comment must be text without control characters")
    return comment.strip()


def _review(visitor: Visitor, result: Result, decision: str, comment: str) -> Review:
    return Review(
        id=new_id(),
        result_id=result.id,
        user_id=visitor.user_id,
        user_name=visitor.name,
        decision=decision,
        comment=bounded_comment(comment),
    )


def _read_drawing(content: Content, like: Volume, record: CaseRecord, most: int) -> LabelMap:
    """The drawing as regions on the grid of ``like``."""
    drawn = read_bounded(content, "the drawing", prod(like.grid.shape), most)
    values = _onto(drawn, like.grid)
    regions = get_dialect(record.dialect).decode(values, "the drawing")
    seen = {region for region, mask in zip(Region, regions, strict=True) if mask.any()}
    return LabelMap(regions, like.grid, (frozenset(Region) - record.unanswered().keys()) | seen)


def _onto(drawn: Volume, grid: Grid) -> NDArray[np.generic]:
    """The drawing's voxels in the order and direction of ``grid``'s axes; ``GridMismatch`` when they lie elsewhere.

    A viewer may save what it shows, and that is turned to RAS; the voxels are the same, so nothing is interpolated.
    """
    if drawn.grid.same_as(grid):
        return drawn.voxels
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(drawn.grid.affine), nib.orientations.io_orientation(grid.affine)
    )
    affine = drawn.grid.affine @ nib.orientations.inv_ornt_aff(turn, drawn.grid.shape)
    turned: NDArray[np.generic] = nib.orientations.apply_orientation(drawn.voxels, turn)
    if not Grid.of(turned.shape, affine).same_as(grid):
        text = "the drawing must lie on the grid of the result, voxel for voxel; save it from the viewer"
        raise Refusal(422, "grids_differ", text)
    return turned


def _write(folder: Path, label_map: LabelMap, scans: Study, record: CaseRecord) -> dict[str, Any]:
    """Write the corrected label map in every format with a report; returns its measures."""
    dialect = get_dialect(record.dialect)
    mark = made_by(record.model, dialect.name)
    files = export_case(
        label_map, scans.reference, record.stem, ("nifti", "slicer"), dialect=dialect, description=mark, record=record
    )
    kept = {str(region): why for region, why in record.not_assessable.items() if region not in label_map.assessable}
    corrected = record.model_copy(
        update={
            "outputs": {record.label_file: digest(files[record.label_file])},
            "edited": {},
            "warnings": (*record.warnings, _NOTE),
            "quality": {},  # they speak of the model's map
            "not_assessable": kept,
        }
    )
    report = report_case(scans, label_map, corrected)
    write_files(folder, {**files, **report.files})
    return report.measures
