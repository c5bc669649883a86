"""What a study shows, as a few planes on a coarse raster: the one thing on which likeness is measured.

Volumes are cut into planes across their thickest axis, with pixels of about 2 mm; pictures are made coarser until what
they show is about as many pixels wide as a brain is in such planes. So the same figures mean the same in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bratsseg.study.brain import Brain
from bratsseg.study.likeness.outline import find_object, shape_figures
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study

PIXEL_MM = 2.0
MOST_PLANES = 12
# A picture is first made this fine along its shorter side at least, then until its object has about this width.
PICTURE_PIXELS = 128
OBJECT_PIXELS = 70
RIM_PIXELS = 2
# A picture in 8 bits whose brightest grey is fainter is taken as if that were this: its last levels are noise.
FAINT = 64.0
# Two planes this far apart still show the same folds of a brain.
NEXT_MM = 3.0

Mask = NDArray[np.bool_]
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Planes:
    """``images`` {modality: (P, H, W) float32} and where the object is, ``inside`` (P, H, W) bool.

    ``following`` has for each plane the one a few mm further on (P, H, W), or is empty for a single picture. W is the
    axis from left to right where ``across`` is true, and some other axis of the head otherwise.
    """

    images: dict[Modality, Values]
    inside: Mask
    following: dict[Modality, Values]
    following_inside: Mask
    across: bool


def planes_of_volume(study: Study, brain: Brain) -> Planes:
    """The planes of a study with a physical size, cut to the box of its brain."""
    grid = study.reference.grid
    spacing = grid.spacing
    assert spacing is not None  # pictures go another way
    through, down, right = _axes(grid.affine, spacing)
    box = brain.box
    count = box[through].stop - box[through].start
    ahead = min(max(1, round(NEXT_MM / spacing[through])), count - 1)
    chosen = box[through].start + _spread(count - ahead)
    steps = tuple(max(1, round(PIXEL_MM / edge)) for edge in spacing)

    def cut(voxels: NDArray[np.generic], at: NDArray[np.intp]) -> NDArray[np.generic]:
        index: list[slice] = [slice(part.start, part.stop, step) for part, step in zip(box, steps, strict=True)]
        planes = []
        for place in at:
            index[through] = slice(int(place), int(place) + 1)
            planes.append(voxels[tuple(index)].transpose(through, down, right)[0])
        return np.stack(planes)

    volumes = {modality: study.volumes[modality].voxels for modality in study.modalities}
    return Planes(
        images={modality: cut(voxels, chosen).astype(np.float32) for modality, voxels in volumes.items()},
        inside=cut(brain.mask, chosen).astype(bool),
        following={m: cut(voxels, chosen + ahead).astype(np.float32) for m, voxels in volumes.items() if ahead},
        following_inside=cut(brain.mask, chosen + ahead).astype(bool),
        across=world_axis(grid.affine, right) == 0,
    )


def planes_of_pictures(study: Study) -> tuple[Planes, dict[str, float]]:
    """The planes of a study of pictures, how their object lies in them and is shaped, and whether all is ``black``.

    Pixels are averaged in blocks until the largest object is about ``OBJECT_PIXELS`` wide; small pictures stay.
    """
    stored = {modality: study.volumes[modality].voxels for modality in study.modalities}
    width, height, count = study.reference.grid.shape
    ahead = min(1, count - 1)
    chosen = _spread(count - ahead)
    step = max(1, min(width, height) // PICTURE_PIXELS)
    faint = FAINT if all(voxels.dtype == np.uint8 for voxels in stored.values()) else 0.0
    images = {m: _blocks(voxels[:, :, chosen], step) for m, voxels in stored.items()}
    inside, lies = find_object(_lively(images), faint)
    more = round(float(np.sqrt(inside.sum(axis=(1, 2)).max())) / OBJECT_PIXELS)
    if more > 1:
        step *= more
        images = {m: _blocks(voxels[:, :, chosen], step) for m, voxels in stored.items()}
        inside, lies = find_object(_lively(images), faint)
    following = {m: _blocks(voxels[:, :, chosen + ahead], step) for m, voxels in stored.items() if ahead}
    following_inside = find_object(_lively(following), faint)[0] if following else inside
    planes = Planes(images, _without_rim(inside), following, _without_rim(following_inside), across=False)
    brightest = max(float(np.percentile(image, 99)) for image in images.values())
    return planes, lies | shape_figures(inside) | ({"black": 1.0} if brightest < faint else {})


def _without_rim(inside: Mask) -> Mask:
    """An object without its outermost pixels, which are half air."""
    square = np.ones((1, 3, 3), dtype=bool)
    found: Mask = ndimage.binary_erosion(inside, square, iterations=RIM_PIXELS, border_value=1)
    return found


def _lively(images: dict[Modality, Values]) -> list[Values]:
    """Those that are not constant: makers of data sets fill what they lack with black."""
    lively = [image for image in images.values() if image.min() < image.max()]
    return lively or list(images.values())


def _blocks(pixels: NDArray[np.generic], step: int) -> Values:
    """(I, J, P) pixels, columns first, to the means of blocks (P, H, W) of ``step`` pixels; a rest is cut off."""
    image = np.ascontiguousarray(pixels.transpose(2, 1, 0), dtype=np.float32)
    if step == 1:
        return image
    p, h, w = image.shape[0], image.shape[1] // step, image.shape[2] // step
    found: Values = image[:, : h * step, : w * step].reshape(p, h, step, w, step).mean(axis=(2, 4))
    return found


def _axes(affine: NDArray[np.float64], spacing: tuple[float, float, float]) -> tuple[int, int, int]:
    """The array's axes (through the planes, down, right): thick slices as they are, otherwise axial ones."""
    upward = next(axis for axis in range(3) if world_axis(affine, axis) == 2)
    thickest = int(np.argmax(spacing))
    through = upward if spacing[upward] > 0.8 * spacing[thickest] else thickest
    left = [axis for axis in range(3) if axis != through]
    left.sort(key=lambda axis: world_axis(affine, axis), reverse=True)
    return through, left[0], left[1]


def world_axis(affine: NDArray[np.float64], axis: int) -> int:
    """Which world axis (0 right, 1 front, 2 up) an axis of the array mostly follows; each follows another one."""
    size = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    best = max(permutations(range(3)), key=lambda order: sum(size[order[a], a] for a in range(3)))
    return best[axis]


def _spread(count: int) -> NDArray[np.intp]:
    """At most ``MOST_PLANES`` of ``count`` planes, evenly apart, a twentieth left out at both ends."""
    if count <= MOST_PLANES:
        return np.arange(max(count, 1))
    return np.linspace(0.05 * (count - 1), 0.95 * (count - 1), MOST_PLANES).round().astype(np.intp)
