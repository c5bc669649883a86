"""Gather what must travel to a GPU machine without internet, and say how much it is.

usage: scripts/gpu pack --limit-mib N [--out gpu-pack] [--python 3.12] [--cases FOLDER] [--model DIR]
                                        [--shapes FILE] [--no-tree]

The pack holds wheels of what such a machine lacks, in the versions of constraints.txt; the tree, without tests, unless
it travels by itself (--no-tree); validation cases from a folder of studies with references, as many as fit; a model
folder to train on from; and a file of shapes that tumours are grown from. Cases and shapes are whose they are: never
commit a pack.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEELS = (
    "monai",
    "nibabel",
    "isal",
    "connected-components-3d",
    "pydantic",
    "pydantic_core",
    "annotated-types",
    "typing-inspection",
    "typing_extensions",
    "einops",
    "reportlab",
    "charset-normalizer",
)
"""What bratsseg needs and a machine with torch, Lightning, scipy, PyYAML, typer, safetensors and Pillow lacks."""
NOT_NEEDED = (
    "tests/",
    ".github/",
    ".ci/",
    "data/",
    "configs/layout/",
    "configs/cluster/",
    "bratsseg/service/frontend/",
)
PLATFORMS = ("2_17", "2_24", "2_27", "2_28", "2_34")
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit-mib", type=float, required=True, help="the pack may be no larger")
    parser.add_argument("--out", type=Path, default=ROOT / "gpu-pack", help="folder; made anew")
    parser.add_argument("--python", default="3.12", help="Python of the GPU machine")
    parser.add_argument("--cases", type=Path, default=None, help="folder of studies with references")
    parser.add_argument("--model", type=Path, default=None, help="model folder that training starts from")
    parser.add_argument("--shapes", type=Path, default=None, help="file of shapes, of scripts/make_shapes.py")
    parser.add_argument("--no-tree", action="store_true", help="leave the tree out")
    options = parser.parse_args()
    sys.exit(pack(options))


def pack(options: argparse.Namespace) -> int:
    """Fill the folder; 1 when it is over the limit."""
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    download(options.out / "wheels", options.python)
    if not options.no_tree:
        write_tree(options.out / "tree.tar.gz")
    if options.model is not None:
        shutil.copytree(options.model, options.out / "model")
    if options.shapes is not None:
        shutil.copyfile(options.shapes, options.out / "shapes.npz")
    left = options.limit_mib * MIB - size(options.out)
    told = [] if options.cases is None else add_cases(options.cases, options.out / "cases", left)
    parts = {part.name: round(size(part) / MIB, 2) for part in sorted(options.out.iterdir())}
    total = size(options.out) / MIB
    (options.out / "pack.json").write_text(json.dumps({"python": options.python, "mib": parts}, indent=1))
    print("\n".join([*told, *(f"{mib:8.2f} MiB  {name}" for name, mib in parts.items())]))
    print(f"{total:8.2f} MiB  in {options.out}, of {options.limit_mib:g} MiB")
    if total > options.limit_mib:
        print(
            "scripts/gpu pack: over the limit; leave out --cases, --model, --shapes or, with --no-tree, the tree",
            file=sys.stderr,
        )
        return 1
    return 0


def download(folder: Path, python: str) -> None:
    """Wheels for that Python on x86-64 Linux, without what they need: all of it is named, or there."""
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line[1:])
    pins = {normal(name): version for name, version in pins.items()}
    words = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    for platform in PLATFORMS:
        words += ["--platform", f"manylinux_{platform}_x86_64"]
    words += ["--platform", "manylinux2014_x86_64", "--dest", str(folder)]
    names = [f"{name}=={pins[normal(name)]}" for name in WHEELS]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
    ran = subprocess.run([*command, *words, *names], stdin=subprocess.DEVNULL, check=False)
    if ran.returncode:
        sys.exit(
            "scripts/gpu pack: the wheels could not be had; it needs internet, and --python a version they exist for"
        )


def write_tree(path: Path) -> None:
    """The tracked files as they lie here, but for what nothing there needs."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    names = [
        name for name in listed.split("\0") if name and not name.startswith(NOT_NEEDED) and (ROOT / name).is_file()
    ]
    with tarfile.open(path, "w:gz", compresslevel=6) as tar:
        for name in names:
            tar.add(ROOT / name, name, recursive=False)


def add_cases(folder: Path, out: Path, room: float) -> list[str]:
    """Write cases until ``room`` bytes are used up; what to say about those that did not fit."""
    from gpu_cases import packed_cases, write_case  # noqa: PLC0415 - torch, for those who pack cases only

    cases = packed_cases(folder)
    for number, case in enumerate(cases):
        path = write_case(case, out)
        room -= path.stat().st_size
        if room < 0:
            path.unlink()
            return [f"{number} of {len(cases)} cases fit into the limit"]
    return [f"{len(cases)} cases"]


def size(path: Path) -> int:
    """Bytes of a file, or of all below a folder."""
    return sum(part.stat().st_size for part in ([path] if path.is_file() else path.rglob("*")) if part.is_file())


def normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    main()
