"""The LGG set of TCGA as Kaggle has it (kaggle_3m): a folder of TIFF slices for each case, unpacked or still a zip.

``TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_<n>.tif`` with ``…_<n>_mask.tif``, n = 1..N not padded with zeros. The
names prove what the three colours are: T1 before contrast, FLAIR, T1 after it. A sequence that a patient lacks was
filled with FLAIR by the set's makers (Buda et al., doi:10.1016/j.compbiomed.2019.05.002).
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from bratsseg.errors import CaseError, LabelError
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.draft import Draft
from bratsseg.study.layout.listing import Listing
from bratsseg.study.modality import Modality

DIALECT = "whole-tumour"
_NAME = re.compile(r"(?P<case>TCGA_(?:CS|DU|EZ|FG|HT)_[A-Z0-9]{4}_\d{8})_(?P<n>\d+)(?P<mask>_mask)?(?P<end>\.tiff?)")
_CHANNELS = {Modality.FLAIR: 1, Modality.T1N: 0, Modality.T1C: 2}


def find(listing: Listing) -> list[Draft]:
    """One case per patient and date; a copy of the set inside the set, as the zip may hold, is taken once."""
    found: dict[str, dict[Path, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for folder, files in listing.folders.items():
        for file in files:
            if match := _NAME.fullmatch(file.name):
                found[match["case"]][folder].append(file)
    return [_draft(listing, case, places) for case, places in found.items()]


def _draft(listing: Listing, case: str, places: dict[Path, list[Path]]) -> Draft:
    folder, *copies = sorted(places, key=lambda place: (len(place.parts), place))
    claimed = frozenset(file for files in places.values() for file in files)
    images, masks, ends = _numbers(places[folder])
    problems = []
    if any({file.name for file in places[copy]} != {file.name for file in places[folder]} for copy in copies):
        text = f"{listing.below_root(copies[0])} holds other slices of it than {listing.below_root(folder)}; keep one"
        problems.append(Problem(CaseError, text))
    if len(ends) > 1 or images != set(range(1, len(images) + 1)):
        missing = sorted(set(range(1, max(images, default=0) + 1)) - images)
        problems.append(Problem(CaseError, f"slices must be numbered 1 to N in one format, missing: {missing}"))
    if masks and masks != images:
        text = f"every slice must have its mask, these have one of both only: {sorted(masks ^ images)}"
        problems.append(Problem(LabelError, text))
    end = min(ends)
    sources = {modality: VolumeSource(folder / f"{case}_*{end}", channel) for modality, channel in _CHANNELS.items()}
    return Draft(
        name=case,
        place=listing.below_root(folder / case),
        layout="lgg",
        sources=sources,
        claimed=claimed,
        reference=folder / f"{case}_*_mask{end}" if masks else None,
        dialect=DIALECT if masks else None,
        problems=tuple(problems),
    )


def _numbers(files: list[Path]) -> tuple[set[int], set[int], set[str]]:
    """The numbers of images and of masks, and the endings of their names."""
    matches = [match for file in files if (match := _NAME.fullmatch(file.name))]
    images = {int(match["n"]) for match in matches if not match["mask"]}
    return images, {int(match["n"]) for match in matches if match["mask"]}, {match["end"] for match in matches}
