from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bratsseg.errors import UsageError
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.roles import says_something
from bratsseg.study.modality import Modality
from bratsseg.study.reading import read_volume
from bratsseg.study.visit import tells
from bratsseg.study.writing import write_label_map
from tests.study.scans import image, put, put_json, save

FOUR = ("flair", "t1", "t1ce", "t2")


def brats(case: str, *extra: str) -> list[str]:
    return [f"{case}_{word}.nii.gz" for word in (*FOUR, *extra)]


def only(root: Path) -> Case:
    (case,) = find_cases(root)
    return case


def files(case: Case, root: Path) -> dict[str, str]:
    return {modality.label: source.path.relative_to(root).as_posix() for modality, source in case.sources.items()}


@pytest.mark.parametrize(
    ("stem", "dialect"),
    [
        ("BraTS2021_00000", "brats2021"),
        ("BraTS20_Training_001", "brats2021"),
        ("BraTS19_2013_10_1", "brats2021"),
        ("Brats18_TCIA01_131_1", "brats2021"),
    ],
)
@pytest.mark.parametrize("nested", [True, False])
def test_brats_to_2021(tmp_path: Path, stem: str, dialect: str, nested: bool) -> None:
    put(tmp_path / stem if nested else tmp_path, *brats(stem, "seg"))
    case = only(tmp_path)
    assert (case.id, case.dialect) == (stem, dialect)
    assert list(case.sources) == list(Modality)
    assert case.sources[Modality.T1C].path.name == f"{stem}_t1ce.nii.gz"
    assert case.reference is not None
    assert case.reference.name == f"{stem}_seg.nii.gz"
    assert not case.problems


@pytest.mark.parametrize(
    ("parent", "stem", "dialect"),
    [
        ("train", "BraTS-GLI-00000-000", "brats2023"),
        ("synthetic", "BraTS-SYN-00000-000", "brats2023"),
        ("train", "BraTS-PED-00002-000", "brats2024-ped"),
        ("ASNR-MICCAI-BraTS2023-PED-Challenge-TrainingData", "BraTS-PED-00002-000", None),
        ("train", "BraTS-MET-00002-000", None),
    ],
)
def test_brats_since_2023(tmp_path: Path, parent: str, stem: str, dialect: str | None) -> None:
    put(tmp_path / parent / stem, *(f"{stem}-{word}.nii.gz" for word in ("t1n", "t1c", "t2W", "t2f", "seg")))
    case = only(tmp_path)
    assert (case.id, case.dialect) == (stem, dialect)
    assert list(case.sources) == list(Modality)


def test_the_misnamed_label_map_of_brats_2020_is_found(tmp_path: Path) -> None:
    put(tmp_path / "BraTS20_Training_355", *brats("BraTS20_Training_355"), "W39_1998.09.19_Segm.nii")
    reference = only(tmp_path).reference
    assert reference is not None
    assert reference.name == "W39_1998.09.19_Segm.nii"


def test_brats_2015_has_each_file_in_a_folder_of_its_own(tmp_path: Path) -> None:
    names = [
        f"VSD.Brain.XX.O.{kind}.{n}" for n, kind in enumerate(("MR_Flair", "MR_T1", "MR_T1c", "MR_T2", "OT"), 54512)
    ]
    put(tmp_path / "HGG" / "brats_2013_pat0001_1", *(f"{name}/{name}.mha" for name in names))
    case = only(tmp_path)
    assert (case.id, case.dialect) == ("brats_2013_pat0001_1", "brats2013")
    assert list(case.sources) == list(Modality)


def test_a_folder_of_its_own_may_hold_the_file_one_level_deeper(tmp_path: Path) -> None:
    kinds = ("1_FLAIR/NIFTI/FLAIR", "2_T1/NIFTI/T1", "3_T1GD/NIFTI/T1GD", "4_T2/NIFTI/T2")
    for patient in ("EGD-0001", "EGD-0002"):
        put(tmp_path / patient, *(f"{kind}.nii.gz" for kind in kinds))
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == ["EGD-0001", "EGD-0002"]
    assert all(list(case.sources) == list(Modality) for case in cases)


def test_a_brain_mask_and_a_2013_reference(tmp_path: Path) -> None:
    put(tmp_path / "pat1", "Flair_subtrMeanDivStd.nii.gz", "T1c_subtrMeanDivStd.nii.gz", "OTMultiClass.nii.gz")
    put(tmp_path / "pat1", "brainmask.nii.gz")
    case = only(tmp_path)
    assert (case.id, case.dialect, case.mask) == ("pat1", "brats2013", tmp_path / "pat1" / "brainmask.nii.gz")
    assert set(case.sources) == {Modality.FLAIR, Modality.T1C}


