"""Files that a path names besides a plain one: the slices of a stack of pictures, and what lies inside a zip.

A stack is named by a pattern: in ``TCGA_CS_4942_19970222/TCGA_CS_4942_19970222_*.tif`` the ``*`` stands for the slice's
number, which need not be padded with zeros. A path that goes on below a zip file names what lies inside; nothing is
ever unpacked to disk.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from bratsseg.errors import ReadError
from bratsseg.study.detached import companions

MOST_BYTES = 1 << 29
"""A picture in a zip that unpacks to more is refused: pictures are small, and zips can be made to explode."""

_LONGEST_TIME = 1 << 62  # of nanoseconds, so that a sum fits a signed number of 64 bits; the year 2116


@dataclass(frozen=True)
class FileState:
    """What lay behind a path when it was read; None where it could not be.

    ``size`` in bytes and ``mtime_ns``, the time of the last change, are of before the reading (``state_of``), so that
    a file that changes meanwhile looks changed later. ``sha256`` is that of ``hash_of``.
    """

    size: int | None = None
    mtime_ns: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Member:
    """One file: ``path`` as a user would name it, and ``inside`` the name within the zip at ``archive``, if it is."""

    path: Path
    archive: Path | None = None
    inside: str = ""

    def read(self) -> bytes:
        """The file's bytes; ``OSError``, or ``ReadError`` when the zip cannot be unpacked."""
        if self.archive is None:
            return self.path.read_bytes()
        state = self.archive.stat()
        try:
            opened = _opened(self.archive, state.st_mtime_ns, state.st_size)
            entry = opened.getinfo(self.inside)
            if entry.file_size > MOST_BYTES:
                raise ReadError(
                    f"{self.path}: must unpack to at most {MOST_BYTES >> 20} MiB, is {entry.file_size >> 20}"
                )
            return opened.read(entry)
        except (zipfile.BadZipFile, KeyError, RuntimeError, NotImplementedError, EOFError) as error:
            raise ReadError(f"{self.path}: cannot be unpacked; {error}; copy the zip again") from error


def is_stack(path: Path) -> bool:
    """True when ``path`` is the pattern of a stack, and not a file that somebody called so."""
    return "*" in path.name and not path.is_file()


def archive_of(path: Path) -> Path | None:
    """The zip file that ``path`` goes through, or None."""
    for place in (path, *path.parents):
        if place.suffix.lower() == ".zip" and place.is_file():
            return place
    return None


def is_plain(path: Path) -> bool:
    """True for one file that lies on the disk itself: neither a stack nor in a zip."""
    return not is_stack(path) and archive_of(path) is None


def members(path: Path) -> list[Member]:
    """The files behind ``path``, a stack's in the order of their numbers; ``OSError`` when there are none."""
    archive = archive_of(path)
    if not is_stack(path):
        return [Member(path, archive, "" if archive is None else path.relative_to(archive).as_posix())]
    names = [entry.name for entry in path.parent.iterdir()] if archive is None else _names_below(archive, path.parent)
    before, _, after = path.name.partition("*")
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    numbered = sorted((int(found[1]), name) for name in names if (found := pattern.fullmatch(name)))
    if not numbered:
        raise FileNotFoundError(2, "no slice is there", str(path))
    at = "" if archive is None else path.parent.relative_to(archive).as_posix()
    return [
        Member(path.with_name(name), archive, str(PurePosixPath(at) / name) if archive else "") for _, name in numbered
    ]


def hash_of(path: Path) -> str:
    """SHA-256 of a file's bytes, or of a stack's names and bytes in order; ``OSError`` or ``ReadError``.

    Of a scan whose voxels lie in files of their own (``detached.companions``) it is that of the hashes of all.
    """
    if is_plain(path):
        return hash_of_parts([_hash_of_file(part) for part in (path, *companions(path))])
    return hash_of_members((member.path.name, member.read()) for member in members(path))


def hash_of_parts(digests: Sequence[bytes]) -> str:
    """One SHA-256 for the files of a scan, given by theirs, the header first; of one file it is that of its bytes."""
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def _hash_of_file(path: Path) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def hash_of_members(named: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 of a stack's names and bytes, given in its order."""
    digest = hashlib.sha256()
    for name, content in named:
        digest.update(name.encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def state_of(path: Path) -> tuple[int, int]:
    """Bytes and time of the last change in ns, without reading the voxels. ``OSError``.

    Of several files both are sums, so that any one that is put in another's place shows, be it the older.
    """
    archive = archive_of(path)
    files = [archive] if archive else [member.path for member in members(path)]
    if archive is None and not is_stack(path):
        files += companions(path)
    states = [file.stat() for file in files]
    return sum(state.st_size for state in states), sum(state.st_mtime_ns for state in states) % _LONGEST_TIME


def names_in(archive: Path) -> Sequence[str]:
    """The files in a zip, '/'-separated, without those whose names lead out of it; ``OSError`` or ``BadZipFile``."""
    state = archive.stat()
    return _listed(archive, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=2)
def _opened(archive: Path, changed: int, size: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(archive)  # stays open: to read a zip's list again for every slice takes seconds a patient


@lru_cache(maxsize=8)
def _listed(archive: Path, changed: int, size: int) -> tuple[str, ...]:
    with zipfile.ZipFile(archive) as opened:
        names = [info.filename for info in opened.infolist() if not info.is_dir()]
    return tuple(name for name in names if not name.startswith("/") and ".." not in PurePosixPath(name).parts)


def _names_below(archive: Path, folder: Path) -> list[str]:
    place = PurePosixPath(folder.relative_to(archive).as_posix())
    return [PurePosixPath(name).name for name in names_in(archive) if PurePosixPath(name).parent == place]
