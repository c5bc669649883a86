"""Pictures: PNG, JPEG and TIFF, one for each slice. Their pixels have no size, so that nothing is ever told in mm.

I is the column from left to right, J the row from top to bottom, K the slice. Colours are channels: which modality each
holds is never guessed (see ``layout.lgg`` and ``layout.mapping``).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import ContentError, ReadError
from bratsseg.study.case import VolumeSource
from bratsseg.study.grid import Grid
from bratsseg.study.reading.content import Content
from bratsseg.study.reading.geometry import GeometryPolicy
from bratsseg.study.reading.header import Header, check_channel
from bratsseg.study.stack import Member, members

MOST_PIXELS = 1 << 26
"""A larger picture is refused before it is unpacked; scans have 512 by 512."""
JPEG_MAGIC = b"\xff\xd8\xff"
MAGIC = (b"\x89PNG\r\n\x1a\n", JPEG_MAGIC, b"II*\x00", b"MM\x00*")
_GREY = {"L", "1", "I;16", "I;16B", "I", "F"}
_LOSSY_MIDDLE = 128


def read_header(source: VolumeSource, content: Content, owner: str, policy: GeometryPolicy) -> Header:
    """Shape and channels, from the first slice; ``ReadError`` or ``ContentError``."""
    slices = _slices(content, owner)
    first = _pixels(slices[0], content, owner)
    rows, columns, channels = first.shape
    if not (source.channel is None and _is_grey(first)):
        check_channel(source, channels, owner)
    grid = Grid.of((columns, rows, len(slices)), np.eye(4), physical=False)
    return Header(grid, first.dtype, channels)


def read_voxels(
    source: VolumeSource, content: Content, header: Header, owner: str
) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    """The stored pixels of one channel, (I, J, K); ``ContentError`` when slices differ in size."""
    voxels = np.empty(header.grid.shape, dtype=header.dtype, order="F")
    for k, member in enumerate(_slices(content, owner)):
        pixels = _pixels(member, content, owner)
        if pixels.shape[:2] != header.grid.shape[1::-1] or pixels.dtype != header.dtype:
            raise ContentError(
                f"{owner}: all slices must be {_size(voxels[:, :, 0].T)} {header.dtype}, {member.path.name} is "
                f"{_size(pixels)} {pixels.dtype}"
            )
        if source.channel is None and not _is_grey(pixels):
            raise ContentError(f"{owner}: every slice must be grey, {member.path.name} has colours")
        if (source.channel or 0) >= pixels.shape[2]:
            raise ContentError(
                f"{owner}: every slice must have the {header.volumes} channels of the first, {member.path.name} has "
                f"{pixels.shape[2]}"
            )
        voxels[:, :, k] = pixels[:, :, source.channel or 0].T
    return voxels, ()


def without_loss(path: Path, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
    """A label map's pixels; those of a JPEG, which blurs every edge, as 0 and 255."""
    if members(path)[0].read()[:3] != JPEG_MAGIC:
        return voxels
    return np.where(voxels.astype(np.float32) >= _LOSSY_MIDDLE, np.uint8(255), np.uint8(0))


def _slices(content: Content, owner: str) -> Sequence[Member]:
    try:
        return content.members()
    except OSError as error:
        raise ReadError(f"{owner}: {content.path} cannot be read; {error.strerror or error}") from error


def _pixels(member: Member, content: Content, owner: str) -> NDArray[np.generic]:
    """(rows, columns, channels); transparency is left out."""
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - each format's library is imported inside

    name = member.path.name
    try:
        with Image.open(io.BytesIO(content.bytes_of(member)), formats=("PNG", "JPEG", "TIFF")) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ContentError(
                    f"{owner}: a picture must have at most {MOST_PIXELS:,} pixels, {name} has "
                    f"{image.width} x {image.height}"
                )
            frames = int(getattr(image, "n_frames", 1))
            if frames > 1:
                raise ContentError(f"{owner}: {name} must hold one picture, holds {frames}; split it")
            upright = ImageOps.exif_transpose(image)
            if upright.mode not in _GREY:
                upright = upright.convert("L" if upright.mode == "LA" else "RGB")
            pixels: NDArray[np.generic] = np.asarray(upright.convert("L") if upright.mode == "1" else upright)
    except Image.DecompressionBombError as error:
        raise ContentError(f"{owner}: {name} is too large for a picture; {error}") from error
    except UnidentifiedImageError as error:
        raise ReadError(f"{owner}: {name} must be PNG, JPEG or TIFF; it is none, or damaged") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ReadError(f"{owner}: {name} cannot be read; {error}; copy it again") from error
    native = pixels if pixels.dtype.isnative else pixels.astype(pixels.dtype.newbyteorder("="))
    return native if native.ndim == 3 else native[:, :, None]


def _is_grey(pixels: NDArray[np.generic]) -> bool:
    return bool((pixels == pixels[:, :, :1]).all())


def _size(pixels: NDArray[np.generic]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
