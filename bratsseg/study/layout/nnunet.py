"""nnU-Net: one file per channel, ``<id>_0000.nii.gz``; dataset.json says which channel is which.

Without it the order is not guessed: nnU-Net's BraTS 2021 has T1, T1ce, T2, FLAIR, MSD has FLAIR first, and a wrong
order ruins the result without an error.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from bratsseg.errors import ModalityAmbiguous
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.dataset_json import read_dataset
from bratsseg.study.layout.draft import Draft
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.roles import stem_of
from bratsseg.study.modality import Modality
from bratsseg.wording import counted

_CHANNEL = re.compile(r"(?P<id>.+)_(?P<channel>\d{4})")


def find(listing: Listing) -> list[Draft]:
    """One case per id that has a channel 0000."""
    drafts = []
    for folder, files in listing.folders.items():
        cases: dict[str, dict[int, Path]] = defaultdict(dict)
        for file in files:
            match = _CHANNEL.fullmatch(stem_of(file))
            if match:
                cases[match["id"]].setdefault(int(match["channel"]), file)
        whole = {name: channels for name, channels in cases.items() if 0 in channels}
        if whole:
            dataset = read_dataset(folder, listing.root)
            order = dataset.channels if dataset else ()
            labels = {stem_of(file): file for file in listing.folders.get(labels_beside(folder), ())}
            for name, channels in whole.items():
                place = listing.below_root(folder / name)
                found = _draft(name, place, channels, order, labels.get(name))
                drafts.append(replace(found, dialect=dataset.dialect if dataset and found.reference else None))
    return drafts


def labels_beside(images: Path) -> Path:
    """``imagesTr`` → ``labelsTr``, likewise ``imagesTs``."""
    return images.with_name(images.name.replace("images", "labels", 1))


def _draft(
    name: str, place: str, channels: dict[int, Path], order: tuple[Modality | None, ...], reference: Path | None
) -> Draft:
    named = {channel: order[channel] for channel in sorted(channels) if channel < len(order)}
    sources = {modality: VolumeSource(channels[channel]) for channel, modality in named.items() if modality is not None}
    claimed = frozenset((*channels.values(), *([reference] if reference else [])))
    problems: tuple[Problem, ...] = ()
    if len(sources) < len(channels):
        text = (
            f"{channels[0].name} and {counted(len(channels) - 1, 'sibling')} are nnU-Net channels, but no dataset.json "
            "beside or above them names each one's modality; add it, or name the order with --layout"
        )
        sources, problems = {}, (Problem(ModalityAmbiguous, text),)
    ordered = {modality: sources[modality] for modality in Modality if modality in sources}
    return Draft(name, place, "nnunet", ordered, claimed, reference, problems=problems)
