"""What a bundle of ours needs besides MONAI's own parts; its config names these classes by ``_target_``.

That address is written in every bundle that was ever exported, so this module stays where it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import MapTransform
from torch import Tensor, nn

from bratsseg.inference.decoding import Decoding, decode
from bratsseg.inference.passes import Passes, run_pass
from bratsseg.study.dialect import get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.regions import Region


class Folds(nn.Module):
    """Several networks as one: the mean of their logits, as ``Segmenter.run`` takes it over the folds of a model."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, *space) → logits (N, R, *space)."""
        return torch.stack([network(images) for network in self.networks]).mean(0)


class PassInferer(Inferer):  # type: ignore[misc]
    """Take a network over prepared studies (N, C, I, J, K) as the released model says: ``run_pass`` on each."""

    def __init__(self, passes: Passes) -> None:
        self.passes = passes

    def __call__(self, inputs: Tensor, network: nn.Module, *args: Any, **kwargs: Any) -> Tensor:
        """Logits (N, R, I, J, K) float32 in the model frame."""
        studies = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        logits = torch.stack([run_pass(network, study, self.passes)[0] for study in studies])
        return MetaTensor(logits).copy_meta_from(inputs) if isinstance(inputs, MetaTensor) else logits


class DecodeLabelsd(MapTransform):  # type: ignore[misc]
    """Probabilities (R, I, J, K) of ``regions`` in the source grid → label values (1, I, J, K) uint8 of ``dialect``."""

    def __init__(self, keys: KeysCollection, regions: Sequence[Region | str], decoding: Decoding, dialect: str) -> None:
        super().__init__(keys)
        self.regions = tuple(Region(region) for region in regions)
        self.decoding, self.dialect = decoding, get_dialect(dialect)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with each key decoded; volumes in mL come from the key's affine."""
        d = dict(data)
        for key in self.key_iterator(d):
            probabilities: MetaTensor = d[key]
            grid = Grid.of(probabilities.shape[1:], probabilities.affine.cpu().numpy())
            values = probabilities.as_tensor().float().cpu().numpy()
            found = decode(values, self.regions, grid.voxel_ml, self.decoding)
            labels = torch.from_numpy(self.dialect.encode(found).copy(order="C"))[None]
            d[key] = MetaTensor(labels).copy_meta_from(probabilities)
        return d
