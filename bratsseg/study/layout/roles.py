"""What a file is for when it is not a scan: a reference, a brain mask, or something a program derived."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path

from bratsseg.study.contrast import ABOUT_CONTRAST
from bratsseg.study.glued import senses_of
from bratsseg.study.modality import candidates, read_name, words

NIFTI_SUFFIXES = (".nii.gz", ".nii")
SUFFIXES = (*NIFTI_SUFFIXES, ".hdr.gz", ".hdr", ".mha", ".mhd", ".nrrd")
TIFF_SUFFIXES = (".tif", ".tiff")
DICOM_SUFFIXES = (".dcm", ".ima")
UNREAD_SUFFIXES = (*DICOM_SUFFIXES, ".mgz", ".mgh", ".nhdr", ".mnc", ".nii.bz2", ".nii.xz", ".nii.zst", ".gipl")
"""Volumes of other formats, which nothing here reads: named as left out, so that nobody takes them for done."""
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", *TIFF_SUFFIXES)


class FileRole(StrEnum):
    """What a file that is no scan holds.

    ``UNDECIDED`` is a "mask" of which nobody says whether brain or tumour, ``VARIANT`` another version of a scan.
    """

    REFERENCE = "reference"
    MASK = "brain mask"
    UNDECIDED = "mask"
    DERIVED = "derived"
    VARIANT = "another version"


_DERIVED = {"prob", "probs", "probability", "probabilities", "probseg", "softmax", "logits", "uncertainty", "entropy"}
_DERIVED |= {"pred", "preds", "prediction", "predictions", "predicted", "thumbnail", "preview"}
_SEGMENTATION = {"seg", "segm", "segs", "segmentation", "label", "labels", "labelmap", "dseg"}
_REFERENCE = _SEGMENTATION | {"gt", "truth", "groundtruth", "annotation", "annotations", "ot", "otmulticlass"}
_REFERENCE |= {"lesion", "lesions", "glistr", "roi", "gtv"}
_TUMOUR = {"tumor", "tumour", "glioma", "lesion", "lesions", "wt", "tc", "et"}
_TUMOUR |= {"gt", "roi", "gtv", "manual", "consensus"}
BRAIN_WORDS = {"brain", "bet", "hdbet", "skull", "head", "intracranial", "synthstrip"}
_TISSUE = {"brain", "parenchyma", "tissue", "aseg", "wm", "gm", "csf"}
_BRAIN_MASKS = {"brainmask", "brainmasks", "betmask", "headmask"}
# Words that belong to the modality beside them.
_BESIDE = (
    r"(?:ce|pre|post|with|without|no|non|w|wo|native|ax|axial|sag|cor|tra|3d|2d|mri?|mrhr|space|reg|brain"
    r"|tumou?r|lesion)"
)
_TRAILING = re.compile(rf"(?:[\W_]+|^){_BESIDE}$", re.IGNORECASE)
_LEADING = re.compile(rf"^{_BESIDE}(?:[\W_]+|$)", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_LAST = re.compile(r"(?:[\W_]+|^)[^\W_]+[\W_]*$")
_FIRST = re.compile(r"^[\W_]*[^\W_]+(?:[\W_]+|$)")
_SEPARATOR = re.compile(r"[\W_]+")


def role_of(stem: str) -> FileRole | None:
    """The role that a file stem (or a folder name) states, or None for a scan or an unknown file."""
    found = set(words(stem))
    if found & _DERIVED:
        return FileRole.DERIVED
    mask = bool(found & {"mask", "masks"})
    if found & _BRAIN_MASKS or (mask and found & BRAIN_WORDS and not found & _TUMOUR):
        return FileRole.MASK
    if found & _SEGMENTATION and found & _TISSUE and not found & _TUMOUR:
        return FileRole.DERIVED
    if found & _REFERENCE or (mask and found & _TUMOUR):
        return FileRole.REFERENCE
    if not mask:
        return None
    return FileRole.UNDECIDED if len(found) == 1 or candidates(stem) else FileRole.REFERENCE


def stem_of(path: Path) -> str:
    """The file name without its image suffix."""
    name = path.name
    lower = name.lower()
    known = (*SUFFIXES, *UNREAD_SUFFIXES, *PICTURE_SUFFIXES)
    return next((name[: -len(suffix)] for suffix in known if lower.endswith(suffix)), name)


def key_of(stem: str, silent: Collection[str] = ()) -> str:
    """What a file stem says besides modality and role: the part before the first word that names either, or after.

    ``BraTS20_Training_001_t1ce`` → ``BraTS20_Training_001``; ``T1_case7`` → ``case7``; ``flair`` → empty. Words about
    contrast are no part of it, but ``silent`` ones: they are a patient's.
    """
    contrast = _contrast_words(stem, silent)
    parts = [match.span() for match in _WORD.finditer(stem)]
    before = ""
    for _, end in parts:
        if says_something(stem[:end]):
            break
        before = stem[:end]
    while before and (_TRAILING.search(before) or _only_of(_WORD.findall(before)[-1:], contrast)):
        before = _LAST.sub("", before)
    if before:
        return _with_brackets(stem, 0, len(before))
    after = ""
    for start, _ in reversed(parts):
        if says_something(stem[start:]):
            break
        after = stem[start:]
    while after and (_LEADING.search(after) or _only_of(_WORD.findall(after)[:1], contrast)):
        after = _FIRST.sub("", after)
    return _with_brackets(stem, len(stem) - len(after), len(stem)) if after else after


def _with_brackets(stem: str, start: int, end: int) -> str:
    """A part of a stem with the brackets around its ends: the key of ``Miller (2)_t1`` is not ``Miller (2``."""
    while stem[end : end + 1] in (")", "]", "}"):
        end += 1
    while start and stem[start - 1] in "([{":
        start -= 1
    return stem[start:end]


def _only_of(runs: Sequence[str], contrast: set[str]) -> bool:
    """True when a run of letters is wholly words about contrast; ``PatKM`` and ``KM12`` are patients."""
    found = [word for run in runs for word in words(run)]
    return bool(found) and contrast.issuperset(found) and not any(sign.isdigit() for run in runs for sign in run)


def _contrast_words(stem: str, silent: Collection[str]) -> set[str]:
    """The words by which a name speaks of contrast; none when it does not."""
    if not read_name(stem, silent).contrast:
        return set()
    return {word for word in words(stem) if word not in silent and senses_of(word) <= ABOUT_CONTRAST}


def says_something(stem: str) -> bool:
    """True when a name states a modality or a role."""
    return role_of(stem) is not None or bool(candidates(stem))


def shared_start(stems: Sequence[str]) -> int:
    """How many characters of whole words all stems start with: a patient called ``T2-007`` is no T2 scan."""
    if len(stems) < 2:
        return 0
    first, last = min(stems), max(stems)  # what these share, all share
    same = next((n for n, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return max((match.end() for match in _SEPARATOR.finditer(first[:same])), default=0)
