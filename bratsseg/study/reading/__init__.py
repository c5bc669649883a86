"""Reading: files → Volume and Study. One file per format; each format's library is imported inside."""

from bratsseg.study.reading.geometry import GeometryPolicy
from bratsseg.study.reading.header import Header
from bratsseg.study.reading.study import is_picture, read_header, read_reference, read_study, read_volume

__all__ = ["GeometryPolicy", "Header", "is_picture", "read_header", "read_reference", "read_study", "read_volume"]
