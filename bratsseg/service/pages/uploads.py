"""Pages of an upload: choose files, confirm what they are."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from bratsseg.service.api.uploads import upload_facts
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.intake.acceptance import accept_upload
from bratsseg.service.intake.completion import complete_upload
from bratsseg.service.intake.pieces import FileAnnouncement, begin_upload, cancel_upload, find_upload, write_piece
from bratsseg.service.intake.scans import IGNORE, MASK
from bratsseg.service.intake.sniffing import ACCEPTED
from bratsseg.service.models import NO_PICTURE_MODEL, installed_models, model_facts, usual_model
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.patients import list_patients, read_patient
from bratsseg.service.refusal import Refusal
from bratsseg.service.templates import page
from bratsseg.study.modality import Modality

router = APIRouter()
_OFFERED = 200  # patients to choose from; the page of any other leads to an upload of their own
_ROLES = [*((str(modality), modality.label) for modality in Modality), (MASK, "Brain mask"), (IGNORE, "Leave out")]


@router.get("/upload")
def choose(request: Request, context: ContextOf, visitor: VisitorOf, patient: str | None = None) -> Response:
    """Choose files."""
    return _choose(request, context, visitor, patient)


@router.post("/upload")
def send(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf) -> Response:
    """Take all files in one form: the way of a browser without scripts. Scripts send pieces to the REST interface."""
    files = [(one.filename or "", one) for one in form.getlist("files") if isinstance(one, UploadFile) and one.size]
    patient = text(form, "patient") or None
    try:
        announced = [FileAnnouncement(name, file.size or 0) for name, file in files]
        upload = begin_upload(context, visitor, announced, patient, day(form))
        for row, (_, file) in zip(upload.files, files, strict=True):
            offset = 0
            while piece := file.file.read(context.settings.limits.piece):
                offset = write_piece(context, visitor, upload.id, row.id, offset=offset, content=piece)
        complete_upload(context, visitor, upload.id)
    except Refusal as refusal:
        return _choose(request, context, visitor, patient, refusal)
    return redirect(f"/uploads/{upload.id}")


@router.get("/uploads/{upload}")
def confirm(request: Request, context: ContextOf, visitor: VisitorOf, upload: str) -> Response:
    """Show what each file was taken for."""
    return _confirm(request, context, visitor, upload)


@router.post("/uploads/{upload}/accept")
def accept(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf, upload: str) -> Response:
    """The roles are right: make a study and queue it."""
    roles = {name.removeprefix("role-"): str(value) for name, value in form.items() if name.startswith("role-")}
    try:
        _, job = accept_upload(
            context,
            visitor,
            upload,
            roles=roles,
            model=text(form, "model") or None,
            patient_id=text(form, "patient") or None,
            taken_on=day(form),
        )
    except Refusal as refusal:
        return _confirm(request, context, visitor, upload, refusal)
    return redirect(f"/jobs/{job.id}")


@router.post("/uploads/{upload}/cancel")
def cancel(context: ContextOf, visitor: VisitorOf, upload: str) -> Response:
    """Give it up."""
    cancel_upload(context, visitor, upload)
    return redirect("/upload")


def day(form: FormData) -> date | None:
    """The day of the scan; a ``Refusal`` when it is none."""
    typed = text(form, "taken_on")
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError:
        raise Refusal(422, "invalid", "the day of the scan must be a date") from None


def _choose(
    request: Request, context: ContextOf, visitor: VisitorOf, patient: str | None, refusal: Refusal | None = None
) -> Response:
    with context.store.writing() as session:
        found = None if patient is None else read_patient(session, visitor, patient)
    return page(
        request,
        "upload.html.j2",
        200 if refusal is None else refusal.status,
        patient=found,
        refusal=refusal,
        accepted=ACCEPTED,
        limits=context.settings.limits,
    )


def _confirm(
    request: Request, context: ContextOf, visitor: VisitorOf, upload_id: str, refusal: Refusal | None = None
) -> Response:
    upload = find_upload(context, visitor, upload_id)
    with context.store.writing() as session:
        models = [model_facts(model) for model in installed_models(session) if not model.problem]
        patient = None if upload.patient_id is None else read_patient(session, visitor, upload.patient_id)
        known = [] if patient is not None else list_patients(session, visitor, per_page=_OFFERED)[0]
        patients = [(one.id, one.name, one.number) for one in known]
    kind = upload.found.get("kind", "scan")
    fitting = [model for model in models if model["kind"] == kind]
    return page(
        request,
        "confirm.html.j2",
        200 if refusal is None else refusal.status,
        upload=upload_facts(context, upload),
        roles=_ROLES,
        labels={str(modality): modality.label for modality in Modality},
        models=fitting,
        default=usual_model(context.settings, kind, [model["name"] for model in fitting]),
        patient=patient,
        patients=patients,
        refusal=refusal,
        no_picture_model=NO_PICTURE_MODEL if kind == "picture" and not fitting else "",
    )
