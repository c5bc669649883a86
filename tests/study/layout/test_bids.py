"""Data sets in BIDS."""

from __future__ import annotations

from pathlib import Path

from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from tests.study.scans import put


def test_bids(tmp_path: Path) -> None:
    for session in ("ses-1", "ses-2"):
        start = f"sub-01/{session}/anat/sub-01_{session}"
        put(tmp_path, *(f"{start}_{end}.nii.gz" for end in ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR", "acq-x_swi")))
    put(tmp_path, "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz")
    put(tmp_path, "derivatives/prep/sub-01/ses-1/anat/sub-01_ses-1_space-MNI_T1w.nii.gz")
    first, second = find_cases(tmp_path)
    assert (first.id, second.id) == ("sub-01_ses-1", "sub-01_ses-2")
    assert "ce-gadolinium" in first.sources[Modality.T1C].path.name
    assert first.sources[Modality.T1N].path.name == "sub-01_ses-1_T1w.nii.gz"
    assert first.reference is not None
    assert second.reference is None
    assert not first.problems
