"""What the check of one scan found, so that nobody reads it again while its file is unchanged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from bratsseg.config import Config
from bratsseg.study.brain import BrainSign, brain_sign
from bratsseg.study.grid import Grid
from bratsseg.study.stack import FileState, state_of
from bratsseg.study.volume import Volume


class Finding(Config):
    """One file that was read whole and found to be sound. Kept with its upload, as JSON."""

    sha256: str
    """Of its bytes."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change, of before it was read."""
    shape: tuple[int, int, int]
    """(I, J, K)."""
    affine: list[list[float]]
    """4x4, voxel to RAS in mm."""
    content: str = ""
    """SHA-256 of its voxels as they are stored, and where they lie: the same however the file was packed."""
    sign: BrainSign | None = None
    """Of a file that was checked as a scan; None of one that was checked as a mask."""
    empty: bool = False
    """Of a mask: every voxel is 0."""
    marks: bool = True
    """Of a mask: it marks a voxel as brain."""

    @property
    def grid(self) -> Grid:
        """Where its voxels are."""
        return Grid.of(self.shape, self.affine)

    def holds_for(self, path: Path) -> bool:
        """True while the file has the size and the time of the last change that it had."""
        try:
            return state_of(path) == (self.size, self.mtime_ns)
        except OSError:
            return False


def finding_of(volume: Volume, state: FileState, *, is_scan: bool) -> Finding:
    """What is to be remembered of a sound volume, whose file was read in ``state``."""
    return Finding.model_validate(
        {
            "sha256": state.sha256,
            "size": state.size,
            "mtime_ns": state.mtime_ns,
            "shape": volume.grid.shape,
            "affine": volume.grid.affine.tolist(),
            "content": _content_of(volume),
            "sign": brain_sign(volume) if is_scan else None,
            "empty": not is_scan and not volume.voxels.any(),
            "marks": is_scan or bool((volume.values() > 0.5).any()),
        }
    )


def _content_of(volume: Volume) -> str:
    found = hashlib.sha256(f"{volume.voxels.dtype.str} {volume.grid.shape} {volume.slope} {volume.intercept}".encode())
    found.update(volume.grid.affine.astype(np.float32).tobytes())
    stored = volume.voxels.T if volume.voxels.flags.f_contiguous else volume.voxels  # no copy of what NIfTI reads
    found.update(np.ascontiguousarray(stored).data)
    return found.hexdigest()
