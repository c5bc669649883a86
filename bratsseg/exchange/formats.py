"""The formats a label map can be written in, by name: what ``--formats nifti,slicer,itksnap,bids`` means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import GridMismatch, UsageError
from bratsseg.exchange import bids
from bratsseg.exchange.itksnap import label_description
from bratsseg.exchange.labels import Label, labels_of
from bratsseg.exchange.nifti import named_label_map
from bratsseg.exchange.slicer import colour_table, segmentation
from bratsseg.results.filenames import BIDS_FOLDER, ITKSNAP, LABELS, SLICER
from bratsseg.results.record import CaseRecord, ModelIdentity
from bratsseg.study.dialect import Dialect
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.mark import MARK
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume
from bratsseg.version import __version__


@dataclass(frozen=True, eq=False)
class Export:
    """A label map about to be written: ``values`` (I, J, K) uint8 on the grid of ``like``, and what is known of it.

    ``name`` is the case's, ``stem`` what its files are called, ``description`` goes into NIfTI headers,
    ``probabilities`` are (I, J, K) float32 in 0..1, ``record`` is that of a case of ours.
    """

    name: str
    stem: str
    values: NDArray[np.uint8]
    like: Volume
    labels: tuple[Label, ...]
    dialect: str
    description: str
    probabilities: Mapping[Region, NDArray[np.float32]] = field(default_factory=dict)
    record: CaseRecord | None = None
    nifti: str = ""
    """Name of the NIfTI file; empty is ``<stem>_seg.nii.gz``."""


Files = dict[str, bytes]
"""Whole files by their paths below the folder that they go into, with '/'."""


def _nifti(export: Export) -> Files:
    name = export.nifti or f"{export.stem}{LABELS}"
    packed = name.lower().endswith(".gz")
    return {
        name: named_label_map(
            export.values, export.like, export.description, export.labels, owner=export.name, packed=packed
        )
    }


def _slicer(export: Export) -> Files:
    drawing, colours = (f"{export.stem}{end}" for end in SLICER)
    return {
        drawing: segmentation(export.values, export.like.grid, export.labels),
        colours: colour_table(colours, export.labels),
    }


def _itksnap(export: Export) -> Files:
    (name,) = (f"{export.stem}{end}" for end in ITKSNAP)
    return {name: label_description(export.labels)}


def _bids(export: Export) -> Files:
    written = bids.case_files(
        bids.subject_of(export.name),
        export.values,
        export.like,
        export.labels,
        description=export.description,
        facts=bids.facts_of(export.dialect, export.record),
        probabilities=export.probabilities,
    )
    return {f"{BIDS_FOLDER}/{path}": content for path, content in {**bids.description_files(), **written}.items()}


FORMATS: dict[str, Callable[[Export], Files]] = {
    "nifti": _nifti,
    "slicer": _slicer,
    "itksnap": _itksnap,
    "bids": _bids,
}
"""Each makes the files of an export; nothing is written here."""


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
    formats: Collection[str],
    *,
    dialect: Dialect,
    description: str,
    record: CaseRecord | None = None,
) -> Files:
    """A label map of ours in every format named, as files beside each other; ``bids`` is the data set ``bids/``.

    ``like`` is the scan whose grid it lies on; ``description`` is the mark in NIfTI headers (``made_by``). Equal input
    gives equal bytes. Raises ``GridMismatch`` or, for a name that no format can hold, ``CaseError``.
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
        description=description,
        record=record,
    )
    return files_of(export, formats)


def files_of(export: Export, formats: Collection[str]) -> Files:
    """What ``export`` holds in every format named."""
    return {path: content for name in FORMATS if name in formats for path, content in FORMATS[name](export).items()}


def made_by(model: ModelIdentity | None, what: str) -> str:
    """The mark that tells results from references: which model made it, and ``what`` it is, a dialect or a region."""
    maker = __version__ if model is None else f"{model.name} {model.version}"
    return f"{MARK.decode()} {maker} {what}"
