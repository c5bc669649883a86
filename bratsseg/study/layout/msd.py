"""Medical Segmentation Decathlon: a 4-D file per case in ``imagesTr``, labels in ``labelsTr``, dataset.json above."""

from __future__ import annotations

import re
from pathlib import Path

from bratsseg.errors import CaseError, ModalityAmbiguous
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.dataset_json import Dataset, read_dataset
from bratsseg.study.layout.draft import Draft
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.nnunet import labels_beside
from bratsseg.study.layout.roles import says_something, stem_of
from bratsseg.study.modality import Modality
from bratsseg.study.reading.content import Content
from bratsseg.study.reading.nifti import read_nifti_header

_IMAGES = re.compile(r"images(?:Tr|Ts|Val)?", re.IGNORECASE)
_MSD_NAME = re.compile(r"BRATS_\d+")


def find(listing: Listing) -> list[Draft]:
    """One case per 4-D file in a folder called ``images…``, and per 4-D file whose name says nothing elsewhere."""
    drafts = []
    for folder, files in listing.folders.items():
        in_images = _IMAGES.fullmatch(folder.name) is not None
        dataset = read_dataset(folder, listing.root)
        labels = {stem_of(file): file for file in listing.folders.get(labels_beside(folder), ())} if in_images else {}
        for file in files:
            stem = stem_of(file)
            if (in_images or not says_something(stem)) and (volumes := volumes_in(file)) > 1:
                drafts.append(_draft(listing, file, volumes, dataset, labels.get(stem)))
    return drafts


def volumes_in(file: Path) -> int:
    """How many volumes a NIfTI header announces; 1 when there is none to read."""
    try:
        shape = read_nifti_header(Content(file), file.name).get_data_shape()
    except (CaseError, ValueError):
        return 1
    return int(shape[3]) if len(shape) == 4 else 1


def _draft(listing: Listing, file: Path, volumes: int, dataset: Dataset | None, reference: Path | None) -> Draft:
    name = stem_of(file)
    order = dataset.channels if dataset else ()
    sources: dict[Modality, VolumeSource] = {}
    problems: tuple[Problem, ...] = ()
    if len(order) == volumes and None not in order and len(set(order)) == volumes:
        sources = {modality: VolumeSource(file, order.index(modality)) for modality in Modality if modality in order}
    else:
        text = (
            f"{file.name} holds {volumes} volumes in 4-D, but no dataset.json beside or above it names each one's "
            "modality; add it, or name the order with --layout"
        )
        problems = (Problem(ModalityAmbiguous, text),)
    proved = dataset.is_msd if dataset else _MSD_NAME.fullmatch(name) is not None
    claimed = frozenset({file, reference} if reference else {file})
    place = listing.below_root(file.parent / name)
    dialect = "msd" if reference and proved else None
    return Draft(name, place, "msd", sources, claimed, reference, dialect=dialect, problems=problems)
