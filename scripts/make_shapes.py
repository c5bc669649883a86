"""Make a file of real tumour shapes, for ``synthesis.tumour.shapes``, from a folder of label maps.

usage: .venv/bin/python scripts/make_shapes.py Task01_BrainTumour/labelsTr shapes.npz [--without BRATS_001 …]

The folder is that of the Medical Segmentation Decathlon's own download (http://medicaldecathlon.com, CC BY-SA 4.0):
label maps of 240 × 240 × 155 voxels of 1 mm, 1 edema, 2 necrosis and non-enhancing core, 3 enhancing tumour. The images
are not read. Leave out with ``--without`` what a model will be measured on: the Decathlon's cases are those of BraTS
2016 and 2017, and later BraTS sets hold many of them under other names.

The file holds, as numpy arrays: ``names`` (N,); ``low`` and ``high`` (N, 3) int16, the box of each map, voxels i, j, k
of its grid in RAS order; ``start`` (N + 1,) int64, where each begins in ``labels``; ``labels`` uint8, the boxes one
after the other, each flattened in C order.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from bratsseg.files import replacing

SHAPE = (240, 240, 155)

Labels = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    count = write_shapes(options.folder, options.out, frozenset(options.without))
    print(f"{options.out}: {count} label maps, {options.out.stat().st_size / 1e6:.1f} MB")


def write_shapes(folder: Path, out: Path, without: frozenset[str] = frozenset()) -> int:
    """Write the maps of ``folder`` with a tumour; how many there were. ``SystemExit`` says what is wrong."""
    names, boxes, parts = [], [], []
    for name, labels in read_maps(folder, without):
        found = np.argwhere(labels)
        if not len(found):
            continue
        low, high = found.min(0), found.max(0) + 1
        names.append(name)
        boxes.append((low, high))
        parts.append(labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))].ravel())
    if not names:
        raise SystemExit(f"folder {folder}: must hold label maps, *.nii.gz, with a tumour; holds none")
    low, high = (np.array([box[end] for box in boxes], np.int16) for end in (0, 1))
    start = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    with replacing(out) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream, names=np.array(names), low=low, high=high, start=start, labels=np.concatenate(parts)
        )
    return len(names)


def read_maps(folder: Path, without: frozenset[str]) -> Iterator[tuple[str, Labels]]:
    """Name and labels (I, J, K), RAS, of each map. Files that begin with a dot are what a Mac adds to archives."""
    for path in sorted(folder.glob("*.nii.gz")):
        name = path.name.removesuffix(".nii.gz")
        if name in without or name.startswith("."):
            continue
        picture = nibabel.as_closest_canonical(nibabel.load(path))
        labels = np.asarray(picture.dataobj)
        if labels.shape != SHAPE or not np.isin(labels, (0, 1, 2, 3)).all():
            raise SystemExit(
                f"{path}: must be labels 0 to 3 on {SHAPE} voxels, was {labels.shape} up to {labels.max()}"
            )
        yield name, labels.astype(np.uint8)


if __name__ == "__main__":
    main()
