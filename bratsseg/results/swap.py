"""Put one folder in the place of another at one moment, so that nobody ever sees half of it."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

_HERE = -100  # AT_FDCWD of fcntl.h
_EXCHANGE = 2  # RENAME_EXCHANGE of linux/fs.h


def exchange(one: Path, other: Path) -> bool:
    """Let two folders of one file system change places in one step; False where the system cannot (then nothing moved).

    Linux does so with renameat2(2), on all local file systems; network file systems and other systems do not.
    """
    rename = _renameat2()
    if rename is None:
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)


def link_tree(source: Path, target: Path) -> None:
    """Make at ``target`` another name for each file below ``source``; where links cannot be made, files are copied."""
    target.mkdir()
    for entry in sorted(source.iterdir()):
        link_entry(entry, target / entry.name)


def link_entry(source: Path, target: Path, *, moved: bool = False) -> None:
    """The same for one file or folder; a symbolic link is made again.

    With ``moved`` it will not lie where it lay, so that a link gets the whole path of what it led to.
    """
    if source.is_symlink():
        target.symlink_to(source.parent.resolve() / source.readlink() if moved else source.readlink())
    elif source.is_dir():
        link_tree(source, target)
    else:
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copy2(source, target)


@cache
def _renameat2() -> Any:
    if sys.platform != "linux":
        return None
    with suppress(OSError, AttributeError):
        return ctypes.CDLL(None).renameat2  # glibc since 2.28, musl since 1.2.6
    return None
