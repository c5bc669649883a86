"""Reading: files → Volume and Study. One file per format; each format's library is imported inside."""

from bratsseg.study.reading.content import Content, read_content
from bratsseg.study.reading.geometry import GeometryPolicy
from bratsseg.study.reading.header import Header
from bratsseg.study.reading.study import (
    StudyFiles,
    is_picture,
    read_files,
    read_header,
    read_reference,
    read_study,
    read_volume,
)

__all__ = [
    "Content",
    "GeometryPolicy",
    "Header",
    "StudyFiles",
    "is_picture",
    "read_content",
    "read_files",
    "read_header",
    "read_reference",
    "read_study",
    "read_volume",
]