def test_a_mask_that_may_be_brain_or_tumour_is_used_as_neither(tmp_path: Path) -> None:
    put(tmp_path / "pat1", "flair.nii.gz", "mask.nii.gz")
    case = only(tmp_path)
    assert (case.mask, case.reference) == (None, None)
    assert [(problem.fatal, "mask.nii.gz" in problem.message) for problem in case.problems] == [(False, True)]


@pytest.mark.parametrize("stem", ["case{}", "hospital_A-{:03d}", "T2-study_{}"])
def test_a_flat_folder_of_many(tmp_path: Path, stem: str) -> None:
    put(tmp_path, *(name for n in (1, 2, 3) for name in brats(stem.format(n), "seg")))
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == [stem.format(n) for n in (1, 2, 3)]
    assert all(list(case.sources) == list(Modality) and case.reference and not case.problems for case in cases)


def test_patients_with_one_scan_each_are_not_merged(tmp_path: Path) -> None:
    put(tmp_path, "P1_flair.nii.gz", "P2_t1ce.nii.gz")
    assert [case.id for case in find_cases(tmp_path)] == ["P1", "P2"]


def test_series_numbers_are_no_patients(tmp_path: Path) -> None:
    put(tmp_path / "Miller", "3_T1.nii.gz", "4_T2.nii.gz", "5_FLAIR.nii.gz", "12_T1_post.nii.gz")
    case = only(tmp_path)
    assert case.id == "Miller"
    assert list(case.sources) == list(Modality)


def test_loose_files_of_one_study_are_named_by_their_folder(tmp_path: Path) -> None:
    root = put(tmp_path / "Miller", "T1.nii.gz", "AX_T1_post.nii", "axial_flair.nii.gz", "T2_TSE.nii.gz")
    assert only(root).id == "Miller"
    assert list(only(root).sources) == list(Modality)


def test_a_lone_study_at_the_top_keeps_the_stem_of_its_files(tmp_path: Path) -> None:
    put(tmp_path, *brats("case7"))
    assert only(tmp_path).id == "case7"


def test_an_id_that_names_a_modality_does_not_confuse(tmp_path: Path) -> None:
    put(tmp_path / "T2-gliom-01", *brats("T2-gliom-01"))
    assert list(only(tmp_path).sources) == list(Modality)


def test_a_folder_for_each_modality(tmp_path: Path) -> None:
    put(
        tmp_path,
        *(f"{word}/pat{n}.nii.gz" for word in FOUR for n in (1, 2)),
        "labels/pat1.nii.gz",
        "labels/pat2.nii.gz",
    )
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == ["pat1", "pat2"]
    assert files(cases[0], tmp_path)["T1ce"] == "t1ce/pat1.nii.gz"
    assert cases[1].reference == tmp_path / "labels" / "pat2.nii.gz"


def nnunet(root: Path, facts: object | None) -> Path:
    put(root, *(f"imagesTr/BraTS2021_00000_{n:04d}.nii.gz" for n in range(4)), "labelsTr/BraTS2021_00000.nii.gz")
    if facts is not None:
        put_json(root / "dataset.json", facts)
    return root


@pytest.mark.parametrize("key", ["channel_names", "modality"])
@pytest.mark.parametrize("order", list(itertools.permutations(FOUR))[::7])
def test_nnunet_takes_the_order_from_dataset_json(tmp_path: Path, key: str, order: tuple[str, ...]) -> None:
    case = only(nnunet(tmp_path, {key: {str(n): name for n, name in enumerate(order)}}))
    assert case.sources[Modality.T1C].path.name == f"BraTS2021_00000_{order.index('t1ce'):04d}.nii.gz"
    assert (case.id, case.reference) == ("BraTS2021_00000", tmp_path / "labelsTr" / "BraTS2021_00000.nii.gz")
    assert case.dialect is None  # nnU-Net's converters renumber the labels


@pytest.mark.parametrize("facts", [None, {}, {"channel_names": {"0": "noNorm"}}, {"channel_names": "T1"}, [1]])
def test_nnunet_without_the_order_is_refused_and_never_guessed(tmp_path: Path, facts: object) -> None:
    case = only(nnunet(tmp_path, facts))
    assert not case.sources
    assert [problem.code for problem in case.problems] == ["modality_ambiguous"]
    assert "--layout" in case.problems[0].message


