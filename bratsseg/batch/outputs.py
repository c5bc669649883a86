"""The files of a result, made in memory: label map, formats, probabilities; or masks, where the case is pictures."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from bratsseg.batch.options import BatchOptions
from bratsseg.exchange.formats import Files, export_case, made_by
from bratsseg.exchange.pictures import heat_pictures, mask_pattern, mask_pictures, slice_names
from bratsseg.results.filenames import HEAT, MASK, probability_name, stem_of_case
from bratsseg.results.record import ModelIdentity
from bratsseg.study.dialect import get_dialect
from bratsseg.study.regions import Region
from bratsseg.study.stack import is_stack
from bratsseg.study.volume import Volume
from bratsseg.study.writing import probability_bytes

if TYPE_CHECKING:
    from bratsseg.inference import Segmentation

BESIDE = ("slicer", "itksnap")
"""Formats whose files lie beside the label map; ``bids`` is one data set for all of OUT, derived from the results."""


def result_files(name: str, result: Segmentation, like: Volume, model: ModelIdentity, options: BatchOptions) -> Files:
    """Every file of the result of case ``name`` on the grid of ``like``, but its record and pages."""
    if not like.grid.physical:
        return _pictures(name, result, like, options)
    dialect, stem = get_dialect(options.dialect), stem_of_case(name)
    formats = ("nifti", *beside(options.formats))
    mark = made_by(model, dialect.name)
    files = export_case(result.label_map, like, name, formats, dialect=dialect, description=mark)
    if options.probabilities:
        for region in (region for region in Region if region in result.label_map.assessable):
            file = probability_name(stem, region)
            mark = made_by(model, str(region))
            files[file] = probability_bytes(result.probability(region), like, mark, owner=file)
    return files


def beside(formats: Collection[str]) -> tuple[str, ...]:
    """Those of ``formats`` whose files lie beside the label map."""
    return tuple(name for name in BESIDE if name in formats)


def masks_of(name: str, like: Volume, options: BatchOptions) -> str:
    """What the masks of a picture case are called: as its pictures, unless names are salted."""
    source = like.source or Path("picture.png")
    if options.salt is None:
        return mask_pattern(source)
    stem = stem_of_case(name)
    return f"{stem}_*{MASK}.png" if is_stack(source) else f"{stem}{MASK}.png"


def _pictures(name: str, result: Segmentation, like: Volume, options: BatchOptions) -> Files:
    names = slice_names(like.source or Path(), masks_of(name, like, options))
    files = mask_pictures(result.label_map.region(Region.WT), names)
    if options.probabilities:
        heat = [f"{Path(file).stem.removesuffix(MASK)}{HEAT}.png" for file in names]
        files |= heat_pictures(result.probability(Region.WT), heat)
    return files
