"""The formats a label map can be written in, by name: what ``--formats nifti,slicer,itksnap,bids`` means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import GridMismatch, UsageError
from bratsseg.exchange import bids
from bratsseg.exchange.itksnap import write_label_description
from bratsseg.exchange.labels import Label, labels_of
from bratsseg.exchange.nifti import write_named_label_map
from bratsseg.exchange.slicer import write_colour_table, write_segmentation
from bratsseg.study.dialect import Dialect
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume
from bratsseg.version import __version__

BIDS_FOLDER = "bids"


@dataclass(frozen=True, eq=False)
class Export:
    """A label map about to be written: ``values`` (I, J, K) uint8 on the grid of ``like``, and what is known of it.

    ``name`` is the case's, ``stem`` what its files are called, ``description`` goes into NIfTI headers,
    ``probabilities`` are (I, J, K) float32 in 0..1, ``record`` is the JSON of a case of ours.
    """

    name: str
    stem: str
    values: NDArray[np.uint8]
    like: Volume
    labels: tuple[Label, ...]
    dialect: str
    description: str
    probabilities: Mapping[Region, NDArray[np.float32]] = field(default_factory=dict)
    record: Mapping[str, object] | None = None
    nifti: str = ""
    """Name of the NIfTI file; empty is ``<stem>_seg.nii.gz``."""


def _nifti(export: Export, folder: Path) -> list[Path]:
    path = folder / (export.nifti or f"{export.stem}_seg.nii.gz")
    write_named_label_map(path, export.values, export.like, export.description, export.labels)
    return [path]


def _slicer(export: Export, folder: Path) -> list[Path]:
    files = [folder / f"{export.stem}.seg.nrrd", folder / f"{export.stem}.ctbl"]
    write_segmentation(files[0], export.values, export.like.grid, export.labels)
    write_colour_table(files[1], export.labels)
    return files


def _itksnap(export: Export, folder: Path) -> list[Path]:
    path = folder / f"{export.stem}_itksnap.txt"
    write_label_description(path, export.labels)
    return [path]


def _bids(export: Export, folder: Path) -> list[Path]:
    facts = bids.facts_of(export.dialect, export.record)
    subject, root = bids.subject_of(export.name), folder / BIDS_FOLDER
    written = bids.write_case(
        root,
        subject,
        export.values,
        export.like,
        export.labels,
        description=export.description,
        facts=facts,
        probabilities=export.probabilities,
    )
    return [*bids.write_description(root), *written]


FORMATS: dict[str, Callable[[Export, Path], list[Path]]] = {
    "nifti": _nifti,
    "slicer": _slicer,
    "itksnap": _itksnap,
    "bids": _bids,
}
"""Each takes an export and the folder it may write in, and returns the files it wrote."""

BESIDE = (".seg.nrrd", ".ctbl", "_itksnap.txt")
"""Ends of the file names that ``slicer`` and ``itksnap`` write beside a NIfTI label map, after the case's name."""


def parse_formats(text: str) -> tuple[str, ...]:
    """Names of formats from ``nifti,slicer``, in the order of ``FORMATS``; ``UsageError`` lists the known ones."""
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    unknown = sorted(wanted - FORMATS.keys())
    if unknown or not wanted:
        was = ", ".join(unknown) or "nothing"
        raise UsageError(f"--formats: must be some of {','.join(FORMATS)}, with commas between, was {was}")
    return tuple(name for name in FORMATS if name in wanted)


def export_case(
    label_map: LabelMap,
    like: Volume,
    case_name: str,
    folder: Path,
    formats: Collection[str],
    *,
    dialect: Dialect,
    probabilities: Mapping[Region, NDArray[np.float32]] | None = None,
    record: Mapping[str, object] | None = None,
) -> list[Path]:
    """Write a label map of ours into ``folder`` in every format named; returns the files.

    ``like`` is the scan whose grid it lies on. Each file appears whole or not at all, and equal input gives equal
    bytes. ``bids`` goes into the data set ``folder/bids``, the others lie flat. Raises ``GridMismatch``,
    ``WriteError`` or, for a name that no format can hold, ``CaseError``.
    """
    if not label_map.grid.same_as(like.grid):
        apart = label_map.grid.displacement_mm(like.grid)
        raise GridMismatch(f"case {case_name}: the label map must lie on the grid of its scan, was {apart:.1f} mm off")
    export = Export(
        name=case_name,
        stem=case_name.rpartition("/")[2],
        values=dialect.encode(label_map.regions),
        like=like,
        labels=labels_of(dialect, label_map.assessable),
        dialect=dialect.name,
        description=made_by(dialect, record),
        probabilities=probabilities or {},
        record=record,
    )
    return write_formats(export, folder, formats)


def write_formats(export: Export, folder: Path, formats: Collection[str]) -> list[Path]:
    """Write what ``export`` holds into ``folder`` in every format named."""
    return [file for name in FORMATS if name in formats for file in FORMATS[name](export, folder)]


def made_by(dialect: Dialect, record: Mapping[str, object] | None) -> str:
    """The mark that tells results from references, as the batch writes it."""
    model = record.get("model") if record is not None else None
    if isinstance(model, Mapping):
        return f"bratsseg {model.get('name')} {model.get('version')} {dialect.name}"
    return f"bratsseg {__version__} {dialect.name}"
