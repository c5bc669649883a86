"""Which of a NIfTI header's matrices says where the voxels are, and when none can be trusted.

The rule: the sform when it is coded, else the qform when it is coded. Two coded matrices must agree; a matrix that
nobody coded is nibabel's guess; a sheared matrix cannot be shown by most viewers. Each is refused unless a
``GeometryPolicy`` says otherwise, because a wrong choice moves the tumour without any error.
"""

from __future__ import annotations

from typing import Literal

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from bratsseg.config import Config
from bratsseg.errors import GeometryError
from bratsseg.study.grid import SAME_GRID_TOLERANCE_MM, Grid

SHEAR_TOLERANCE_DEGREES = 0.1

Affine = NDArray[np.float64]


class GeometryPolicy(Config):
    """What to do with a header that does not say clearly where the voxels are."""

    on_disagreement: Literal["refuse", "sform", "qform"] = "refuse"
    """qform and sform are both coded and differ: refuse, or trust the one named. Command line: --trust-form."""
    without_codes: Literal["refuse", "accept"] = "refuse"
    """Neither form is coded: refuse, or take nibabel's guess. Command line: --accept-no-form-codes."""
    shear: Literal["refuse", "accept"] = "refuse"
    """The voxel axes are not at right angles: refuse, or go on. Command line: --accept-shear."""


def choose_affine(
    header: nib.Nifti1Header, shape: tuple[int, int, int], owner: str, policy: GeometryPolicy
) -> tuple[Affine, tuple[str, ...]]:
    """The 4x4 matrix from voxel to RAS in mm, and notes on what was tolerated.

    ``shape`` is (I, J, K). Raises ``GeometryError``, which names the flag that goes on where there is one.
    """
    scale, notes = _to_millimetres(header)
    sform, qform = _sform(header), _qform(header)
    if sform is not None and qform is not None:
        affine, more = _settle(scale @ sform, scale @ qform, shape, owner, policy)
    elif sform is not None:
        affine, more = scale @ sform, ()
    elif qform is not None:
        affine, more = scale @ qform, ()
    elif policy.without_codes == "accept":
        affine = scale @ np.asarray(header.get_base_affine(), dtype=np.float64)
        more = ("neither qform nor sform is coded; the orientation is a guess",)
    else:
        raise GeometryError(
            f"{owner}: the header must say where the voxels are, but neither qform nor sform is coded, so nobody knows "
            "left from right; correct the header, or accept a guess with --accept-no-form-codes"
        )
    return affine, notes + more + check_affine(affine, owner, policy)


def check_affine(affine: Affine, owner: str, policy: GeometryPolicy) -> tuple[str, ...]:
    """Notes on a tolerated matrix; ``GeometryError`` when it is not finite, singular, or sheared and not accepted."""
    linear = affine[:3, :3]
    lengths = np.linalg.norm(linear, axis=0)
    if not np.isfinite(affine).all() or not (lengths > 0).all():
        raise GeometryError(
            f"{owner}: the voxel-to-patient matrix must be finite and have three axes, was {_shown(affine)}; "
            "correct the header or convert the scan again"
        )
    cosines = np.abs((linear / lengths).T @ (linear / lengths))[np.triu_indices(3, 1)]
    shear = float(90.0 - np.degrees(np.arccos(np.clip(cosines.max(), 0.0, 1.0))))
    if abs(np.linalg.det(linear / lengths)) < 1e-3:
        raise GeometryError(
            f"{owner}: the voxel axes must span space, but two or three lie in one plane: {_shown(affine)}; "
            "correct the header or convert the scan again"
        )
    if shear <= SHEAR_TOLERANCE_DEGREES:
        return ()
    if policy.shear == "refuse":
        raise GeometryError(
            f"{owner}: the voxel axes must be at right angles, they are {shear:.1f} degrees off (sheared); "
            "resample the scan to a straight grid, or go on with --accept-shear"
        )
    return (f"the voxel axes are {shear:.1f} degrees off right angles (sheared)",)


def _settle(
    sform: Affine, qform: Affine, shape: tuple[int, int, int], owner: str, policy: GeometryPolicy
) -> tuple[Affine, tuple[str, ...]]:
    apart = Grid(shape, sform).displacement_mm(Grid(shape, qform))
    if apart <= SAME_GRID_TOLERANCE_MM:  # never true of NaN
        return sform, ()
    if policy.on_disagreement == "refuse":
        raise GeometryError(
            f"{owner}: qform and sform are both coded and must agree, they are {apart:.1f} mm apart; look at the scan "
            "in a viewer and go on with --trust-form sform or --trust-form qform"
        )
    chosen = sform if policy.on_disagreement == "sform" else qform
    return chosen, (f"qform and sform are {apart:.1f} mm apart; {policy.on_disagreement} was trusted as asked",)


def _sform(header: nib.Nifti1Header) -> Affine | None:
    matrix, code = header.get_sform(coded=True)
    return None if not code else np.asarray(matrix, dtype=np.float64)


def _qform(header: nib.Nifti1Header) -> Affine | None:
    """The coded qform; all NaN when its quaternion is none, so that it agrees with nothing."""
    if not int(header["qform_code"]):
        return None
    if float(header["pixdim"][0]) not in (-1.0, 1.0):  # NIfTI-1: 0 counts as 1
        header = header.copy()
        header["pixdim"][0] = 1.0
    try:
        return np.asarray(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError):
        return np.full((4, 4), np.nan)


def _to_millimetres(header: nib.Nifti1Header) -> tuple[Affine, tuple[str, ...]]:
    """The 4x4 matrix that takes the header's length unit to mm; unknown counts as mm."""
    try:
        unit = header.get_xyzt_units()[0]
    except KeyError:
        return np.eye(4), ("the header's length unit is not one of NIfTI's; mm was assumed",)
    factor = {"meter": 1000.0, "micron": 0.001}.get(unit, 1.0)
    return np.diag([factor, factor, factor, 1.0]), ()


def _shown(affine: Affine) -> str:
    return "; ".join(" ".join(f"{value:.4g}" for value in row) for row in affine[:3])
