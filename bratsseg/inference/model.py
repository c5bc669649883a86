"""Released models: one folder each, with ``model.json``, a card, and weights as safetensors. No pickle is ever read."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file

from bratsseg.config import Config, parse_config
from bratsseg.errors import ConfigError, ModelError
from bratsseg.inference.decoding import Decoding
from bratsseg.inference.passes import Passes
from bratsseg.inference.quality import QualityRules
from bratsseg.inference.shipped import DESCRIPTION, SHIPPED, shipped_names
from bratsseg.network import NetworkConfig, build_network
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.transforms import Preparation

CARD = "CARD.md"
_EXPECTS = re.compile(rb'^ *"expects":.*\n', re.MULTILINE)


class WeightFile(Config):
    """One set of weights; a model of several folds has several, and their logits are averaged."""

    file: str
    """File name beside ``model.json``."""
    sha256: str
    """Hash of the file; a file that differs is refused."""


class ReleasedModel(Config):
    """All that is needed to run a model on a stranger's study, and to say what was run."""

    schema_version: Literal[1] = 1
    """Version of this description."""
    name: str
    """What ``--model`` calls it."""
    version: str
    """Changes with the weights and with every rule below."""
    summary: str
    """One line for the list of models."""
    licence: str
    """SPDX identifier of the weights' licence."""
    modalities: tuple[Modality, ...]
    """The network's input channels, in order; one that a study lacks is a channel of zeros."""
    regions: tuple[Region, ...]
    """The regions it was taught, in order; with ``target`` regions these are its output channels."""
    target: Literal["regions", "classes"] = "regions"
    """What its outputs are: nested regions, a sigmoid each; or one softmax over background, necrosis, edema and
    enhancing tumour."""
    expects: Literal["brain"] | None = None
    """What a study must look like to be segmented without being forced (see ``study.likeness``); None takes anything.
    A ``model.json`` without this key, of an earlier version or of a network trained elsewhere, takes anything, too."""
    needs: dict[Region, tuple[tuple[Modality, ...], ...]]
    """For each region the sets of modalities of which one must be complete; otherwise the region is not assessable."""
    network: NetworkConfig
    """Architecture."""
    preparation: Preparation
    """What the network's input looks like."""
    passes: Passes
    """How the network is taken over the brain."""
    decoding: Decoding
    """How probabilities become regions."""
    quality: QualityRules = QualityRules()
    """How the quality figures are made, and when a case is to be reviewed first."""
    weights: tuple[WeightFile, ...] = ()
    """Files of weights; empty for a rule without any."""
    trained: dict[str, Any] = Field(default_factory=dict)
    """How the weights came about: data, seeds, steps, hours."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (
            self.regions != tuple(region for region in Region if region in self.regions)
            or Region.WT not in self.regions
        ):
            raise ValueError("regions must hold WT and follow the order WT, TC, ET")
        if set(self.needs) != set(self.regions):
            raise ValueError("needs must name exactly the regions")
        if self.target == "classes" and self.regions != tuple(Region):
            raise ValueError("regions must be WT, TC, ET when the target is classes")
        if self.preparation.normalisation == "imagenet" and len(self.modalities) != 3:
            raise ValueError("modalities must be three for the normalisation imagenet")
        return self


class ModelFolder:
    """A released model on disk: its description, its hash, its card, its networks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"model {folder}: must hold a readable {DESCRIPTION}; {error}") from error
        if not isinstance(values, dict):
            raise ModelError(f"model {folder}: {DESCRIPTION} must be an object")
        try:
            self.description = parse_config(ReleasedModel, values, f"model {folder.name}")
        except ConfigError as error:
            raise ModelError(str(error)) from error

    @classmethod
    def find(cls, name_or_folder: str | Path) -> ModelFolder:
        """The shipped model of that name, otherwise the one at a folder; ``ModelError`` lists what there is.

        A name always means the shipped model, whatever folders lie about; ``./default`` means the folder.
        """
        name = str(name_or_folder)
        if name in shipped_names() and not isinstance(name_or_folder, Path):
            return cls(SHIPPED / name)
        folder = Path(name_or_folder)
        if (folder / DESCRIPTION).is_file():
            return cls(folder)
        raise ModelError(
            f"model {name!r}: must be one of {', '.join(shipped_names())}, or a folder that holds {DESCRIPTION}"
        )

    @cached_property
    def sha256(self) -> str:
        """Hash over the description and every file of weights: the identity that results carry.

        What a model expects decides who gets an answer and not the answer, so that key is no part of it.
        """
        digest = hashlib.sha256(_EXPECTS.sub(b"", (self.folder / DESCRIPTION).read_bytes()))
        for weights in self.description.weights:
            digest.update(self._checked(weights))
        return digest.hexdigest()

    @property
    def card(self) -> str:
        """The model card as Markdown, empty when there is none."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def networks(self) -> list[torch.nn.Module]:
        """One network for each file of weights, in eval mode on the CPU; ``ModelError`` when they do not fit."""
        if not self.description.weights:
            return [build_network(self.description.network).eval()]
        return [self._network(weights) for weights in self.description.weights]

    def _network(self, weights: WeightFile) -> torch.nn.Module:
        self._checked(weights)
        network = build_network(self.description.network)
        try:
            state = load_file(self.folder / weights.file)
            network.load_state_dict({name: value.float() for name, value in state.items()})
        except (SafetensorError, RuntimeError) as error:
            raise ModelError(
                f"model {self.description.name}: {weights.file} does not fit its network; {error}"
            ) from error
        return network.eval()

    def _checked(self, weights: WeightFile) -> bytes:
        """The file's bytes, or ``ModelError`` when it is missing, elsewhere, or not the one that was released."""
        path = self.folder / weights.file
        if path.resolve().parent != self.folder.resolve():
            raise ModelError(
                f"model {self.description.name}: weights must lie beside {DESCRIPTION}, was {weights.file}"
            )
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"model {self.description.name}: {weights.file} must be readable; {error}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != weights.sha256:
            raise ModelError(
                f"model {self.description.name}: {weights.file} must have sha256 {weights.sha256[:12]}…, "
                f"was {found[:12]}…; fetch the model again"
            )
        return content


def released_models() -> list[ModelFolder]:
    """The models that came with the software."""
    return [ModelFolder(SHIPPED / name) for name in shipped_names()]
