"""``/api/v1/models``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from bratsseg.service.context import ContextOf
from bratsseg.service.models import find_model, installed_models, model_facts

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
def list_(context: ContextOf) -> dict[str, Any]:
    """The models at hand, and the one that is used when none is named."""
    with context.store.reading() as session:
        found = [model_facts(model) for model in installed_models(session)]
    return {"items": found, "default": context.settings.model}


@router.get("/{name}")
def read(context: ContextOf, name: str) -> dict[str, Any]:
    """A model with its card, which holds its validated scores."""
    with context.store.reading() as session:
        model = find_model(session, name)
    return {**model_facts(model), "card": model.card}
