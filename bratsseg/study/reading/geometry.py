"""Which of a NIfTI header's matrices says where the voxels are, and when none can be trusted.

The rule: the sform when it is coded, otherwise the qform when it is coded. Two coded matrices must agree; a matrix that
nobody coded is nibabel's guess; a sheared matrix cannot be shown by most viewers. Each is refused unless a
``GeometryPolicy`` says otherwise, because a wrong choice moves the tumour without any error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import nibabel as nib
import numpy as np
from nibabel.quaternions import quat2mat
from nibabel.spatialimages import HeaderDataError
from numpy.typing import ArrayLike, NDArray

from bratsseg.config import Config
from bratsseg.errors import GeometryError
from bratsseg.study.grid import SAME_GRID_TOLERANCE_MM, Grid

SHEAR_TOLERANCE_DEGREES = 0.1
# No head is smaller or larger than this along any axis of a scan, slabs apart.
EXTENT_MM = (20.0, 700.0)
# Nothing that lies in a scanner is: such a size is an error of the header, and volumes by it would be nonsense.
POSSIBLE_MM = (5.0, 2000.0)
# A quaternion of float32 is off by about 1e-7 for each operation; the longest that anybody writes by rounding is 1.01.
QUATERNION_NOISE = 2e-5
LONGEST_QUATERNION = 1.01
_NOWHERE = np.full((4, 4), np.nan)

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
    forms = [form for name in ("sform", "qform") if (form := _form(header, name, scale)) is not None]
    if len(forms) == 2:
        affine, more = _settle(forms[0], forms[1], shape, owner, policy)
    elif forms:
        affine, more = forms[0].sound(owner), forms[0].notes
    elif policy.without_codes == "accept":
        affine = _scaled(np.asarray(header.get_base_affine(), dtype=np.float64), scale)
        more = ("neither qform nor sform is coded; the orientation is a guess",)
    else:
        raise GeometryError(
            f"{owner}: the header must say where the voxels are, but neither qform nor sform is coded, so nobody knows "
            "left from right; correct the header, or accept a guess with --accept-no-form-codes"
        )
    _refuse_wrong_unit(affine, scale, shape, owner)
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


@dataclass(frozen=True, eq=False)
class _Form:
    """A coded matrix in mm; ``fault`` says why it is none, ``notes`` what was tolerated."""

    name: str
    affine: Affine
    fault: str = ""
    notes: tuple[str, ...] = ()

    def sound(self, owner: str) -> Affine:
        """The matrix, or ``GeometryError`` when it is none."""
        if self.fault:
            raise GeometryError(
                f"{owner}: the {self.name} must say where the voxels are, but it {self.fault}; correct the header or "
                "convert the scan again"
            )
        return self.affine


def _settle(
    sform: _Form, qform: _Form, shape: tuple[int, int, int], owner: str, policy: GeometryPolicy
) -> tuple[Affine, tuple[str, ...]]:
    """The matrix of two coded ones that counts: either when they agree, otherwise the one that the policy trusts."""
    apart = Grid(shape, sform.affine).displacement_mm(Grid(shape, qform.affine))
    faults = [f"the {form.name} {form.fault}" for form in (sform, qform) if form.fault]
    if not faults and apart <= SAME_GRID_TOLERANCE_MM:
        return sform.affine, qform.notes
    how = " and ".join(faults) or f"they are {apart:.1f} mm apart"
    if policy.on_disagreement == "refuse":
        raise GeometryError(
            f"{owner}: qform and sform are both coded and must agree, but {how}; look at the scan in a viewer and go "
            "on with --trust-form sform or --trust-form qform"
        )
    trusted = sform if policy.on_disagreement == "sform" else qform
    return trusted.sound(owner), (
        f"qform and sform must agree, but {how}; {policy.on_disagreement} was trusted as asked",
    )


def _form(header: nib.Nifti1Header, name: str, scale: float) -> _Form | None:
    """The coded matrix called ``name``, None when it is not coded."""
    if not int(header[f"{name}_code"]):
        return None
    form = _qform(header) if name == "qform" else _Form(name, np.asarray(header.get_sform(), dtype=np.float64))
    if not form.fault and not np.isfinite(form.affine).all():
        form = replace(form, fault="holds NaN or infinity")
    return replace(form, affine=_scaled(form.affine, scale))


def _qform(header: nib.Nifti1Header) -> _Form:
    """The qform, whose quaternion (b, c, d) is at most 1 long.

    One that is longer by the noise of float32, or by its rounding in a text, is shortened to 1 as NIfTI's own library
    does (``nifti_quatern_to_mat44`` in nifti1_io.c): then the rotation is by 180 degrees.
    """
    header = header.copy()
    if float(header["pixdim"][0]) not in (-1.0, 1.0):  # NIfTI-1: 0 counts as 1
        header["pixdim"][0] = 1.0
    quaternion = np.array([float(header[name]) for name in ("quatern_b", "quatern_c", "quatern_d")])
    length = float(np.linalg.norm(quaternion))
    if not length <= LONGEST_QUATERNION:
        return _Form("qform", _NOWHERE, f"has a quaternion of length {length:.6g}, which must be at most 1")
    try:
        if length <= 1.0:
            return _Form("qform", np.asarray(header.get_qform(), dtype=np.float64))
        for name in ("quatern_b", "quatern_c", "quatern_d"):
            header[name] = 0.0
        affine = np.asarray(header.get_qform(), dtype=np.float64)  # sizes and origin, not rotated
    except (HeaderDataError, ValueError) as error:
        return _Form("qform", _NOWHERE, f"cannot be understood ({error})")
    affine[:3, :3] = quat2mat([0.0, *quaternion / length]) @ affine[:3, :3]
    long = f"the qform's quaternion is {length:.6g} long; it was shortened to 1, as NIfTI's own library does"
    return _Form("qform", affine, notes=(long,) if length > 1.0 + QUATERNION_NOISE else ())


def _scaled(affine: Affine, scale: float) -> Affine:
    return np.diag([scale, scale, scale, 1.0]) @ affine


def _to_millimetres(header: nib.Nifti1Header) -> tuple[float, tuple[str, ...]]:
    """How many mm the header's length unit has; unknown counts as mm."""
    try:
        unit = header.get_xyzt_units()[0]
    except KeyError:
        return 1.0, ("the header's length unit is not one of NIfTI's; mm was assumed",)
    return {"meter": 1000.0, "micron": 0.001}.get(unit, 1.0), ()


