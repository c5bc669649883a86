"""The models that the worker found: their facts, and which one takes a study."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bratsseg.inference.shipped import PICTURES
from bratsseg.service.records import InstalledModel
from bratsseg.service.refusal import Refusal, not_found
from bratsseg.service.settings import Settings
from bratsseg.study.modality import Modality

NO_PICTURE_MODEL = (
    "no picture model is installed, so pictures cannot be segmented; train one on pictures with bratsseg train, "
    "and start the service with --model-folder FOLDER"
)


def installed_models(session: Session) -> list[InstalledModel]:
    """All models, by name."""
    return list(session.scalars(select(InstalledModel).order_by(InstalledModel.name)))


def find_model(session: Session, name: str) -> InstalledModel:
    """A model by its name; a ``Refusal`` (404)."""
    return session.get(InstalledModel, name) or _missing()


def require_model(
    session: Session, settings: Settings, kind: str, modalities: Collection[str], name: str | None = None
) -> InstalledModel:
    """The model that will take a study of this kind with these modalities; that of the settings when none is named.

    Raises a ``Refusal``: 503 ``model_not_loaded`` when there is none or it cannot be used, 422 ``modality_missing``.
    """
    found = [model for model in installed_models(session) if model.kind == kind]
    if kind == "picture" and not found:
        raise Refusal(503, "model_not_loaded", NO_PICTURE_MODEL)
    wanted = name or usual_model(settings, kind, [model.name for model in found])
    model = next((one for one in found if one.name == wanted), None)
    if model is None:
        why = f"there is no model {wanted}" if found else "the worker that loads the models is not up yet"
        raise Refusal(503, "model_not_loaded", f"{why}; try again in a minute, or ask the administrator")
    if model.problem:
        raise Refusal(503, "model_not_loaded", f"model {wanted} cannot be used: {model.problem}")
    if kind == "scan":
        _refuse_missing(model, modalities)
    return model


def usual_model(settings: Settings, kind: str, names: Sequence[str]) -> str:
    """Which of the models ``names`` for studies of a kind is taken when none is named.

    The settings say it for scans. A picture model that somebody added goes before the one that ships.
    """
    if kind == "scan":
        return settings.model
    return next((name for name in names if name != PICTURES), PICTURES)


def model_facts(model: InstalledModel) -> dict[str, Any]:
    """What a page or a program is told of a model."""
    return {
        "name": model.name,
        "kind": model.kind,
        "version": model.version,
        "sha256": model.sha256,
        "usable": not model.problem,
        "problem": model.problem,
        **model.facts,
    }


def _refuse_missing(model: InstalledModel, modalities: Collection[str]) -> None:
    needs: list[list[str]] = model.facts.get("needs", {}).get("WT", [])
    if needs and not any(set(wanted) <= set(modalities) for wanted in needs):
        listed = " or ".join(" and ".join(Modality(one).label for one in wanted) for wanted in needs)
        have = ", ".join(modality.label for modality in Modality if modality in modalities) or "none"
        text = f"model {model.name} needs {listed}, the study has {have}; add the missing scan"
        raise Refusal(422, "modality_missing", text)


def _missing() -> InstalledModel:
    raise not_found("model")
