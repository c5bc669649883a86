"""A 3-D network of known weights, so that passes over boxes and windows have an answer worth comparing.

No shipped model of volumes is 3-D and learnt, and an untrained network says nothing: its probabilities lie about .5,
where rounding decides. This one smooths FLAIR and contrast-enhanced T1 and asks how bright they are; everything else
in it is random and small, so that every kernel of a 3-D U-Net computes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from bratsseg.inference.decoding import Decoding
from bratsseg.inference.model import ModelFolder, ReleasedModel, WeightFile
from bratsseg.inference.passes import Passes
from bratsseg.inference.shipped import DESCRIPTION
from bratsseg.network import UNet, UNetConfig
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.transforms import Preparation

NETWORK = UNetConfig(dims=3, in_channels=len(Modality), out_channels=len(Region), widths=(8, 16, 32), residual=True)
ASKED = {Region.WT: (Modality.FLAIR, 1.5), Region.TC: (Modality.T1C, 0.6), Region.ET: (Modality.T1C, 1.4)}
"""What each region looks at, and above how many standard deviations it lies."""
STEEPNESS = 4.0
RANDOM = 0.02


def known_model(folder: Path, passes: Passes, spacing_mm: float) -> ModelFolder:
    """Write the network into the new folder ``folder`` as a released model that is taken over ``passes``."""
    content = save({name: value.contiguous() for name, value in known_network().state_dict().items()})
    file = WeightFile(file="weights.safetensors", sha256=hashlib.sha256(content).hexdigest())
    described = ReleasedModel(
        name="known",
        version="1",
        summary="smooths FLAIR and T1ce and asks how bright they are",
        licence="Apache-2.0",
        modalities=tuple(Modality),
        regions=tuple(Region),
        needs=dict.fromkeys(Region, (tuple(Modality),)),
        network=NETWORK,
        preparation=Preparation(spacing_mm=spacing_mm, multiple=NETWORK.multiple),
        passes=passes,
        decoding=Decoding(components="all", confidence=0, et_confidence=0, smallest_wt_ml=0, smallest_et_ml=0),
        weights=(file,),
    )
    folder.mkdir(parents=True)
    (folder / file.file).write_bytes(content)
    (folder / DESCRIPTION).write_text(json.dumps(described.model_dump(mode="json")), encoding="utf-8")
    return ModelFolder(folder)


def known_network() -> UNet:
    """The network itself, in eval mode on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = UNet(NETWORK).eval()
    with torch.no_grad():
        weights = dict(network.named_parameters())
        seen = {0: list(Modality).index(Modality.FLAIR), 1: list(Modality).index(Modality.T1C)}
        _carry(weights["down.0.first.weight"], seen, smooth=True)
        _carry(weights["down.0.second.weight"], {0: 0, 1: 1})
        last, skip = f"up.{len(network.up) - 1}", NETWORK.widths[1]  # the skip comes after the coarser level's channels
        _carry(weights[f"{last}.first.weight"], {0: skip, 1: skip + 1})
        _carry(weights[f"{last}.second.weight"], {0: 0, 1: 1})
        for block in ("down.0", last):
            _carry(weights[f"{block}.shortcut.weight"], {0: None, 1: None})
        head, bias = weights["heads.0.weight"].mul_(RANDOM), weights["heads.0.bias"]
        for row, (modality, above) in enumerate(ASKED.values()):
            head[row, int(modality != Modality.FLAIR)] = STEEPNESS
            bias[row] = -STEEPNESS * above
    return network


def _carry(weight: Tensor, channels: Mapping[int, int | None], *, smooth: bool = False) -> None:
    """Let output channel o be input channel ``channels[o]``, or its mean over the kernel; None makes it 0."""
    for to, of in channels.items():
        weight[to] = 0
        if of is not None and smooth:
            weight[to, of] = 1 / weight[to, of].numel()
        elif of is not None:
            weight[to, of, 1, 1, 1] = 1
