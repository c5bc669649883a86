"""One scan given as two modalities: the same file, files of equal content, or volumes of equal voxels.

Public copies of BraTS hold cases whose T1 and T1ce are the same voxels; a network then sees one scan twice and cannot
say what enhances. Each way in tells it with the same words.
"""

from __future__ import annotations

import filecmp
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from isal import igzip

from bratsseg.errors import ModalityAmbiguous
from bratsseg.files import GZIP_MAGIC
from bratsseg.study.case import Problem, VolumeSource
from bratsseg.study.layout.roles import NIFTI_SUFFIXES
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume

_WHOLE = (*NIFTI_SUFFIXES, ".mha")  # formats whose voxels lie in the file itself
_TRAILER = 8  # bytes: checksum and length of what was packed (RFC 1952)
_CHUNK = 1 << 20
_COARSE = 16


def given_twice(sources: Mapping[Modality, VolumeSource]) -> list[Problem]:
    """A warning for modalities of one file, or of files of equal content. Files that differ cost their last bytes."""
    names = {modality: source.path for modality, source in sources.items()}
    return _problems(names, lambda one, other: _same_source(sources[one], sources[other]))


def equal_volumes(study: Study) -> list[Problem]:
    """A warning for modalities whose voxels are equal, whatever their files are called."""
    names = {modality: study.volumes[modality].source or Path(modality.label) for modality in study.modalities}
    return _problems(names, lambda one, other: _same_voxels(study.volumes[one], study.volumes[other]))


def _problems(files: Mapping[Modality, Path], same: Callable[[Modality, Modality], bool]) -> list[Problem]:
    """One warning for each group of modalities that are the same scan."""
    left = [modality for modality in Modality if modality in files]
    problems = []
    while left:
        group = [left[0], *(other for other in left[1:] if same(left[0], other))]
        left = [modality for modality in left if modality not in group]
        if len(group) > 1:
            names = list(dict.fromkeys(_shown(files[modality], files.values()) for modality in group))
            text = (
                f"{' and '.join(modality.label for modality in group)} hold the same voxels ({', '.join(names)}): one "
                "scan stands for two modalities, and what they would tell apart cannot be seen; was a file copied or "
                "misnamed?"
            )
            problems.append(Problem(ModalityAmbiguous, text, fatal=False))
    return problems


def _shown(path: Path, others: Iterable[Path]) -> str:
    """The file's name, with its folder where another file has the same name."""
    alike = {other for other in others if other.name == path.name}
    return f"{path.parent.name}/{path.name}" if len(alike) > 1 else path.name


def _same_source(one: VolumeSource, other: VolumeSource) -> bool:
    if one.channel != other.channel:
        return False
    with suppress(OSError, EOFError, igzip.isal_zlib.error):  # whoever reads the file says what is wrong with it
        return one.path.resolve() == other.path.resolve() or _same_content(one.path, other.path)
    return False


def _same_content(one: Path, other: Path) -> bool:
    if not all(path.name.lower().endswith(_WHOLE) and path.is_file() for path in (one, other)):
        return False
    packed = [_is_packed(path) for path in (one, other)]
    if not any(packed):
        return filecmp.cmp(one, other, shallow=False)
    return all(packed) and _trailer(one) == _trailer(other) and _same_unpacked(one, other)


def _is_packed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def _trailer(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(-_TRAILER, 2)
        return stream.read()


def _same_unpacked(one: Path, other: Path) -> bool:
    with igzip.open(one, "rb") as first, igzip.open(other, "rb") as second:
        while block := first.read(_CHUNK):
            if block != second.read(len(block)):
                return False
        return not second.read(1)


def _same_voxels(one: Volume, other: Volume) -> bool:
    """A coarse look first: scans that differ do so within a few hundred voxels."""
    if one.voxels.shape != other.voxels.shape or (one.slope, one.intercept) != (other.slope, other.intercept):
        return False
    coarse = (slice(None, None, _COARSE),) * one.voxels.ndim
    return np.array_equal(one.voxels[coarse], other.voxels[coarse]) and np.array_equal(one.voxels, other.voxels)
