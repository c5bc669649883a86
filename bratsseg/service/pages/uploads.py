"""Pages of an upload: choose files, confirm what they are."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from bratsseg.service.api.uploads import upload_facts
from bratsseg.service.context import ContextOf, VisitorOf
from bratsseg.service.housekeeping import KEPT
from bratsseg.service.intake.acceptance import accept_upload
from bratsseg.service.intake.completion import complete_upload
from bratsseg.service.intake.pieces import (
    FileAnnouncement,
    begin_upload,
    cancel_upload,
    find_upload,
    unfinished_uploads,
    write_piece,
)
from bratsseg.service.intake.scans import IGNORE, MASK
from bratsseg.service.intake.sniffing import ACCEPTED
from bratsseg.service.models import NO_PICTURE_MODEL, installed_models, model_facts, usual_model
from bratsseg.service.pages.forms import FormOf, redirect, text
from bratsseg.service.patients import list_patients, read_patient
from bratsseg.service.records import Upload
from bratsseg.service.refusal import Refusal
from bratsseg.service.studies.days import typed_day
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
async def send(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf) -> Response:
    """Take all files in one form: the way of a browser without scripts. Scripts send pieces to the REST interface."""
    patient = text(form, "patient") or None
    try:
        upload = await run_in_threadpool(_take, context, visitor, form, patient)
        await context.checks.run(visitor.user_id, partial(complete_upload, context, visitor, upload))
    except Refusal as refusal:
        return await run_in_threadpool(_choose, request, context, visitor, patient, refusal)
    return redirect(f"/uploads/{upload}")


@router.get("/uploads/{upload}")
def confirm(request: Request, context: ContextOf, visitor: VisitorOf, upload: str) -> Response:
    """Show what each file was taken for."""
    return _confirm(request, context, visitor, upload)


@router.post("/uploads/{upload}/accept")
async def accept(request: Request, context: ContextOf, visitor: VisitorOf, form: FormOf, upload: str) -> Response:
    """The roles are right: make a study and queue it."""
    roles = {name.removeprefix("role-"): str(value) for name, value in form.items() if name.startswith("role-")}
    try:
        work = partial(
            accept_upload,
            context,
            visitor,
            upload,
            roles=roles,
            model=text(form, "model") or None,
            patient_id=text(form, "patient") or None,
            taken_on=typed_day(text(form, "taken_on"), unknown="day_unknown" in form),
            day_unknown="day_unknown" in form,
        )
        _, job = await context.checks.run(visitor.user_id, work)
    except Refusal as refusal:
        return await run_in_threadpool(_confirm, request, context, visitor, upload, refusal=refusal, form=form)
    return redirect(f"/jobs/{job.id}")


@router.post("/uploads/{upload}/cancel")
def cancel(context: ContextOf, visitor: VisitorOf, upload: str) -> Response:
    """Give it up."""
    cancel_upload(context, visitor, upload)
    return redirect("/upload")


def _take(context: ContextOf, visitor: VisitorOf, form: FormData, patient: str | None) -> str:
    """Take the files of a form as an upload; returns its id."""
    files = [(one.filename or "", one) for one in form.getlist("files") if isinstance(one, UploadFile) and one.size]
    typed = text(form, "taken_on")
    day = typed_day(typed, unknown=not typed)  # what is not said here is asked for when it is confirmed
    announced = [FileAnnouncement(name, one.size or 0) for name, one in files]
    upload = begin_upload(context, visitor, announced, patient, day)
    for row, (_, file) in zip(upload.files, files, strict=True):
        offset = 0
        while piece := file.file.read(context.settings.limits.piece):
            offset = write_piece(context, visitor, upload.id, row.id, offset=offset, content=piece)
    return upload.id


def _choose(
    request: Request, context: ContextOf, visitor: VisitorOf, patient: str | None, refusal: Refusal | None = None
) -> Response:
    with context.store.writing() as session:
        found = None if patient is None else read_patient(session, visitor, patient)
        waiting = [upload_facts(context, upload) for upload in unfinished_uploads(session, visitor)]
    return page(
        request,
        "upload.html.j2",
        200 if refusal is None else refusal.status,
        patient=found,
        refusal=refusal,
        accepted=ACCEPTED,
        limits=context.settings.limits,
        waiting=waiting,
        kept_days=KEPT.days,
    )


def _confirm(
    request: Request,
    context: ContextOf,
    visitor: VisitorOf,
    upload_id: str,
    *,
    refusal: Refusal | None = None,
    form: FormData | None = None,
) -> Response:
    """The page with what was proposed, or with what was chosen in a form that was refused."""
    upload = find_upload(context, visitor, upload_id)
    with context.store.writing() as session:
        models = [model_facts(model) for model in installed_models(session) if not model.problem]
        patient = None if upload.patient_id is None else read_patient(session, visitor, upload.patient_id)
        known = [] if patient is not None else list_patients(session, visitor, per_page=_OFFERED)[0]
        patients = [(one.id, one.name, one.number) for one in known]
    kind = upload.found.get("kind", "scan")
    fitting = [model for model in models if model["kind"] == kind]
    usual = usual_model(context.settings, kind, [model["name"] for model in fitting])
    return page(
        request,
        "confirm.html.j2",
        200 if refusal is None else refusal.status,
        upload=upload_facts(context, upload),
        roles=_ROLES,
        labels={str(modality): modality.label for modality in Modality},
        models=fitting,
        chosen=_proposed(upload, usual) if form is None else _chosen(form),
        patient=patient,
        patients=patients,
        refusal=refusal,
        no_picture_model=NO_PICTURE_MODEL if kind == "picture" and not fitting else "",
    )


def _proposed(upload: Upload, model: str) -> dict[str, Any]:
    """What the confirm page starts with."""
    roles = {file["id"]: file["role"] for file in upload.found.get("files", ())}
    day = "" if upload.taken_on is None else upload.taken_on.isoformat()
    return {"roles": roles, "patient": "", "model": model, "taken_on": day, "unknown": False}


def _chosen(form: FormData) -> dict[str, Any]:
    """The same as somebody chose it."""
    roles = {name.removeprefix("role-"): str(value) for name, value in form.items() if name.startswith("role-")}
    named = {name: text(form, name) for name in ("patient", "model", "taken_on")}
    return {"roles": roles, **named, "unknown": "day_unknown" in form}
