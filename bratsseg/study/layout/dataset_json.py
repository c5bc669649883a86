"""``dataset.json`` of MSD and nnU-Net: which channel holds which modality, and what the labels mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bratsseg.study.modality import Modality, modality_of

# nnU-Net's documentation, region_based_training.md; what `bratsseg convert --to nnunet` writes.
_REGIONS = {"background": 0, "whole_tumor": [1, 2, 3], "tumor_core": [2, 3], "enhancing_tumor": [3]}


@dataclass(frozen=True)
class Dataset:
    """``channels`` in file order, None where a channel's name is no modality; ``is_msd`` when the labels are MSD's.

    ``dialect`` is the one that the names of the labels prove, or None.
    """

    channels: tuple[Modality | None, ...]
    is_msd: bool
    dialect: str | None = None


def read_dataset(images: Path, root: Path) -> Dataset | None:
    """The dataset.json beside or above a folder of images, not above ``root``'s parent; None when there is none."""
    for folder in (images, images.parent):
        if folder == root.parent and images != root:
            break
        try:
            facts = json.loads((folder / "dataset.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(facts, dict):
            labels = facts.get("labels")
            regions = isinstance(labels, dict) and {**labels, "background": 0} == _REGIONS
            return Dataset(_channels(facts), _is_msd(labels), "nnunet-brats21" if regions else None)
    return None


def _channels(facts: dict[str, object]) -> tuple[Modality | None, ...]:
    named = facts.get("channel_names", facts.get("modality"))
    if not isinstance(named, dict):
        return ()
    try:
        order = sorted(named, key=int)
    except ValueError:
        return ()
    return tuple(modality_of(str(named[index])) for index in order)


def _is_msd(labels: object) -> bool:
    """True for MSD Task01's own label names: 1 edema, 2 non-enhancing tumor, 3 enhancing tumour."""
    if not isinstance(labels, dict):
        return False
    text = [str(labels.get(str(value), "")).lower() for value in (1, 2, 3)]
    return text[0].startswith("edema") and text[1].startswith("non-enhancing") and text[2].startswith("enhancing")
