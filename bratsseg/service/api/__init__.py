"""REST, version 1: one file for each resource. Every answer is JSON; a refusal is ``{code, message}``."""

from __future__ import annotations

from fastapi import APIRouter

from bratsseg.service.api import audit, jobs, models, patients, results, studies, uploads, users

router = APIRouter()
for part in (patients, studies, uploads, jobs, results, models, users, audit):
    router.include_router(part.router)