MSD = {
    "modality": {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"},
    "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
}


def msd(root: Path) -> Path:
    save(root / "imagesTr" / "BRATS_001.nii.gz", image(np.zeros((3, 3, 3, 4), np.int16)))
    put(root, "labelsTr/BRATS_001.nii.gz", "imagesTr/._BRATS_001.nii.gz")
    return root


def test_msd_is_four_channels_of_one_file(tmp_path: Path) -> None:
    put_json(msd(tmp_path) / "dataset.json", MSD)
    case = only(tmp_path)
    assert (case.id, case.dialect) == ("BRATS_001", "msd")
    assert {m: source.channel for m, source in case.sources.items()} == dict(zip(Modality, (0, 1, 2, 3), strict=True))


def test_msd_without_dataset_json_is_refused(tmp_path: Path) -> None:
    case = only(msd(tmp_path))
    assert not case.sources
    assert "4 volumes in 4-D" in case.problems[0].message


def test_bids(tmp_path: Path) -> None:
    for session in ("ses-1", "ses-2"):
        start = f"sub-01/{session}/anat/sub-01_{session}"
        put(tmp_path, *(f"{start}_{end}.nii.gz" for end in ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR", "acq-x_swi")))
    put(tmp_path, "derivatives/manual/sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz")
    put(tmp_path, "derivatives/prep/sub-01/ses-1/anat/sub-01_ses-1_space-MNI_T1w.nii.gz")
    first, second = find_cases(tmp_path)
    assert (first.id, second.id) == ("sub-01_ses-1", "sub-01_ses-2")
    assert "ce-gadolinium" in first.sources[Modality.T1C].path.name
    assert first.sources[Modality.T1N].path.name == "sub-01_ses-1_T1w.nii.gz"
    assert first.reference is not None
    assert second.reference is None
    assert not first.problems


def test_two_files_for_one_modality_refuse_the_case_by_name(tmp_path: Path) -> None:
    put(tmp_path / "pat", "flair.nii.gz", "T1_gd.nii.gz", "T1_post.nii.gz")
    case = only(tmp_path)
    (problem,) = case.problems
    assert (problem.code, problem.fatal) == ("modality_ambiguous", True)
    assert "T1_gd.nii.gz" in problem.message
    assert "T1_post.nii.gz" in problem.message
    assert Modality.T1C not in case.sources


def test_sidecars_separate_what_names_do_not(tmp_path: Path) -> None:
    put(tmp_path / "pat", "1_T1.nii.gz", "2_T1.nii.gz", "3_scan.nii.gz")
    put_json(tmp_path / "pat" / "1_T1.json", {"EchoTime": 0.003})
    put_json(tmp_path / "pat" / "2_T1.json", {"EchoTime": 0.003, "ContrastBolusAgent": "Gadovist"})
    put_json(tmp_path / "pat" / "3_scan.json", {"EchoTime": 0.1, "InversionTime": 2.2})
    case = only(tmp_path)
    assert not case.problems
    assert {m: source.path.name[0] for m, source in case.sources.items()} == {
        Modality.FLAIR: "3",
        Modality.T1N: "1",
        Modality.T1C: "2",
    }


def test_unnamed_scans_are_listed_as_refused(tmp_path: Path) -> None:
    put(tmp_path / "pat", "IM_0001.nii.gz", "IM_0002.nii.gz")
    case = only(tmp_path)
    assert case.problems[0].fatal
    assert "IM_0001.nii.gz" in case.problems[0].message


def test_an_atlas_above_the_patients_is_no_patient(tmp_path: Path) -> None:
    put(tmp_path, "atlas.nii.gz", *(f"pat1/{name}" for name in brats("x")))
    assert [case.id for case in find_cases(tmp_path)] == ["pat1"]


def test_namesakes_get_their_path_and_others_keep_their_name(tmp_path: Path) -> None:
    put(tmp_path, "a/pat1/flair.nii", "b/pat1/flair.nii", "b/Pat2/flair.nii", "a/pat2/flair.nii", "b/pat3/flair.nii")
    assert [case.id for case in find_cases(tmp_path)] == ["a__pat1", "a__pat2", "b__Pat2", "b__pat1", "pat3"]


def test_hidden_and_foreign_files_are_ignored(tmp_path: Path) -> None:
    put(tmp_path / "pat", "flair.nii.gz", "._t1.nii.gz", ".cache/t1.nii.gz", "__MACOSX/t1.nii.gz", "Thumbnails/t1.nii")
    (tmp_path / "pat" / "t2.png").write_bytes(b"")
    assert set(only(tmp_path).sources) == {Modality.FLAIR}


def test_our_own_results_are_neither_references_nor_scans(tmp_path: Path) -> None:
    root = put(tmp_path / "in", "pat1/pat1_flair.nii.gz", "pat2/flair.nii.gz")
    like = read_volume(VolumeSource(root / "pat1" / "pat1_flair.nii.gz"), "x")
    write_label_map(root / "pat1" / "pat1_seg.nii.gz", np.ones(like.grid.shape, np.uint8), like, "bratsseg 0.1.0")
    put(root, "pat2/pat2_seg.nii.gz")
    put_json(root / "pat2" / "pat2.json", {"bratsseg": {"schema": 1}, "outputs": {"pat2_seg.nii.gz": "sha"}})
    (root / "out").mkdir()
    write_label_map(root / "out" / "pat1_seg.nii.gz", np.ones(like.grid.shape, np.uint8), like, "bratsseg 0.1.0")
    cases = find_cases(root)
    assert [(case.id, case.reference, len(case.sources)) for case in cases] == [("pat1", None, 1), ("pat2", None, 1)]


def test_a_foreign_label_map_beside_a_json_stays_a_reference(tmp_path: Path) -> None:
    put(tmp_path, "pat1/flair.nii.gz", "pat1/pat1_seg.nii.gz", "pat1/pat1.json")
    assert only(tmp_path).reference is not None


def test_one_unreadable_folder_does_not_stop_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "pat1/flair.nii.gz", "locked/flair.nii.gz", "pat2/flair.nii.gz")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    cases = find_cases(tmp_path)
    assert [(case.id, bool(case.sources)) for case in cases] == [("locked", False), ("pat1", True), ("pat2", True)]
    assert [problem.code for problem in cases[0].problems] == ["unreadable"]


def test_a_link_back_up_does_not_loop(tmp_path: Path) -> None:
    put(tmp_path, "pat1/flair.nii.gz")
    (tmp_path / "pat1" / "up").symlink_to(tmp_path)
    assert [case.id for case in find_cases(tmp_path)] == ["pat1"]


@pytest.mark.parametrize("name", ["missing", "file.txt"])
def test_what_is_no_folder_is_wrong_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(UsageError, match=name):
        find_cases(tmp_path / name)


def test_everything_mixed_in_one_folder_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path / "a" / "b", *brats("BraTS2021_00001", "seg"))
    put(tmp_path / "BraTS-GLI-00002-000", *(f"BraTS-GLI-00002-000-{w}.nii.gz" for w in ("t1n", "t1c", "t2w", "t2f")))
    nnunet(tmp_path / "nn", {"channel_names": dict(enumerate(FOUR))})
    put_json(msd(tmp_path / "Task01") / "dataset.json", MSD)
    put(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz", "native/Miller/T1.nii.gz", "native/Miller/T1_POST.nii.gz")
    names = ["BRATS_001", "BraTS-GLI-00002-000", "BraTS2021_00000", "BraTS2021_00001", "Miller", "sub-01"]
    cases = find_cases(tmp_path)
    assert [case.id for case in cases] == names
    assert not any(case.problems for case in cases)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.from_regex(r"[A-Za-z]{2,5}[0-9]{1,3}", fullmatch=True), min_size=2, max_size=4, unique_by=str.lower))
