"""Who works on what, where processes or machines share one folder and nothing else: the one lock of the house."""

from __future__ import annotations

from bratsseg.claims.claims import BEAT_SECONDS, FOLDER, LEASE_SECONDS, ClaimLost, Claims
from bratsseg.claims.files import ClaimFile, ClaimFiles
from bratsseg.claims.owner import ClaimOwner

__all__ = ["BEAT_SECONDS", "FOLDER", "LEASE_SECONDS", "ClaimFile", "ClaimFiles", "ClaimLost", "ClaimOwner", "Claims"]
