"""MetaImage and NRRD through the ``itk`` package, which is optional and imported only here.

ITK's frame is LPS and its arrays are (K, J, I); a Volume's are RAS and (I, J, K). ITK reads files and no memory, and
the voxels may lie in a file of their own (``.raw``): so whatever was read of the file before is of no use here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import ContentError, ReadError
from bratsseg.study.case import VolumeSource
from bratsseg.study.grid import Grid
from bratsseg.study.reading.content import Content
from bratsseg.study.reading.geometry import GeometryPolicy, check_affine
from bratsseg.study.reading.header import ONE_NUMBER, SLICER_SEGMENTATION, Header, check_channel, split_shape

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_header(source: VolumeSource, content: Content, owner: str, policy: GeometryPolicy) -> Header:
    """The header of one MetaImage or NRRD volume; ``ReadError``, ``ContentError`` or ``GeometryError``."""
    itk = _itk(owner)
    path = str(source.path)
    io = itk.ImageIOFactory.CreateImageIO(path, itk.CommonEnums.IOFileMode_ReadMode)
    if io is None:
        raise ReadError(f"{owner}: {source.path.name} is not a MetaImage or NRRD file that itk can read")
    io.SetFileName(path)
    try:
        io.ReadImageInformation()
    except RuntimeError as error:
        raise _damaged(owner, source, error) from error
    axes = int(io.GetNumberOfDimensions())
    shape, volumes = split_shape(tuple(int(io.GetDimensions(axis)) for axis in range(axes)), owner)
    components = int(io.GetNumberOfComponents())
    check_channel(source, volumes, owner)
    if components > 1:
        _refuse_components(components, source, owner)
    dtype = np.dtype(_TYPES[itk.ImageIOBase.GetComponentTypeAsString(io.GetComponentType())])
    affine = np.eye(4)
    for axis in range(min(axes, 3)):
        direction = io.GetDirection(axis)
        for row in range(min(axes, 3)):
            affine[row, axis] = direction[row] * io.GetSpacing(axis)
        affine[axis, 3] = io.GetOrigin(axis)
    affine = _LPS_TO_RAS @ affine
    return Header(Grid.of(shape, affine), dtype, volumes, notes=check_affine(affine, owner, policy))


def _refuse_components(components: int, source: VolumeSource, owner: str) -> None:
    if source.path.name.lower().endswith(SLICER_SEGMENTATION):
        raise ContentError(
            f"{owner}: a label map must be one layer, {source.path.name} has {components}, as 3D Slicer stores "
            "segments that overlap; export it there as a label map (Segmentations, Export to new labelmap)"
        )
    raise ContentError(
        f"{owner}: voxels must be plain numbers, were {components} numbers each (colours or vectors); {ONE_NUMBER}"
    )


_TYPES = {
    "unsigned_char": "u1",
    "char": "i1",
    "unsigned_short": "u2",
    "short": "i2",
    "unsigned_int": "u4",
    "int": "i4",
    "unsigned_long": "u8",
    "long": "i8",
    "unsigned_long_long": "u8",
    "long_long": "i8",
    "float": "f4",
    "double": "f8",
}


def read_voxels(
    source: VolumeSource, content: Content, header: Header, owner: str
) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    """The stored voxels, (I, J, K) in Fortran order; ``ReadError`` when the file is cut short or damaged."""
    itk = _itk(owner)
    try:
        voxels = np.asarray(itk.array_from_image(itk.imread(str(source.path))))
    except RuntimeError as error:
        raise _damaged(owner, source, error) from error
    if header.volumes > 1:
        voxels = voxels.reshape(header.volumes, *header.grid.shape[::-1])[check_channel(source, header.volumes, owner)]
    return voxels.reshape(header.grid.shape[::-1]).T, ()


def _itk(owner: str) -> Any:
    try:
        import itk  # noqa: PLC0415
    except ImportError as error:
        raise ReadError(
            f'{owner}: MetaImage and NRRD need the itk package; pip install "bratsseg[itk]", or convert to NIfTI'
        ) from error
    return itk


def _damaged(owner: str, source: VolumeSource, error: RuntimeError) -> ReadError:
    reason = str(error).strip().splitlines()[-1].strip()
    return ReadError(f"{owner}: {source.path.name} is truncated or damaged; {reason}; copy it again")