def test_any_patient_names_flat_or_nested_are_kept(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    assume(not any(says_something(f"x{case}") for case in ids))  # xaT1_flair: only --layout knows that xaT1 is a name
    assume(all(tells(case) for case in ids))  # fu12 is a visit
    for nested in (True, False):
        root = tmp_path_factory.mktemp("cases")
        for case in ids:
            put(root / case if nested else root, *brats(f"x{case}" if not nested else "scan"))
        wanted = sorted(ids if nested else [f"x{case}" for case in ids])
        assert [case.id for case in find_cases(root)] == wanted


def test_the_order_of_the_file_system_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, *(f"p{n}/{word}.nii" for n in range(4) for word in FOUR), "a/p1/flair.nii")
    before = find_cases(tmp_path)
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path: Path) -> None:
            self.entries = list(scandir(path))
            random.shuffle(self.entries)

        def __enter__(self) -> object:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Shuffled)
    assert find_cases(tmp_path) == before


def test_the_search_is_quick_and_loads_no_torch(tmp_path: Path) -> None:
    put(tmp_path, *(f"BraTS2021_{n:05d}/{name}" for n in range(50) for name in brats(f"BraTS2021_{n:05d}", "seg")))
    start = time.process_time()
    assert len(find_cases(tmp_path)) == 50
    assert (time.process_time() - start) / 50 < 0.02
    code = (
        "import sys, bratsseg.study.layout, bratsseg.study.reading; print({'torch', 'monai', 'itk'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_a_patient_named_as_a_modality_may_have_other_scans(tmp_path: Path) -> None:
    put(tmp_path / "a" / "T2-gliom-01", *(f"T2-gliom-01_{word}.nii.gz" for word in ("flair", "t1ce", "dwi", "adc")))
    case = only(tmp_path)
    assert (case.id, set(case.sources), case.problems) == ("T2-gliom-01", {Modality.FLAIR, Modality.T1C}, ())


def test_two_timepoints_are_never_mixed_into_one_study(tmp_path: Path) -> None:
    put(tmp_path / "Miller", *(f"P1_{time}_{word}.nii.gz" for time in ("T1", "T2") for word in FOUR))
    assert all(any(problem.fatal for problem in case.problems) for case in find_cases(tmp_path))


def test_two_patients_with_unlike_scans_are_never_mixed(tmp_path: Path) -> None:
    put(tmp_path / "x", "Miller_flair.nii.gz", "Miller_t1.nii.gz", "Meier_t2.nii.gz", "Meier_t1ce.nii.gz")
    assert [(case.id, len(case.sources)) for case in find_cases(tmp_path)] == [("Meier", 2), ("Miller", 2)]


def test_another_version_of_a_scan_is_left_out_and_said(tmp_path: Path) -> None:
    names = [f"UCSF-PDGM-0004_{w}.nii.gz" for w in ("T1", "T1c", "T2", "FLAIR", "T1_bias", "FLAIR_bias", "ADC", "DWI")]
    masks = [f"UCSF-PDGM-0004_{w}_segmentation.nii.gz" for w in ("brain", "brain_parenchyma", "tumor")]
    put(tmp_path / "UCSF-PDGM-0004_nifti", *names, *masks)
    case = only(tmp_path)
    assert sorted(source.path.name for source in case.sources.values()) == sorted(names[:4])
    assert case.reference is not None
    assert case.reference.name == "UCSF-PDGM-0004_tumor_segmentation.nii.gz"
    assert [(problem.fatal, "T1_bias" in problem.message) for problem in case.problems] == [(False, True)]


def test_a_brain_extracted_version_is_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "x", "T1.nii.gz", "T1_brain.nii.gz", "FLAIR.nii.gz")
    assert [problem.fatal for problem in only(tmp_path).problems] == [True]


