"""Files that appear whole or not at all: the one way in which this software puts a file where a user sees it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bratsseg.errors import WriteError

GZIP_MAGIC = b"\x1f\x8b"
"""The first two bytes of whatever gzip wrote."""


def write_json(path: Path, mapping: Mapping[str, object]) -> None:
    """Write JSON, indented, UTF-8, whole or not at all; ``WriteError``. NaN is refused: it is not JSON."""
    write_bytes(path, json_bytes(mapping, path.name))


def json_bytes(mapping: Mapping[str, object], owner: str) -> bytes:
    """JSON as ``write_json`` writes it; ``owner`` opens the message of the ``WriteError``."""
    try:
        text = json.dumps(mapping, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WriteError(f"{owner}: must be plain JSON values; {error}") from error
    return f"{text}\n".encode()


def digest(content: bytes) -> str:
    """SHA-256 of a file's bytes, from memory."""
    return hashlib.sha256(content).hexdigest()


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The same of each of ``files``, by name."""
    return {name: digest(content) for name, content in files.items()}


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; ``WriteError``."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``; ``WriteError`` when that fails, and ``path`` is then what it was."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Put each of ``files`` at its path below ``folder``, making folders as needed; ``WriteError``."""
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(f"{path.parent}: must be a folder that can be written to; {error.strerror}") from error
        write_bytes(path, content)
    return [folder / name for name in files]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` by rename when the block ends well.

    So a reader sees the old file or the new one and never a part. The file is on the disk when the block has ended.
    Its name until then is hidden, as every search of this software passes over, and nothing of it is left on failure.
    An ``OSError`` inside becomes a ``WriteError``.
    """
    part = _hidden_beside(path)
    try:
        yield part
        _sync(part)
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` to fill; it becomes the folder ``path``, which must not be there, when the block ends.

    So ``path`` is never there in part. Nothing is left on failure; an ``OSError`` becomes a ``WriteError``.
    """
    part = _hidden_beside(path)
    try:
        part.mkdir(parents=True)
        yield part
        part.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _hidden_beside(path: Path) -> Path:
    return path.with_name(f".bratsseg-{secrets.token_hex(8)}.part")


def _not_written(path: Path, error: OSError) -> WriteError:
    return WriteError(f"{path}: could not be written; {error.strerror or error}; nothing was left behind")


def _sync(path: Path) -> None:
    """Make a file durable; the ``OSError`` of a disk that is full comes here at the latest."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder durable; the files are whole already, so a system that cannot is forgiven."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
