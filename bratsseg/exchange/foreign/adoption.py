"""Adopt a network that was trained elsewhere: its weights become a released model of ours.

MONAI's SegResNet and SwinUNETR are known by the names of their weights. What weights cannot say is asked for or taken
from a bundle's ``configs`` (see ``weights``): the order of the input channels and of the outputs, spacing, windows.
The outputs are put into our order once, here, in the last convolution, so that nothing later has to know.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save
from torch import Tensor

from bratsseg.errors import ConfigError, ModelError
from bratsseg.exchange.foreign.weights import Weights
from bratsseg.files import write_bytes, write_text
from bratsseg.inference.decoding import Decoding
from bratsseg.inference.model import CARD, ReleasedModel, WeightFile
from bratsseg.inference.passes import WindowPass
from bratsseg.inference.shipped import DESCRIPTION, shipped_names
from bratsseg.network import AnyNetworkConfig, SegResNetConfig, SwinUNETRConfig, build_network
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.transforms import Preparation

T = TypeVar("T", bound=str)

WEIGHTS = "weights.safetensors"
MONAI_OUTPUTS = (Region.TC, Region.WT, Region.ET)
"""The order of MONAI's ``ConvertToMultiChannelBasedOnBratsClasses``, which its bundle and tutorials train with."""
USUAL_SPACING_MM = 1.0
"""Edge of the voxels of BraTS, on which these networks are trained where nothing else is said."""
_LAST = {"segresnet": "conv_final.2.conv", "swin_unetr": "out.conv.conv"}
_WINDOWS = {"segresnet": (240, 240, 160), "swin_unetr": (128, 128, 128)}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class ForeignModel:
    """What the user says of a network trained elsewhere.

    None is taken from the bundle, otherwise from what MONAI's networks usually have.
    """

    name: str
    channels: tuple[Modality, ...] | None = None
    outputs: tuple[Region, ...] | None = None
    network: str | None = None
    spacing_mm: float | None = None
    licence: str | None = None


@dataclass(frozen=True)
class Adoption:
    """The released model that a foreign one became, and what was assumed of it, in words."""

    model: ReleasedModel
    assumed: tuple[str, ...]


def adopt(weights: Weights, foreign: ForeignModel, out: Path) -> Adoption:
    """Write the model ``foreign.name`` into the new or empty folder ``out``; ``model.json`` last.

    Raises ``ModelError`` when the weights are of no known network, do not fit it, or the order of channels is unknown.
    """
    if not _NAME.fullmatch(foreign.name) or foreign.name in shipped_names():
        raise ModelError(
            f"--as {foreign.name}: must be a word of letters, digits, dots and dashes that no shipped model has"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"--out {out}: must be a new or an empty folder, so that no other model is overwritten")
    config = _recognised(weights, foreign.network)
    outputs = _outputs(weights, foreign, config)
    state = _in_our_order(_checked(weights, config), config.name, outputs)
    content = save(state, metadata={"model": foreign.name})
    made = Adoption(_described(weights, foreign, config, outputs, content), _assumed(weights, foreign))
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / WEIGHTS, content)
    write_text(out / CARD, _card(weights, made, outputs))
    write_bytes(out / DESCRIPTION, (made.model.model_dump_json(indent=1) + "\n").encode())
    return made


def _recognised(weights: Weights, network: str | None) -> SegResNetConfig | SwinUNETRConfig:
    """The config that the names and shapes of the weights fit."""
    found = "segresnet" if "convInit.conv.weight" in weights.state else None
    found = "swin_unetr" if "swinViT.patch_embed.proj.weight" in weights.state else found
    if found is None or network not in (None, found):
        shown = ", ".join(sorted(weights.state)[:3])
        raise ModelError(
            f"{weights.source}: must hold the weights of {network or ' or '.join(_LAST)}, "
            f"{'looks like ' + found if found else 'its names are ' + shown + ', …'}"
        )
    try:
        return _segresnet(weights.state) if found == "segresnet" else _swin_unetr(weights.state)
    except (KeyError, ValueError) as error:
        raise ModelError(f"{weights.source}: does not fit {found}; {error}") from error


def _segresnet(state: Mapping[str, Tensor]) -> SegResNetConfig:
    first, last = state["convInit.conv.weight"], state["conv_final.2.conv.weight"]
    return SegResNetConfig.model_validate(
        {
            "dims": first.ndim - 2,
            "in_channels": first.shape[1],
            "out_channels": last.shape[0],
            "init_filters": first.shape[0],
            "blocks_down": _counts(state, r"down_layers\.(\d+)\.(\d+)\.conv1\."),
            "blocks_up": _counts(state, r"up_layers\.(\d+)\.(\d+)\.conv1\."),
            "norm": "batch" if "conv_final.0.running_mean" in state else "group",
        }
    )


def _swin_unetr(state: Mapping[str, Tensor]) -> SwinUNETRConfig:
    first, last = state["encoder1.layer.conv1.conv.weight"], state["out.conv.conv.weight"]
    return SwinUNETRConfig.model_validate(
        {
            "dims": first.ndim - 2,
            "in_channels": first.shape[1],
            "out_channels": last.shape[0],
            "feature_size": first.shape[0],
            "depths": _counts(state, r"swinViT\.layers(\d+)\.0\.blocks\.(\d+)\.norm1\."),
        }
    )


