"""Pages for people, drawn here and sent whole. They work without any script; HTMX and the viewer come on top."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from bratsseg.service.pages import account, administration, information, login, patients, studies, uploads
from bratsseg.service.pages.forms import checked_form

router = APIRouter(dependencies=[Depends(checked_form)], include_in_schema=False)
for part in (login, information, patients, uploads, studies, account, administration):
    router.include_router(part.router)
