"""The synthetic patients that the self-test looks at, as studies that never were files."""

from __future__ import annotations

from bratsseg.study.volume import Study
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.head import HeadConfig
from bratsseg.synthesis.pictures import PictureConfig, Pictures, take_pictures

SEED = 4711
"""Its first patient has all three regions, each well above 1 mL."""
SLICES = 6
"""Pictures of the stack, from the middle of the tumour."""
CONFIG, HEADS = PictureConfig(), SynthesisConfig(head=HeadConfig())
"""Pictures show the whole head, not only the brain."""


def volume_study(index: int, spacing_mm: float) -> Study:
    """Patient ``index`` as four volumes of ``spacing_mm``, made on the CPU so that every machine sees the same."""
    return synthesize_patient(SEED, index, spacing_mm).study(f"selftest-{index}")


def picture_study(index: int) -> Study:
    """Some pictures of patient ``index``, 0 to 255, without a size."""
    pictures = take_pictures(synthesize_patient(SEED, index, CONFIG.spacing_mm, HEADS), SEED, index, CONFIG)
    middle = int(pictures.regions[0].sum((0, 1)).argmax())
    first = max(0, min(middle - SLICES // 2, pictures.images.shape[-1] - SLICES))
    part = slice(first, first + SLICES)
    return Pictures(pictures.images[..., part], pictures.regions[..., part]).study(f"selftest-pictures-{index}")
