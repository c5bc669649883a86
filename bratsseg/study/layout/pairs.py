"""Pictures with a mask each: ``x.png`` beside ``x_mask.png``, or ``images/x.png`` with ``masks/x.png``.

Which modality a picture shows is never guessed: its name says it (``anna_flair.png``), or a layout file does::

    flair: "images/{case}.png"                 # grey pictures
    reference: "masks/{case}.png"
    dialect: whole-tumour

    volumes: "{case}.png"                      # or colours that are modalities
    channels: [t1, flair, t1ce]
"""

from __future__ import annotations

from pathlib import Path

from bratsseg.errors import ModalityAmbiguous
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.draft import Draft
from bratsseg.study.layout.listing import Listing
from bratsseg.study.layout.roles import stem_of
from bratsseg.study.modality import Modality, candidates

DIALECT = "whole-tumour"
_MASK = "_mask"
_FOLDERS = {"images": "masks", "image": "mask", "imgs": "masks"}


def find(listing: Listing) -> list[Draft]:
    """One case per picture that has a mask; pictures without one are left alone, there are too many of them."""
    drafts = []
    for folder, files in listing.folders.items():
        masks = _masks_of(folder, files, listing)
        drafts += [_draft(listing, file, masks[stem_of(file)]) for file in files if stem_of(file) in masks]
    return drafts


def _masks_of(folder: Path, files: tuple[Path, ...], listing: Listing) -> dict[str, Path]:
    """Masks by the stem of their picture: from the folder beside one called ``images``, or from the folder itself."""
    beside = _FOLDERS.get(folder.name.lower())
    if beside is not None:
        place = next(
            (other for other in listing.folders if other == folder.with_name(_like(folder.name, beside))), None
        )
        if place is not None:
            return {stem_of(file).removesuffix(_MASK): file for file in listing.folders[place]}
    return {stem_of(file)[: -len(_MASK)]: file for file in files if stem_of(file).endswith(_MASK)}


def _like(name: str, word: str) -> str:
    return word.upper() if name.isupper() else word.title() if name.istitle() else word


def _draft(listing: Listing, picture: Path, mask: Path) -> Draft:
    place = picture.parent / stem_of(picture)
    claims = candidates(place.name)
    sources: dict[Modality, VolumeSource] = {}
    problems: tuple[Problem, ...] = ()
    if len(claims) == 1:
        sources = {next(iter(claims)): VolumeSource(picture)}
    else:
        text = (
            f"{picture.name} is a picture and nothing says which modality it shows; name it with --layout, for grey "
            'pictures such as flair: "{case}.png", for colours volumes: and channels:'
        )
        problems = (Problem(ModalityAmbiguous, text),)
    return Draft(
        name=listing.id_of(place),
        place=listing.below_root(place),
        layout="pairs",
        sources=sources,
        claimed=frozenset({picture, mask}),
        reference=mask,
        dialect=DIALECT,
        problems=problems,
    )
