"""A hospital's folder of studies to a folder of results."""

from __future__ import annotations

from bratsseg.batch.folder import BatchSummary, segment_cases, segment_folder
from bratsseg.batch.options import BatchOptions
from bratsseg.batch.resume import Fingerprint, is_done
from bratsseg.batch.work import Outcome
from bratsseg.results.record import CaseRecord, read_record

__all__ = [
    "BatchOptions",
    "BatchSummary",
    "CaseRecord",
    "Fingerprint",
    "Outcome",
    "is_done",
    "read_record",
    "segment_cases",
    "segment_folder",
]
