"""How long ``status`` and the table of all cases take over many synthetic records: scripts/proofs/many_records.py."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bratsseg.errors import Code
from bratsseg.results.commit import record_bytes
from bratsseg.results.record import CaseRecord, InputFile, ModelIdentity, stamp
from bratsseg.results.staging import Staging
from bratsseg.results.table import rebuild_table
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.version import __version__

MOST_STATUS, MOST_TABLE = 2.0, 10.0


def make_records(out: Path, count: int) -> None:
    """``count`` records as a batch writes them, one in twenty refused; without label maps."""
    for number in range(count):
        name = f"BraTS-GLI-{number:05d}-000"
        folder = out / name
        folder.mkdir(parents=True)
        (folder / f"{name}.json").write_bytes(record_bytes(_record(name, refused=number % 20 == 0)))


def _record(name: str, refused: bool) -> CaseRecord:
    inputs = {
        str(m): InputFile(file=f"{name}/{name}-{m}.nii.gz", sha256="0" * 64, size=1_000_000, mtime_ns=10**18)
        for m in Modality
    }
    return CaseRecord(
        bratsseg=stamp(__version__),
        case=name,
        status="refused" if refused else "done",
        code=Code.UNREADABLE if refused else "",
        reason="the file ends before its header says" if refused else "",
        stage="read" if refused else None,
        model=ModelIdentity(name="default", version="4", sha256="1" * 64),
        dialect="brats2023",
        versions={"python": "3.11.7", "torch": "2.9.0", "monai": "1.5.1", "numpy": "2.3.4", "nibabel": "5.3.2"},
        inputs=inputs,
        outputs={} if refused else {f"{name}_seg.nii.gz": "2" * 64},
        volumes_ml={} if refused else {str(region): 12.3456 for region in Region},
        seconds=dict.fromkeys(("read", "check", "prepare", "run", "finish", "write"), 0.1234),
        facts={"brain": {"rule": "constant border", "share": 0.31}, "passes": {"kind": "whole", "folds": 1}},
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        make_records(out, count)
        with Staging(out) as staging:
            start = time.perf_counter()
            rebuild_table(staging)
            table = time.perf_counter() - start
        start = time.perf_counter()
        told = subprocess.run([sys.executable, "-m", "bratsseg", "status", out], check=True, capture_output=True)
        status = time.perf_counter() - start
    print(f"{count:,} records: status {status:.2f} s, cases.csv {table:.2f} s")
    print(told.stdout.decode())
    return 0 if status < MOST_STATUS and table < MOST_TABLE else 1


if __name__ == "__main__":
    sys.exit(main())
