"""A zip that a stranger sent: unpacked under our own names, never outside its folder, never beyond its bounds."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from bratsseg.service.intake.sniffing import promised
from bratsseg.service.refusal import Refusal
from bratsseg.service.settings import MIB, Limits

_CHUNK = MIB
_SMALL = 64 * MIB  # a zip that unpacks to less is no bomb, however well it was packed
_LIST = MIB  # bytes of a zip's own list of files; zipfile makes objects of all of it at once
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others take memory as the sender says
_NOISE = ("__MACOSX/", ".DS_Store", "Thumbs.db")


def unpack(archive: Path, name: str, folder: Path, limits: Limits) -> list[tuple[Path, str]]:
    """Unpack into ``folder`` as 0, 1, 2, …; returns each file with its name in the zip.

    Raises a ``Refusal``: 422 ``zip_slip`` for a path that leads out, ``zip_link`` for a link, ``zip_bomb`` for what
    unpacks to too much, ``unreadable`` for a damaged or encrypted zip; 415 for files of another kind; 413 for too many.
    """
    try:
        with _Listed(archive) as stream, zipfile.ZipFile(stream) as opened:
            members = [member for member in opened.infolist() if _wanted(member, name)]
            _refuse_too_much(members, archive.stat().st_size, name, limits)
            folder.mkdir(parents=True, exist_ok=True)
            budget, unpacked = limits.study, []
            for number, member in enumerate(members):
                target = folder / str(number)
                budget -= _copy(opened, member, target, budget, name)
                unpacked.append((target, member.filename))
            return unpacked
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Refusal(422, "unreadable", f"{name}: the zip is damaged or encrypted ({error}); make it again") from error


class _Listed(io.FileIO):
    """A zip whose list of files is not read when it is longer than any study's."""

    def read(self, size: int | None = -1) -> bytes:
        """As a file does; a ``Refusal`` (413) for more at once than ``_LIST``: only the list is read so."""
        if size is not None and size > _LIST:
            raise Refusal(413, "too_many_files", "a zip may hold the files of one study, this has far too many")
        return super().read(size)


def _wanted(member: zipfile.ZipInfo, name: str) -> bool:
    """True for a file to be unpacked; a ``Refusal`` for one that means harm."""
    path = member.filename
    parts = PurePosixPath(path).parts
    if "\\" in path or path.startswith("/") or ".." in parts or ":" in path or "\x00" in path:
        raise Refusal(422, "zip_slip", f"{name}: every path must stay inside the zip, one leads out")
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode) or (stat.S_IFMT(mode) and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)):
        raise Refusal(
            422, "zip_link", f"{name}: must hold plain files, has a link or a device; zip the files themselves"
        )
    if not parts or member.is_dir() or any(mark in path for mark in _NOISE) or parts[-1].startswith("."):
        return False
    if member.compress_type not in _PACKINGS:
        raise Refusal(422, "unreadable", f"{name}: must be packed by deflate as most programs do; make it again")
    if promised(parts[-1]) == "zip":
        raise Refusal(415, "type_unknown", f"{name}: must hold scans, has a zip inside; unpack that one first")
    return True


def _refuse_too_much(members: list[zipfile.ZipInfo], packed: int, name: str, limits: Limits) -> None:
    if not members:
        raise Refusal(422, "modality_missing", f"{name}: must hold a study, has no scan")
    if len(members) > limits.files:
        raise Refusal(413, "too_many_files", f"{name}: may hold at most {limits.files} files, has {len(members)}")
    total = sum(member.file_size for member in members)
    if total > limits.study or (total > _SMALL and total > packed * limits.expansion):
        raise _bomb(name)


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, budget: int, name: str) -> int:
    """Unpack one file; counts what really comes out, since a zip may say less. Returns its bytes."""
    written = 0
    with opened.open(member) as source, target.open("xb") as out:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget:
                raise _bomb(name)
            out.write(chunk)
    return written


def _bomb(name: str) -> Refusal:
    return Refusal(422, "zip_bomb", f"{name}: unpacks to more than a study can be; zip only the scans of one study")
