"""A released model as a MONAI bundle: a folder that ``monai.bundle`` loads and runs.

Source: MONAI's bundle specification (``mb_specification``) and the bundle ``brats_mri_segmentation`` of its model zoo.
The network and the preparation are bratsseg's, so bratsseg must be installed where the bundle is used; running it also
needs ``pytorch-ignite``, as every bundle with an evaluator does, and ``fire`` for MONAI's command line. Three things
differ from ``bratsseg segment``: a region whose modality is missing is not left out, probabilities just outside the
brain are not set to 0, and a bundle computes in float32 where ``segment`` may compute in bfloat16.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from bratsseg.config import Config
from bratsseg.errors import UsageError
from bratsseg.exchange.foreign.monai_metadata import licence, metadata, readme
from bratsseg.exchange.foreign.weights import INFERENCE, METADATA, MODEL
from bratsseg.exchange.monai_parts import DecodeLabelsd, Folds, PassInferer
from bratsseg.files import write_bytes, write_json, write_text
from bratsseg.inference.model import ModelFolder, ReleasedModel
from bratsseg.network import build_network

_TARGET = "_target_"


def export_monai_bundle(name_or_folder: str | Path, out: Path, *, dialect: str = "brats2023") -> list[Path]:
    """Write the model as a bundle into the empty or new folder ``out``; its files, ``metadata.json`` last.

    ``ModelError`` when there is no such model, ``UsageError`` when ``out`` holds something, ``WriteError``.
    """
    folder = ModelFolder.find(name_or_folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"OUT {out}: must be a new or an empty folder, so that no other bundle is mixed with this one")
    for place in ("configs", "models", "docs"):
        (out / place).mkdir(parents=True, exist_ok=True)
    model = folder.description
    write_text(out / "LICENSE", licence(model))
    write_text(out / "docs" / "README.md", readme(folder, INFERENCE, METADATA))
    write_bytes(out / MODEL, _state(folder))
    write_json(out / INFERENCE, _inference(model, dialect))
    write_json(out / METADATA, metadata(model))
    return [out / name for name in ("LICENSE", "docs/README.md", MODEL, INFERENCE, METADATA)]


def _state(folder: ModelFolder) -> bytes:
    """The network's plain state dict, float32, as ``torch.load(..., weights_only=True)`` reads it."""
    networks = folder.networks()
    network = networks[0] if len(networks) == 1 else Folds(networks)
    content = io.BytesIO()
    torch.save(dict(network.state_dict()), content)
    return content.getvalue()


def _inference(model: ReleasedModel, dialect: str) -> dict[str, Any]:
    single = {_TARGET: _name(build_network), "config": _config(model.network)}
    folds = len(model.weights)
    return {
        "imports": ["$import torch", "$from pathlib import Path"],
        "bundle_root": ".",
        "dataset_dir": "/data/studies",
        "output_dir": "$@bundle_root + '/eval'",
        "ckpt_path": f"$@bundle_root + '/{MODEL}'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "studies": "$sorted(path for path in Path(@dataset_dir).iterdir() if path.is_dir())",
        "network_def": single if folds < 2 else {_TARGET: _name(Folds), "networks": [single] * folds},
        "network": "$@network_def.to(@device)",
        "preprocessing": {_TARGET: "Compose", "transforms": _preprocessing(model)},
        "dataset": {
            _TARGET: "Dataset",
            "data": "$[{'image': str(path)} for path in @studies]",
            "transform": "@preprocessing",
        },
        "dataloader": {_TARGET: "DataLoader", "dataset": "@dataset", "batch_size": 1, "num_workers": 0},
        "inferer": {_TARGET: _name(PassInferer), "passes": _config(model.passes)},
        "postprocessing": {_TARGET: "Compose", "transforms": _postprocessing(model, dialect)},
        "handlers": [
            {_TARGET: "CheckpointLoader", "load_path": "@ckpt_path", "load_dict": {"model": "@network"}},
        ],
        "evaluator": {
            _TARGET: "SupervisedEvaluator",
            "device": "@device",
            "val_data_loader": "@dataloader",
            "network": "@network",
            "inferer": "@inferer",
            "postprocessing": "@postprocessing",
            "val_handlers": "@handlers",
        },
        "run": ["$@evaluator.run()"],
    }


def _preprocessing(model: ReleasedModel) -> list[dict[str, Any]]:
    reader = {
        _TARGET: "bratsseg.tensors.monai.StudyReader",
        "modalities": [str(modality) for modality in model.modalities],
        "missing": "zeros",
    }
    return [
        {_TARGET: "LoadImaged", "keys": "image", "reader": reader},
        {
            _TARGET: "bratsseg.tensors.monai.PrepareStudyd",
            "keys": "image",
            "preparation": _config(model.preparation),
        },
    ]


def _postprocessing(model: ReleasedModel, dialect: str) -> list[dict[str, Any]]:
    return [
        {
            _TARGET: "Invertd",
            "keys": "pred",
            "transform": "@preprocessing",
            "orig_keys": "image",
            "nearest_interp": False,
            "to_tensor": True,
        },
        {_TARGET: "Activationsd", "keys": "pred", "sigmoid": True},
        {
            _TARGET: _name(DecodeLabelsd),
            "keys": "pred",
            "regions": [str(region) for region in model.regions],
            "decoding": _config(model.decoding),
            "dialect": dialect,
        },
        {
            _TARGET: "SaveImaged",
            "keys": "pred",
            "output_dir": "@output_dir",
            "output_postfix": "seg",
            "output_dtype": "uint8",
            "resample": False,
        },
    ]


def _config(config: Config) -> dict[str, Any]:
    """A typed config as MONAI instantiates it."""
    return {_TARGET: _name(type(config)), **config.model_dump(mode="json")}


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"
