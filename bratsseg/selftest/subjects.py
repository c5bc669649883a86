"""The synthetic patients that the self-test looks at, as studies that never were files."""

from __future__ import annotations

import numpy as np

from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.head import HeadConfig
from bratsseg.synthesis.pictures import PictureConfig, take_pictures

SEED = 4711
"""Its first patient has all three regions, each well above 1 mL."""
SLICES = 6
"""Pictures of the stack, from the middle of the tumour."""
CONFIG, HEADS = PictureConfig(), SynthesisConfig(head=HeadConfig())
"""Pictures show the whole head, not only the brain."""


def volume_study(index: int, spacing_mm: float) -> Study:
    """Patient ``index`` as four volumes of ``spacing_mm``, made on the CPU so that every machine sees the same."""
    patient = synthesize_patient(SEED, index, spacing_mm)
    grid = Grid.of(patient.brain.shape, np.diag([spacing_mm] * 3 + [1.0]))
    images = patient.images.numpy()
    return Study(f"selftest-{index}", {m: Volume(image, grid) for m, image in zip(Modality, images, strict=True)})


def picture_study(index: int) -> Study:
    """Some pictures of patient ``index``: FLAIR, T1 and T1ce, 0 to 255, without a size."""
    pictures = take_pictures(synthesize_patient(SEED, index, CONFIG.spacing_mm, HEADS), SEED, index, CONFIG)
    middle = int(pictures.regions[0].sum((0, 1)).argmax())
    first = max(0, min(middle - SLICES // 2, pictures.images.shape[-1] - SLICES))
    stack = (pictures.images[..., first : first + SLICES] * 255).numpy()
    grid = Grid.of(stack.shape[1:], np.eye(4), physical=False)
    return Study(
        f"selftest-pictures-{index}", {m: Volume(image, grid) for m, image in zip(Modality, stack, strict=True)}
    )
