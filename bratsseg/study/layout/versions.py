"""Several versions of one scan: the plainest name is the scan, where every word of the longer one is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bratsseg.study.contrast import ABOUT_CONTRAST
from bratsseg.study.glued import senses_of
from bratsseg.study.layout.filename import FileName
from bratsseg.study.layout.roles import BRAIN_WORDS, FileRole, stem_of
from bratsseg.study.modality import read_name, words
from bratsseg.study.words import Sense

_TELLING = (ABOUT_CONTRAST - {Sense.AND, Sense.FILLER}) | {Sense.EVENT}
_SEPARATOR = re.compile(r"[\W_]+")
_EXTRACTED = BRAIN_WORDS | {"stripped", "ss", "noskull", "noneck"}


def without_variants(files: Sequence[FileName]) -> list[FileName]:
    """Mark ``T1_bias`` beside ``T1`` as another version, so that the plainest name is the scan.

    ``T1_foo`` beside ``T1`` stays what it is: nobody can say whether an unknown word tells a version or a contrast.
    """
    stems = {stem_of(file.path): file for file in files if file.is_scan}
    marked = []
    for file in files:
        stem = stem_of(file.path)
        bases = [stem[: gap.start()] for gap in _SEPARATOR.finditer(stem)]
        same = [base for base in bases if base in stems and stems[base].claims == file.claims]
        variant = file.is_scan and any(is_variant(stem, base) for base in same)
        marked.append(replace(file, role=FileRole.VARIANT) if variant else file)
    return marked


def is_variant(stem: str, base: str) -> bool:
    """True when ``stem`` is ``base`` and known words that tell a version: ``T1_bias`` of ``T1``.

    Numbers may tell patients apart, and a brain that was extracted is no mere version.
    """
    extra = stem[len(base) :]
    senses = set().union(*map(senses_of, words(extra)))
    if senses & (_TELLING if read_name(f"T1{extra}").contrast else {Sense.EVENT}):
        return False  # T1_post_KM beside T1_post says more, and T1_stroke may be of another visit
    plain = re.fullmatch(r"[\W_][^\d]+", extra) is not None
    return stem.startswith(base) and plain and not read_name(extra).unknown and not set(words(extra)) & _EXTRACTED
