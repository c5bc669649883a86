"""The models at hand, as the worker finds them at its start and tells the server, which loads no torch."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import delete

from bratsseg.errors import ModelError
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.shipped import shipped_names
from bratsseg.service.records import InstalledModel, Store
from bratsseg.service.settings import Settings


def announce_models(store: Store, settings: Settings) -> None:
    """Write every model into the database; one that cannot be used with the reason."""
    found = {name: _described(name, name) for name in shipped_names()}
    for folder in settings.models:
        model = _described(Path(folder).name, Path(folder))
        found[model.name] = model
    with store.writing() as session:
        session.execute(delete(InstalledModel))
        session.add_all(found.values())


def folder_of(name: str, settings: Settings) -> str | Path:
    """What ``Segmenter.load`` is to be given for a model's name."""
    for folder in map(Path, settings.models):
        if name in (folder.name, _described(folder.name, folder).name):
            return folder
    return name


def _described(fallback: str, where: str | Path) -> InstalledModel:
    try:
        folder = ModelFolder.find(where)
        described = folder.description
        return InstalledModel(
            name=described.name,
            kind="picture" if described.preparation.subject == "picture" else "scan",
            version=described.version,
            sha256=folder.sha256,
            card=folder.card,
            facts={
                "summary": described.summary,
                "licence": described.licence,
                "modalities": [str(modality) for modality in described.modalities],
                "regions": [str(region) for region in described.regions],
                "needs": {
                    str(region): [[str(one) for one in wanted] for wanted in needs]
                    for region, needs in described.needs.items()
                },
                "thresholds": {str(region): value for region, value in described.decoding.thresholds.items()},
                "trained": described.trained,
            },
        )
    except ModelError as error:
        return InstalledModel(name=fallback, problem=str(error))
