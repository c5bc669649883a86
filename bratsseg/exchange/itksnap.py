"""ITK-SNAP: the label description file, byte for byte as ``ColorLabelTable::SaveToFile`` writes it.

Lines end in LF alone: ITK-SNAP takes a carriage return for a label and crashes (itksnap issue 154).
"""

from __future__ import annotations

from collections.abc import Collection

from bratsseg.exchange.labels import Label

_HEADER = """\
################################################
# ITK-SnAP Label Description File
# File format: 
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# Fields: 
#    IDX:   Zero-based index 
#    -R-:   Red color component (0..255)
#    -G-:   Green color component (0..255)
#    -B-:   Blue color component (0..255)
#    -A-:   Label transparency (0.00 .. 1.00)
#    VIS:   Label visibility (0 or 1)
#    IDX:   Label mesh visibility (0 or 1)
#  LABEL:   Label description 
################################################
"""  # noqa: W291 - the spaces at the ends are ITK-SNAP's
_CLEAR = '    0     0    0    0        0  0  0    "Clear Label"\n'


def label_description(labels: Collection[Label]) -> bytes:
    """The file that ITK-SNAP opens by "Segmentation, Import Label Descriptions"."""
    return (_HEADER + _CLEAR + "".join(_row(label) for label in labels)).encode()


def _row(label: Label) -> str:
    red, green, blue = label.colour
    name = label.name.replace('"', "'")
    return f'  {label.value:3d}   {red:3d}  {green:3d}  {blue:3d}  {1:7d}  1  1    "{name}"\n'
