"""Formats that other programs read: 3D Slicer, ITK-SNAP, BIDS, MONAI bundles, and other dialects of label values."""

from bratsseg.exchange.conversion import Conversion, UnconvertedCase, add_bids, convert_folder
from bratsseg.exchange.formats import FORMATS, export_case, parse_formats
from bratsseg.exchange.labels import Label, labels_of
from bratsseg.exchange.nifti import label_table_extension

__all__ = [
    "FORMATS",
    "Conversion",
    "Label",
    "UnconvertedCase",
    "add_bids",
    "convert_folder",
    "export_case",
    "label_table_extension",
    "labels_of",
    "parse_formats",
]