def test_somebodys_predictions_are_no_scans(tmp_path: Path) -> None:
    put(tmp_path, *(f"in/BraTS2021_00001/{name}" for name in brats("BraTS2021_00001")))
    put(tmp_path, "predictions/BraTS2021_00001.nii.gz", "other/BraTS2021_00001_seg.nii.gz")
    case = only(tmp_path)
    assert (case.id, case.reference) == ("BraTS2021_00001", None)


def test_dcm2niix_names_with_series_numbers_at_the_end(tmp_path: Path) -> None:
    words = ("AX_T1_20200101120000_4", "AX_T1_POST_20200101120000_9", "AX_FLAIR_20200101120000_5")
    put(tmp_path / "Miller", *(f"{word}.nii.gz" for word in words))
    case = only(tmp_path)
    assert (case.id, set(case.sources)) == ("Miller", {Modality.FLAIR, Modality.T1N, Modality.T1C})


@pytest.mark.parametrize("name", ["Miller (2)", "Smith [old]", "(A)", "x{1}"])
def test_a_name_keeps_the_brackets_it_ends_with(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"{name}_flair.nii.gz", f"{name}_t1ce.nii.gz", "Other_flair.nii.gz", "Other_t1ce.nii.gz")
    assert {case.id for case in find_cases(tmp_path)} == {name, "Other"}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("P1/FLAIR/x.nii.gz", "P1/T2F/x.nii.gz", "P1/T1/x.nii.gz"), "FLAIR/x.nii.gz, T2F/x.nii.gz all claim"),
        (
            ("sub-1/anat/sub-1_FLAIR.nii", "sub-1/b/sub-1_FLAIR.nii"),
            "anat/sub-1_FLAIR.nii, b/sub-1_FLAIR.nii all claim",
        ),
        (("P1/t1ce.nii.gz", "P1/t1c.nii.gz"), "t1c.nii.gz, t1ce.nii.gz all claim"),
    ],
)
def test_files_of_one_modality_are_told_with_their_folders(tmp_path: Path, names: tuple[str, ...], told: str) -> None:
    put(tmp_path, *names)
    (case,) = find_cases(tmp_path)
    assert case.problems[0].message.startswith(told)
