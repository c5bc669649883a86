"""Which patient a case is of, as far as its id says: several scans of one are not independent."""

from __future__ import annotations

import re
from collections.abc import Mapping

# A case id without what names the visit: BraTS 2023's last number, BIDS's session, TCGA's date.
_PATIENT = (
    re.compile(r"(BraTS-[A-Za-z]+-\d+)-\d+$"),
    re.compile(r"(sub-[A-Za-z0-9]+)(?:[_/]ses-.*)?$"),
    re.compile(r"(TCGA[_-][A-Z0-9]{2}[_-][A-Z0-9]{4})(?:[_-]\d{8})?$"),
)


def patient_of(case_id: str, named: Mapping[str, str] | None = None) -> str:
    """The patient behind a case id: as ``named``, else the id without its visit where a known scheme names one.

    BraTS-GLI-00005-100 → BraTS-GLI-00005; sub-7_ses-2 → sub-7; TCGA_CS_4942_19970222 → TCGA_CS_4942.
    """
    if named and case_id in named:
        return named[case_id]
    for pattern in _PATIENT:
        found = pattern.match(case_id)
        if found:
            return found[1]
    return case_id