def _counts(state: Mapping[str, Tensor], pattern: str) -> tuple[int, ...]:
    """How many different second numbers there are for each first one, in order."""
    found: dict[int, set[int]] = {}
    for key in state:
        if match := re.match(pattern, key):
            found.setdefault(int(match[1]), set()).add(int(match[2]))
    return tuple(len(found[level]) for level in sorted(found))


def _checked(weights: Weights, config: AnyNetworkConfig) -> dict[str, Tensor]:
    """The state as float32, proved to fit and to be numbers."""
    network = build_network(config)
    try:
        network.load_state_dict(dict(weights.state))
    except RuntimeError as error:
        raise ModelError(f"{weights.source}: does not fit {config.name}; {str(error)[:400]}") from error
    state = {key: value.detach().clone().contiguous() for key, value in network.state_dict().items()}
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ModelError(f"{weights.source}: every weight must be a number, {key} holds NaN or infinity")
    return state


def _outputs(weights: Weights, foreign: ForeignModel, config: SegResNetConfig | SwinUNETRConfig) -> tuple[Region, ...]:
    outputs = _agreed("--outputs", foreign.outputs, weights.outputs, weights.source)
    if outputs is None and config.out_channels == len(MONAI_OUTPUTS):
        outputs = MONAI_OUTPUTS
    if outputs is None or len(outputs) != config.out_channels or Region.WT not in outputs:
        was = "nothing said" if outputs is None else ", ".join(outputs)
        raise ModelError(
            f"{weights.source}: the regions of its {config.out_channels} outputs must be known in order, with WT, "
            f"was {was}; name them with --outputs, such as tc,wt,et"
        )
    return outputs


def _in_our_order(state: dict[str, Tensor], name: str, outputs: Sequence[Region]) -> dict[str, Tensor]:
    order = [outputs.index(region) for region in Region if region in outputs]
    for part in ("weight", "bias"):
        key = f"{_LAST[name]}.{part}"
        state[key] = state[key][order].contiguous()
    return state


def _described(
    weights: Weights,
    foreign: ForeignModel,
    config: SegResNetConfig | SwinUNETRConfig,
    outputs: Sequence[Region],
    content: bytes,
) -> ReleasedModel:
    channels = _channels(weights, foreign, config.in_channels)
    regions = tuple(region for region in Region if region in outputs)
    windows = weights.windows or WindowPass(size=_WINDOWS[config.name], weights="constant")
    if any(side % config.multiple for side in windows.size):
        raise ModelError(f"{weights.source}: window sides must be multiples of {config.multiple}, were {windows.size}")
    return ReleasedModel(
        name=foreign.name,
        version=weights.version,
        summary=weights.summary or f"{config.name} added from {Path(weights.source).name}",
        licence=foreign.licence or "NOASSERTION",
        modalities=channels,
        regions=regions,
        needs=dict.fromkeys(regions, (channels,)),
        network=config,
        preparation=Preparation(
            orientation=weights.orientation,
            spacing_mm=foreign.spacing_mm or weights.spacing_mm or USUAL_SPACING_MM,
            crop="none",
            normalisation="zscore-nonzero",
        ),
        passes=windows,
        decoding=Decoding(
            nesting="outer",
            components="all",
            smallest_wt_ml=0.0,
            smallest_et_ml=0.0,
            et_confidence=0.0,
            fill_holes=False,
        ),
        weights=(WeightFile(file=WEIGHTS, sha256=hashlib.sha256(content).hexdigest()),),
        trained={"added_from": Path(weights.source).name, "source_sha256": weights.sha256, **weights.facts},
    )


def _assumed(weights: Weights, foreign: ForeignModel) -> tuple[str, ...]:
    """What neither the user nor the bundle said of a model that was taken nevertheless."""
    notes = []
    if foreign.outputs is None and weights.outputs is None:
        notes.append("its outputs are taken to be TC, WT, ET, as MONAI trains them; --outputs says otherwise")
    if foreign.spacing_mm is None and weights.spacing_mm is None:
        notes.append("it is taken to be trained at 1 mm, as BraTS is; --spacing says otherwise")
    return tuple(notes)


def _channels(weights: Weights, foreign: ForeignModel, count: int) -> tuple[Modality, ...]:
    channels = _agreed("--channels", foreign.channels, weights.channels, weights.source)
    if channels is None or len(channels) != count:
        was = "nothing said" if channels is None else ", ".join(modality.label for modality in channels)
        raise ModelError(
            f"{weights.source}: the modalities of its {count} input channels must be known in their order, was {was}; "
            "name them with --channels, such as t1ce,t1,t2,flair: a wrong order ruins the result without an error"
        )
    return channels


def _agreed(flag: str, told: tuple[T, ...] | None, found: tuple[T, ...] | None, source: str) -> tuple[T, ...] | None:
    if told is not None and found is not None and told != found:
        raise ConfigError(f"{flag} {','.join(told)}: {source} says {','.join(found)}; leave the flag out")
    return told or found


def _card(weights: Weights, made: Adoption, outputs: Sequence[Region]) -> str:
    model = made.model
    channels = ", ".join(modality.label for modality in model.modalities)
    lines = [
        f"# {model.name} {model.version}",
        "",
        model.summary,
        "",
        f"Trained elsewhere and added from `{Path(weights.source).name}` (sha256 {weights.sha256}).",
        f"Channels {channels}; its outputs were {', '.join(outputs)} and are {', '.join(model.regions)} here.",
        "Every modality is needed: it was not trained to do without one. Not measured by us.",
        *(f"Assumed: {note}." for note in made.assumed),
        "",
        "Research use only; not a medical device.",
    ]
    return "\n".join(lines) + "\n"
