"""Listing: the image files below a folder, without our own results and what no user means."""

from __future__ import annotations

import os
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bratsseg.errors import UsageError
from bratsseg.study.layout.roles import PICTURE_SUFFIXES, SUFFIXES, role_of, stem_of
from bratsseg.study.mark import not_ours
from bratsseg.study.modality import candidates
from bratsseg.study.patient import id_of
from bratsseg.study.stack import names_in

_SKIPPED_FOLDERS = {"__macosx", "thumbnails", "thumbs"}


@dataclass(frozen=True)
class Listing:
    """Image files by folder, both sorted, and the folders that could not be read with the reason.

    ``ours`` is True when results of ours lie among them, which are left out.
    """

    root: Path
    folders: dict[Path, tuple[Path, ...]]
    unreadable: tuple[tuple[Path, str], ...] = ()
    ours: bool = False

    def without(self, claimed: Iterable[Path]) -> Listing:
        """The same without some files."""
        gone = set(claimed)
        left = {folder: tuple(file for file in files if file not in gone) for folder, files in self.folders.items()}
        return Listing(
            self.root, {folder: files for folder, files in left.items() if files}, self.unreadable, self.ours
        )

    def below_root(self, path: Path) -> str:
        """A path relative to the root, with '/'."""
        return path.relative_to(self.root).as_posix()

    def id_of(self, place: Path) -> str:
        """The id of the case in the folder ``place``, or of the stem called so: by the user's own names.

        Names above the root count as well, so that a search that starts further down finds the same ids.
        """
        return id_of(self.root.resolve() / place.relative_to(self.root))


def list_images(root: Path, suffixes: tuple[str, ...] = SUFFIXES, *, ours: bool = False) -> Listing:
    """Walk ``root`` for files that end so; ``UsageError`` when it is not a readable folder.

    With ``ours`` results of ours are listed too.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: must be a folder, {'is a file' if root.exists() else 'does not exist'}")
    folders: dict[Path, tuple[Path, ...]] = {}
    unreadable: list[tuple[Path, str]] = []
    waiting, seen = [root], set[tuple[int, int]]()
    while waiting:
        folder = waiting.pop()
        try:
            state = folder.stat()
            if (state.st_dev, state.st_ino) in seen:  # a link back up
                continue
            seen.add((state.st_dev, state.st_ino))
            files, below = _entries(folder, suffixes)
        except OSError as error:
            unreadable.append((folder, error.strerror or str(error)))
            continue
        waiting.extend(below)
        if files:
            folders[folder] = files
    kept = {
        folder: folders[folder] if ours else tuple(not_ours(folder, folders[folder], _may_be_ours))
        for folder in sorted(folders)
    }
    left = {folder: files for folder, files in kept.items() if files}
    return Listing(root, left, tuple(sorted(unreadable)), ours=kept != folders)


def list_pictures(root: Path) -> Listing:
    """The pictures below ``root``, a folder or a zip; ``UsageError`` when it is neither."""
    if not root.is_file():
        return list_images(root, PICTURE_SUFFIXES)
    try:
        names = [PurePosixPath(name) for name in sorted(names_in(root))]
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{root}: must be a folder, or a zip of pictures; {error}") from error
    folders: dict[Path, list[Path]] = defaultdict(list)
    for name in names:
        hidden = any(part.startswith(".") or part.lower() in _SKIPPED_FOLDERS for part in name.parts)
        if not hidden and name.name.lower().endswith(PICTURE_SUFFIXES):
            folders[root / name.parent].append(root / name)
    return Listing(root, {folder: tuple(files) for folder, files in folders.items()})


def _entries(folder: Path, suffixes: tuple[str, ...]) -> tuple[tuple[Path, ...], list[Path]]:
    """The image files and the subfolders of one folder."""
    files: list[str] = []
    below: list[Path] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _SKIPPED_FOLDERS:
                continue
            if entry.name.lower().endswith(suffixes) and not _is_folder(entry):
                files.append(entry.name)
            elif _is_folder(entry):
                below.append(folder / entry.name)
    return tuple(folder / name for name in sorted(files)), below


def _may_be_ours(file: Path) -> bool:
    """False for a file that is named as a scan and nothing else."""
    stem = stem_of(file)
    return role_of(stem) is not None or not candidates(stem)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
