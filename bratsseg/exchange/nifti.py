"""Names inside a NIfTI label map: a Caret label table in the header extension.

TotalSegmentator writes the same table (``nifti_ext_header.py``), and its ``load_multilabel_nifti`` reads ours: the
extension's code is 0 as there, because nibabel cannot read back the content of code 30, Caret's own in the registry.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from xml.sax.saxutils import quoteattr

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from bratsseg.errors import WriteError
from bratsseg.exchange.labels import Label
from bratsseg.study.volume import Volume
from bratsseg.study.writing import write_bytes, write_label_map

CODE = 0
_GZIP_LEVEL = 1
_EXTENDED = b"\x01\x00\x00\x00"


def label_table_extension(labels: Collection[Label]) -> nib.nifti1.Nifti1Extension:
    """The names and colours of a label map as a NIfTI header extension."""
    return nib.nifti1.Nifti1Extension(CODE, _table(labels).encode())


def write_named_label_map(
    path: Path, values: NDArray[np.uint8], like: Volume, description: str, labels: Collection[Label]
) -> None:
    """Write label values (I, J, K) uint8 as ``write_label_map`` does, with the label table inside."""
    write_label_map(path, values, like, description)
    add_label_table(path, labels)


def add_label_table(path: Path, labels: Collection[Label]) -> None:
    """Put the label table into a NIfTI file that ``write_label_map`` wrote; ``WriteError`` on any other file."""
    content = path.read_bytes()
    packed = content[:2] == b"\x1f\x8b"
    if packed:
        content = igzip.decompress(content)
    kind = nib.Nifti2Header if content[:4] == (540).to_bytes(4, "little") else nib.Nifti1Header
    size = int(kind.sizeof_hdr)
    header = kind(content[:size], endianness="<", check=False)
    start = int(header["vox_offset"])
    if start != size + 4:
        raise WriteError(f"{path.name}: must be a label map of bratsseg without header extensions, was not")
    block = _block(label_table_extension(labels))
    header["vox_offset"] = start + len(block)
    content = header.binaryblock + _EXTENDED + block + content[start:]
    write_bytes(path, igzip.compress(content, _GZIP_LEVEL, mtime=0) if packed else content)


def _block(extension: nib.nifti1.Nifti1Extension) -> bytes:
    """Length, code and content, padded with zeros to a multiple of 16 bytes as NIfTI asks."""
    text: bytes = extension.get_content()
    length = -(-(len(text) + 8) // 16) * 16
    return length.to_bytes(4, "little") + CODE.to_bytes(4, "little") + text.ljust(length - 8, b"\0")


def _table(labels: Collection[Label]) -> str:
    rows = "".join(_row(label) for label in labels)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CaretExtension><VolumeInformation Index="0">'
        f"<LabelTable>{rows}\n</LabelTable><StudyMetaDataLinkSet></StudyMetaDataLinkSet>"
        "<VolumeType><![CDATA[Label]]></VolumeType></VolumeInformation></CaretExtension>\n"
    )


def _row(label: Label) -> str:
    parts = dict(zip(("Red", "Green", "Blue"), (f"{part / 255:.6g}" for part in label.colour), strict=True))
    shown = " ".join(f"{name}={quoteattr(text)}" for name, text in {"Key": str(label.value), **parts}.items())
    return f'\n<Label {shown} Alpha="1"><![CDATA[{label.name}]]></Label>'
