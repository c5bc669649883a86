"""What the generator hands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from bratsseg.study.brain import Brain, bounding_box
from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume

FIELD_OF_VIEW_MM = (240.0, 240.0, 155.0)
"""What a BraTS scan covers from left to right, front to back, and below to above."""


@dataclass(frozen=True)
class SyntheticPatient:
    """One patient, RAS axes.

    ``images`` (4, I, J, K) float32 in ``Modality`` order, 0 outside the brain, positive inside,
    or with the head around it down to air; ``regions``
    (3, I, J, K) bool in ``Region`` order, nested; ``brain`` (I, J, K) bool; ``spacing`` mm per axis.
    """

    images: Tensor
    regions: Tensor
    brain: Tensor
    spacing: tuple[float, float, float]

    def scanned(self) -> SyntheticPatient:
        """The same patient in the field of view of BraTS scans, the brain's box in its middle; larger where that is.

        What was made ends where the brain does. A scan does not, so that a margin finds air around the brain.
        """
        pads: list[int] = []
        for axis, (part, fov_mm) in enumerate(zip(self.known_brain().box, FIELD_OF_VIEW_MM, strict=True)):
            size = part.stop - part.start
            room = max(round(fov_mm / self.spacing[axis]), size)
            # An odd voxel goes to the left and to the back, below the head: the low end in BraTS' axes, L P S.
            start = (room - size) // 2 if axis == 2 else -(-(room - size) // 2)
            low = start - part.start
            pads = [low, room - low - self.brain.shape[axis], *pads]
        images, regions, brain = (F.pad(each, pads) for each in (self.images, self.regions, self.brain))
        return SyntheticPatient(images, regions, brain, self.spacing)

    def study(self, case_id: str = "synthetic") -> Study:
        """The patient as a study of four scans, with which all is done that is done with a read one."""
        images = self.images.cpu().numpy()
        grid = Grid.of(images.shape[1:], np.diag([*self.spacing, 1.0]))
        return Study(case_id, {m: Volume(image, grid) for m, image in zip(Modality, images, strict=True)})

    def known_brain(self) -> Brain:
        """The brain as it was made, which nobody has to look for."""
        return brain_of(self.brain)


def brain_of(mask: Tensor) -> Brain:
    """A mask (I, J, K) bool that was made, and is not empty, as what ``find_brain`` gives."""
    voxels = mask.cpu().numpy()
    box = bounding_box(voxels)
    if box is None:
        raise ValueError("the brain of a synthetic patient must not be empty")
    return Brain(voxels, box, "synthetic")
