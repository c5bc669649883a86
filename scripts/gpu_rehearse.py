"""Rehearse scripts/gpu on this machine's CPU: pack, then drive in an environment with only what a GPU machine has.

usage: scripts/gpu rehearse [--until 900] [--keep DIR]

The environment is fresh: of this one's packages it sees those in THERE and no others; what else bratsseg needs comes
out of the pack's wheels. Everything is in miniature. Afterwards the weights that were brought home must segment.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from importlib.metadata import distribution
from pathlib import Path

from bratsseg import Segmenter
from bratsseg.exchange.brats import write_patient
from bratsseg.synthesis.generator import synthesize_patient

ROOT = Path(__file__).resolve().parents[1]
THERE = (
    "torch", "lightning", "pytorch-lightning", "lightning-utilities", "torchmetrics", "numpy", "scipy", "PyYAML",
    "safetensors", "tqdm", "typer", "click", "rich", "shellingham", "annotated-doc", "Pygments", "markdown-it-py",
    "mdurl", "Jinja2", "MarkupSafe", "pillow", "packaging", "fsspec", "filelock", "sympy", "mpmath", "networkx",
    "typing_extensions", "setuptools",
)  # fmt: skip
"""Packages of a usual GPU machine for deep learning. Of torch's own, those that its CPU build needs."""
SPACING_MM = 1.5
"""Written as if it were 1 mm: a brain of about 125 mm, the smallest that a model of brains takes being 80 mm."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--until", type=float, default=900, help="seconds after which the drive is cut; it takes two or three minutes"
    )
    parser.add_argument("--keep", type=Path, default=None, help="folder for what is made; otherwise it is removed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as room:
        work = (options.keep or Path(room)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        sys.exit(rehearse(work, options.until))


def rehearse(work: Path, until: float) -> int:
    """0 when every piece ended well and the weights segment."""
    write_patient(synthesize_patient(7, 0, SPACING_MM), work / "scans", "BraTS-SYN-00000-000", "rehearsal")
    pack, tree, out = work / "gpu-pack", work / "tree", work / "gpu-drive"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    words = ["--limit-mib", "64", "--python", python, "--cases", str(work / "scans"), "--out", str(pack)]
    subprocess.run([sys.executable, str(ROOT / "scripts" / "gpu_pack.py"), *words], check=True)
    with tarfile.open(pack / "tree.tar.gz") as tar:
        tar.extractall(tree, filter="data")
    bare = {"OMP_NUM_THREADS": "1"}  # threads of a busy machine wait for each other
    bare |= {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    command = [str(tree / "scripts" / "gpu"), "drive", "--small", "--device", "cpu", "--until", str(until)]
    drive = subprocess.run(
        [*command, "--pack", str(pack), "--out", str(out)],
        env=bare | {"PYTHON": str(environment(work / "environment"))},
        check=False,
    )
    told = json.loads((out / "drive.json").read_text(encoding="utf-8"))
    for piece in told["pieces"]:
        if piece["ended"] != "well":
            print("\n".join([f"{piece['name']}: {piece['ended']}", *piece["last_lines"]]), file=sys.stderr)
    home = Segmenter.load(out / "model", "cpu").segment(synthesize_patient(7, 1, SPACING_MM).scanned().study())
    print(f"{out / 'model'}: segments, {home.facts['pass']}; scores {told.get('scores')}")
    return drive.returncode


def environment(folder: Path) -> Path:
    """A new environment that has the packages of ``THERE``, by links; returns its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in THERE:
        found = distribution(name)
        home = Path(str(found.locate_file("")))
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / top).exists():
                (site / top).symlink_to(home / top)
    return folder / "bin" / "python"


if __name__ == "__main__":
    main()
