from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.study.modality import Modality, candidates, modality_of

FLAIR, T1N, T1C, T2W = Modality

NAMES = {
    "t1": T1N,
    "t1ce": T1C,
    "t1c": T1C,
    "t1gd": T1C,
    "t1post": T1C,
    "T1POST": T1C,
    "T1Post": T1C,
    "T1wCE": T1C,
    "CT1": T1C,
    "T1+C": T1C,
    "AX T1 +C": T1C,
    "T1_C": T1C,
    "T1_with_contrast": T1C,
    "postContrastT1": T1C,
    "t1_mprage_sag_ce": T1C,
    "3D_T1_BRAVO_GD": T1C,
    "MPRAGE_post": T1C,
    "sub-01_ce-gadolinium_T1w": T1C,
    "postop_T1_Gd": T1C,
    "T1c_subtrMeanDivStd": T1C,
    "T1POST_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI": T1C,
    "MRHR_T1_AX_POST_GAD_OtherEXampleTCIA_TCGA-FG-6692_Si_TCGA-FG-6692_MRHR_T1_AX_POST_GAD_SE_13_se2d1r_t1c": T1C,
    "VSD.Brain.XX.O.MR_T1c.54514": T1C,
    "t1n": T1N,
    "T1w": T1N,
    "T1W": T1N,
    "MPRAGE": T1N,
    "T1_without_contrast": T1N,
    "T1 w/o contrast": T1N,
    "T1_noGd": T1N,
    "T1_pre": T1N,
    "T1_pre_contrast": T1N,
    "T1_nativ": T1N,
    "post_op_T1": T1N,
    "T1toFLAIR": T1N,
    "T1_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI": T1N,
    "T1_AX_OtherEXampleTCIA_TCGA-FG-6692_Si_TCGA-FG-6692_T1_AX_SE_10_se2d1_t1": T1N,
    "t2": T2W,
    "t2W": T2W,
    "t2w": T2W,
    "T2_TSE_TRA": T2W,
    "pre_op_T2": T2W,
    "t2_to_t1ce": T2W,
    "T2_registered_to_T1": T2W,
    "T2_in_T1_space": T2W,
    "MRHR_T2_AX_OtherEXampleTCIA_TCGA-FG-6692_Si_TCGA-FG-6692_MRHR_T2_AX_SE_2_tse2d1_11_t2": T2W,
    "FLAIR": FLAIR,
    "T2_FLAIR": FLAIR,
    "T2Flair": FLAIR,
    "t2f": FLAIR,
    "fla": FLAIR,
    "tirm": FLAIR,
    "t2_tse_tra_dark-fluid": FLAIR,
    "t2_space_flair": FLAIR,
    "flair2t1": FLAIR,
    "sub-01_space-T1w_FLAIR": FLAIR,
    "FLAIR_MPR": FLAIR,
    "Flair_subtrMeanDivStd": FLAIR,
    "MRHR_FLAIR_AX_OtherEXampleTCIA_TCGA-FG-6692_Si_TCGA-FG-6692_MRHR_FLAIR_AX_SE_IR_5_tir2d1_21_fla": FLAIR,
    "OTMultiClass": None,
    "brainmask": None,
    "T2*": None,
    "T2star": None,
    "adc": None,
    "SWI": None,
    "patient_t12": None,
    "post": None,
    "IM_0001": None,
}


@pytest.mark.parametrize(("name", "modality"), NAMES.items(), ids=lambda value: str(value)[:40])
def test_a_name_says_what_a_radiologist_would_say(name: str, modality: Modality | None) -> None:
    assert modality_of(name) is modality


@pytest.mark.parametrize(
    ("name", "expected"),
    [("FLAIR_T1", {T1N, FLAIR}), ("T1_and_T2", {T1N, T2W}), ("T1_pre_and_post", {T1N, T1C})],
)
def test_a_name_that_does_not_decide_is_left_open(name: str, expected: set[Modality]) -> None:
    assert candidates(name) == expected
    assert modality_of(name) is None


@given(st.text(max_size=40))
def test_any_text_can_be_asked_about(name: str) -> None:
    assert candidates(name) <= set(Modality)


@given(st.sampled_from(["patient", "BraTS2021", "x7", "Müller"]), st.integers(0, 9999), st.sampled_from(list(NAMES)))
def test_a_case_id_before_the_words_changes_nothing(word: str, number: int, name: str) -> None:
    assert candidates(f"{word}_{number:05d}_{name}") == candidates(name)
