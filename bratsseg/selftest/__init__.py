"""Does this installation give right answers on this machine, and how fast? Every check is on synthetic patients."""

from bratsseg.selftest.check import Check
from bratsseg.selftest.run import run_checks

__all__ = ["Check", "run_checks"]
