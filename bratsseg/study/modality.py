"""The four MRI modalities of brain-tumour imaging, and how file names speak of them."""

from __future__ import annotations

from enum import StrEnum


class Modality(StrEnum):
    """One MRI contrast; the member order is the channel order of every array in bratsseg."""

    FLAIR = "flair"
    T1N = "t1n"
    T1C = "t1c"
    T2W = "t2w"

    @property
    def label(self) -> str:
        """The name that a radiologist reads."""
        return _LABELS[self]


_LABELS = {Modality.FLAIR: "FLAIR", Modality.T1N: "T1", Modality.T1C: "T1ce", Modality.T2W: "T2"}
