"""Weights of a network trained elsewhere, and what a MONAI bundle says of them. Nothing in them is ever run.

A state dict is read with ``weights_only=True``; a bundle's ``configs`` are read as plain JSON, and an expression in
them that would have to be run counts as not said.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from bratsseg.errors import ModelError
from bratsseg.inference.passes import WindowPass
from bratsseg.study.modality import Modality, modality_of
from bratsseg.study.regions import Region

METADATA, INFERENCE, MODEL = "configs/metadata.json", "configs/inference.json", "models/model.pt"
"""The files of a MONAI bundle that are read here, and that ``monai_bundle`` writes."""
_WRAPPED = ("model", "state_dict", "network", "net")
_REGIONS = {"tumor core": Region.TC, "whole tumor": Region.WT, "enhancing tumor": Region.ET}
_SPACING = re.compile(r"(\d+(?:\.\d+)?)\s*x\s*(\d+(?:\.\d+)?)\s*x\s*(\d+(?:\.\d+)?)\s*mm")
_KNOWN = {"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "NormalizeIntensityd", "Orientationd", "Spacingd"}


@dataclass(frozen=True)
class Weights:
    """A state dict and what is known of it; None where nothing says it. ``sha256`` is that of the weights' file.

    ``orientation``: BraTS files lie LPS, and MONAI's bundle feeds them as they are stored.
    """

    source: str
    state: Mapping[str, Tensor]
    sha256: str
    channels: tuple[Modality, ...] | None = None
    outputs: tuple[Region, ...] | None = None
    spacing_mm: float | None = None
    orientation: Literal["RAS", "LPS"] = "LPS"
    windows: WindowPass | None = None
    version: str = "1"
    summary: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_weights(path: Path) -> Weights:
    """Weights from a file (``.pt``, ``.pth``, ``.safetensors``) or a MONAI bundle (its folder, or a zip of it).

    Raises ``ModelError`` when there is none, or it holds more than weights, or its bundle prepares scans in a way that
    is not ours.
    """
    if path.is_dir():
        return _from_bundle(path, path)
    if not path.is_file():
        raise ModelError(f"{path}: must be a file of weights or a MONAI bundle, does not exist")
    if zipfile.is_zipfile(path):  # torch's own files are zips too
        with zipfile.ZipFile(path) as archive:
            inside = [name for name in archive.namelist() if name == METADATA or name.endswith(f"/{METADATA}")]
            if inside:
                return _from_bundle(zipfile.Path(archive, inside[0].removesuffix(METADATA)), path)
    content = path.read_bytes()
    return Weights(str(path), _state(content, str(path)), hashlib.sha256(content).hexdigest())


def _from_bundle(root: Path | zipfile.Path, path: Path) -> Weights:
    metadata, inference = _json(root / METADATA, path), _json(root / INFERENCE, path)
    model = root / MODEL
    if not metadata or not model.is_file():
        raise ModelError(f"{path}: must be a MONAI bundle with {METADATA} and {MODEL}, or a file of weights")
    content = model.read_bytes()
    formats = metadata.get("network_data_format", {})
    transforms = _transforms(inference, path)
    return Weights(
        source=str(path),
        state=_state(content, f"{path}/{MODEL}"),
        sha256=hashlib.sha256(content).hexdigest(),
        channels=_all(modality_of(name) for name in _channel_names(formats, "inputs", "image")),
        outputs=_all(
            _REGIONS.get(name.lower().replace("tumour", "tumor")) for name in _channel_names(formats, "outputs", "pred")
        ),
        spacing_mm=_spacing(metadata, transforms, path),
        orientation=_orientation(transforms, path),
        windows=_windows(inference),
        version=str(metadata.get("version", "1")),
        summary=str(metadata.get("description", "")),
        facts={
            key: metadata[key] for key in ("copyright", "data_source", "eval_metrics", "references") if key in metadata
        },
    )


def _state(content: bytes, source: str) -> dict[str, Tensor]:
    try:
        found = load(content) if source.endswith(".safetensors") else _unpickled(content)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{source}: must hold weights and nothing that has to be run; save network.state_dict(); "
            f"{str(error).splitlines()[0]}"
        ) from error
    for key in _WRAPPED:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{source}: must be a state dict, names and tensors, was {type(found).__name__}")
    state = {str(key): value for key, value in found.items()}
    for prefix in ("module.", "model.", "network."):
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def _unpickled(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _json(path: Path | zipfile.Path, owner: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"{owner}: {path.name} must be JSON; {error}") from error
    return values if isinstance(values, dict) else {}


def _channel_names(formats: Any, part: str, key: str) -> list[str]:
    try:
        named = formats[part][key]["channel_def"]
        return [str(named[number]) for number in sorted(named, key=int)]
    except (KeyError, TypeError, ValueError):
        return []


def _all(values: Any) -> Any:
    """The values as a tuple, or None when there are none or one is not known."""
    found = tuple(values)
    return found if found and None not in found else None


def _transforms(inference: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """The steps of the preprocessing, each of them one whose effect we have too."""
    steps = inference.get("preprocessing", {})
    found = [
        step for step in (steps.get("transforms", []) if isinstance(steps, dict) else []) if isinstance(step, dict)
    ]
    for step in found:
        name = str(step.get("_target_", "")).rpartition(".")[2]
        plain = name != "NormalizeIntensityd" or (step.get("nonzero") is True and step.get("channel_wise") is True)
        if name not in _KNOWN or not plain:
            raise ModelError(
                f"{path}: its preprocessing must be made of {', '.join(sorted(_KNOWN))} (nonzero and channel_wise), "
                f"has {json.dumps(step)}; give the file of weights alone if ours is meant"
            )
    return found


def _spacing(metadata: Mapping[str, Any], transforms: list[dict[str, Any]], path: Path) -> float | None:
    edges: list[float] = []
    for step in transforms:
        if str(step.get("_target_", "")).endswith("Spacingd") and isinstance(step.get("pixdim"), list):
            edges = [float(edge) for edge in step["pixdim"]]
    if not edges and (match := _SPACING.search(str(metadata.get("image_classes", "")))):
        edges = [float(edge) for edge in match.groups()]
    if len(set(edges)) > 1:
        raise ModelError(f"{path}: its voxels must be cubes, were {edges} mm")
    return edges[0] if edges else None


def _orientation(transforms: list[dict[str, Any]], path: Path) -> Literal["RAS", "LPS"]:
    for step in transforms:
        if str(step.get("_target_", "")).endswith("Orientationd"):
            if step.get("axcodes") not in ("RAS", "LPS"):
                raise ModelError(f"{path}: its axes must point RAS or LPS, was {step.get('axcodes')}")
            return "RAS" if step["axcodes"] == "RAS" else "LPS"
    return "LPS"


def _windows(inference: Mapping[str, Any]) -> WindowPass | None:
    inferer = inference.get("inferer", {})
    size = inferer.get("roi_size") if isinstance(inferer, dict) else None
    if not isinstance(size, list) or len(size) != 3 or not all(isinstance(side, int) for side in size):
        return None
    overlap = inferer.get("overlap", 0.25)
    return WindowPass(
        size=(size[0], size[1], size[2]),
        overlap=float(overlap) if isinstance(overlap, int | float) else 0.5,
        weights="gaussian" if inferer.get("mode") == "gaussian" else "constant",
    )
