"""Names inside a NIfTI label map: a Caret label table in the header extension.

TotalSegmentator writes the same table (``nifti_ext_header.py``), and its ``load_multilabel_nifti`` reads ours: the
extension's code is 0 as there, because nibabel cannot read back the content of code 30, Caret's own in the registry.
"""

from __future__ import annotations

from collections.abc import Collection
from xml.sax.saxutils import quoteattr

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bratsseg.exchange.labels import Label
from bratsseg.study.volume import Volume
from bratsseg.study.writing import label_map_bytes

CODE = 0


def label_table_extension(labels: Collection[Label]) -> nib.nifti1.Nifti1Extension:
    """The names and colours of a label map as a NIfTI header extension."""
    return nib.nifti1.Nifti1Extension(CODE, _table(labels).encode())


def named_label_map(
    values: NDArray[np.uint8], like: Volume, description: str, labels: Collection[Label], *, owner: str, packed: bool
) -> bytes:
    """Label values (I, J, K) uint8 as ``study.writing.label_map_bytes`` makes them, with the label table inside."""
    extension = label_table_extension(labels)
    return label_map_bytes(values, like, description, owner=owner, packed=packed, extensions=(extension,))


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
