from __future__ import annotations

import pytest
import torch

from bratsseg.study.modality import Modality
from bratsseg.synthesis.artefacts import ArtefactConfig
from bratsseg.synthesis.contrast import ContrastConfig, Palette, draw_palette
from bratsseg.synthesis.distractors import DistractorConfig
from bratsseg.synthesis.draws import Draws
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.tumour import TumourConfig

FLAIR, T1N, T1C, T2W = range(len(Modality))
PATIENTS = 300


@pytest.fixture(scope="module", params=[True, False], ids=["enhancing", "not enhancing"])
def palettes(request: pytest.FixtureRequest) -> tuple[bool, list[Palette]]:
    cpu = torch.device("cpu")
    drawn = [draw_palette(Draws(9, n, cpu), ContrastConfig(), enhances=request.param) for n in range(PATIENTS)]
    return request.param, drawn


def share(of: list[bool]) -> float:
    return sum(of) / len(of)


def test_faint_edema_is_drawn_in_its_share(palettes: tuple[bool, list[Palette]]) -> None:
    enhances, drawn = palettes
    faint = share([p.edema[FLAIR] < 1.15 * p.grey[FLAIR] and p.edema[T1N] >= 0.88 for p in drawn])
    config = ContrastConfig()
    stated = config.low_contrast if enhances else config.low_contrast_solid
    assert stated - 0.07 < faint < stated + 0.2


def test_no_edema_is_as_dark_as_cortex_on_flair(palettes: tuple[bool, list[Palette]]) -> None:
    assert all(min(p.edema[FLAIR], p.border[FLAIR]) > 1.04 * p.grey[FLAIR] for p in palettes[1])


def test_some_cores_are_suppressed_on_flair_but_bright_on_t2(palettes: tuple[bool, list[Palette]]) -> None:
    enhances, drawn = palettes
    rims = [
        p.core[FLAIR] < p.core_border[FLAIR] and p.core[T2W] >= 1.2 * p.edema[T2W] and p.core[T1N] < p.edema[T1N]
        for p in drawn
    ]
    assert share(rims) == pytest.approx(0 if enhances else ContrastConfig().mismatch, abs=0.06)


def test_faint_rims_are_drawn_but_none_that_is_not_enhancing(palettes: tuple[bool, list[Palette]]) -> None:
    drawn = palettes[1]
    assert 0.15 < share([p.enhancing[T1C] < 1.3 for p in drawn]) < 0.7
    assert all(p.enhancing[T1C] >= 1.05 and p.enhancing[T1C] >= p.enhancing[T1N] + 0.09 for p in drawn)


def test_edema_falls_towards_its_border_in_some(palettes: tuple[bool, list[Palette]]) -> None:
    fading = share([p.border[FLAIR] < p.edema[FLAIR] - 0.02 for p in palettes[1]])
    assert 0.1 < fading <= ContrastConfig().fading + 0.06


def test_blood_is_bright_on_both_t1() -> None:
    nothing = {name: 0.0 for name in DistractorConfig.model_fields if not name.endswith(("_t1n", "_t1c"))}
    still = ArtefactConfig(
        bias_sd=(0, 0), poles=0, surface=0, gamma_sd=0, blur=(0, 0), shift_mm=0, thick=0, noise_sd=(0, 0)
    )
    found = 0
    for index in range(4):
        healthy, bled = (
            synthesize_patient(
                3, index, 3.0,
                SynthesisConfig(
                    tumour=TumourConfig(none=1),
                    distractors=DistractorConfig(**{**nothing, "haemorrhage": amount}),
                    artefacts=still,
                ),
            ).images
            for amount in (0.0, 1.0)
        )  # fmt: skip
        rise = bled - healthy
        where = rise[T1N] > 0.08
        found += int(where.sum())
        assert torch.allclose(rise[T1C][where], rise[T1N][where], rtol=0.15)
    assert found > 0
