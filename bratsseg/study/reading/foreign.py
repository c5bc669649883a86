"""What a file is that is called like a scan and is none, in words that say what to do."""

from __future__ import annotations

_KINDS = (
    (0, b"version https://git-lfs", "is a pointer of Git LFS that stands for the scan; run git lfs pull"),
    (0, b"PK\x03\x04", "is a zip archive; unpack it"),
    (0, b"BZh", "is packed by bzip2; unpack it"),
    (0, b"\xfd7zXZ", "is packed by xz; unpack it"),
    (0, b"7z\xbc\xaf", "is a 7-Zip archive; unpack it"),
    (0, b"(\xb5/\xfd", "is packed by Zstandard; unpack it"),
    (257, b"ustar", "is a tar archive; unpack it"),
    (0, b"%PDF", "is a PDF; give the scan itself"),
    (128, b"DICM", "is a DICOM file; convert the series to NIfTI (dcm2niix)"),
    (0, b"\x89HDF", "is an HDF5 or MINC file; convert it to NIfTI"),
    (0, b"CDF", "is a MINC file; convert it to NIfTI"),
)
_SHOWN = 24


def what_else(start: bytes) -> str:
    """What a file is by its first bytes (of what gzip held), and what to do; its name opens the sentence."""
    if not start:
        return "holds nothing once it is unpacked; copy it again"
    for place, magic, told in _KINDS:
        if start[place:].startswith(magic):
            return told
    if not start.strip(b"\0"):
        return "begins with zeros alone, as a copy that was broken off leaves it; copy it again"
    text = start.decode("utf-8", "ignore").removeprefix("\ufeff").strip()
    if text[:1] == "<":
        return "is a web page or XML, as a download that failed leaves it; download it again"
    shown = " ".join(text.split())
    if shown.isprintable() and len(text) > len(start) // 2:
        return f"is text that begins with '{shown[:_SHOWN]}'; copy or convert the scan again"
    return f"has no NIfTI header (its first bytes are {start[:4].hex(' ')}); convert the scan to NIfTI"
