"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import zlib
from enum import StrEnum

from bratsseg.files import GZIP_MAGIC
from bratsseg.service.refusal import Refusal
from bratsseg.study.reading import Content

_SUFFIXES = {
    ".nii": "NIfTI",
    ".nii.gz": "NIfTI",
    ".zip": "zip",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
ACCEPTED = ", ".join(_SUFFIXES)
_START = 4096


class UploadKind(StrEnum):
    """A kind of file that is taken in."""

    NIFTI = "NIfTI"
    ZIP = "zip"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"

    @property
    def is_picture(self) -> bool:
        """True for pixels without a physical size."""
        return self in (UploadKind.PNG, UploadKind.JPEG, UploadKind.TIFF)


def promised(name: str) -> UploadKind:
    """The kind that a file's name promises; a ``Refusal`` (415) when it is none that is taken in."""
    lower = name.lower()
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if lower.endswith(suffix):
            return UploadKind(_SUFFIXES[suffix])
    raise Refusal(415, "type_unknown", f"{name}: must be one of {ACCEPTED}")


def sniff(content: Content, name: str) -> UploadKind:
    """The kind of a file, by content, which must be what its name promises.

    Raises a ``Refusal``: 415 when content and name differ, 422 when the file is empty or cut short.
    """
    wanted = promised(name)
    with content.open() as stream:
        start = stream.read(_START)
    if not start:
        raise Refusal(422, "unreadable", f"{name}: is empty; copy it again")
    found = _kind_of(start)
    if found is not wanted:
        was = "something else" if found is None else str(found)
        raise Refusal(415, "content_mismatch", f"{name}: must hold {wanted} as its name says, was {was}")
    return wanted


def _kind_of(start: bytes) -> UploadKind | None:
    if start[:2] == GZIP_MAGIC:
        return UploadKind.NIFTI if _is_nifti(_gunzipped(start)) else None
    if _is_nifti(start):
        return UploadKind.NIFTI
    for magic, kind in (
        (b"PK\x03\x04", UploadKind.ZIP),
        (b"PK\x05\x06", UploadKind.ZIP),
        (b"\x89PNG\r\n\x1a\n", UploadKind.PNG),
        (b"\xff\xd8\xff", UploadKind.JPEG),
        (b"II*\x00", UploadKind.TIFF),
        (b"MM\x00*", UploadKind.TIFF),
    ):
        if start.startswith(magic):
            return kind
    return None


def _is_nifti(block: bytes) -> bool:
    """NIfTI-1 or -2 in one file."""
    return block[344:348] == b"n+1\x00" or block[4:8] == b"n+2\x00"


def _gunzipped(start: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(start, 1024)
    except zlib.error:
        return b""