def _refuse_wrong_unit(affine: Affine, scale: float, shape: tuple[int, int, int], owner: str) -> None:
    """``GeometryError`` when the header's unit makes no head of numbers that would be one in mm."""
    extents = np.linalg.norm(affine[:3, :3], axis=0) * shape
    if scale == 1.0 or _is_head(extents) or not _is_head(extents / scale):
        return
    unit = "metres" if scale > 1 else "micrometres"
    raise GeometryError(
        f"{owner}: voxel sizes must be in the unit that the header names, {unit}, and the scan would be "
        f"{shown_extent(extents)} then; they look like mm: correct the unit in the header (xyzt_units 2 is mm) "
        "or convert the scan again"
    )


def _is_head(extents: NDArray[np.float64]) -> bool:
    return bool(EXTENT_MM[0] <= extents.max() <= EXTENT_MM[1])


def shown_extent(extents: ArrayLike) -> str:
    """ "240 x 240 x 155 mm", and metres or micrometres where that is easier to read."""
    sizes = np.asarray(extents, dtype=np.float64)
    largest = float(sizes.max())
    scale, unit = (0.001, "m") if largest >= 2000 else (1000.0, "micrometres") if largest < 1 else (1.0, "mm")
    return f"{' x '.join(f'{size * scale:.4g}' for size in sizes)} {unit}"


def _shown(affine: Affine) -> str:
    return "; ".join(" ".join(f"{value:.4g}" for value in row) for row in affine[:3])
