from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.errors import DialectError, UsageError
from bratsseg.evaluation import evaluate_folders
from bratsseg.study.regions import Region

AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]])
SHAPE = (12, 10, 8)


def labels(core: int = 1, edema: int = 2, enhancing: int = 3, shift: int = 0) -> np.ndarray:
    values = np.zeros(SHAPE, dtype=np.float32)
    values[2 + shift : 9 + shift, 2:8, 2:6] = edema
    values[3 + shift : 7 + shift, 3:7, 3:5] = core
    values[4 + shift : 6 + shift, 4:6, 3:5] = enhancing
    return values


def save(path: Path, values: np.ndarray, affine: np.ndarray | None = AFFINE, dtype: str = "uint8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values.astype(dtype), AFFINE if affine is None else affine)
    if affine is None:
        image.set_sform(None, 0)
        image.set_qform(None, 0)
    image.to_filename(path)
    return path


def save_ours(root: Path, case: str, values: np.ndarray, dialect: str = "brats2023", **record: object) -> None:
    save(root / case / f"{case}_seg.nii.gz", values)
    facts = {"bratsseg": {"schema": 1}, "case": case, "status": "done", "dialect": dialect, "not_assessable": {}}
    facts |= {"model": {"name": "m", "version": "1", "sha256": "0" * 64}}
    facts |= {"outputs": {f"{case}_seg.nii.gz": "hash"}} | record
    (root / case / f"{case}.json").write_text(json.dumps(facts))


def save_scan(root: Path, case: str, suffix: str = "t1ce") -> None:
    save(root / case / f"{case}_{suffix}.nii.gz", np.arange(np.prod(SHAPE)).reshape(SHAPE), dtype="int16")


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    return tmp_path / "ours"


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return tmp_path / "truth"


def dices(evaluation) -> dict[str, tuple[float, ...]]:
    return {
        case: tuple(round(scores.regions[region].dice, 6) for region in Region if region in scores.regions)
        for case, scores in evaluation.scores.items()
    }


def test_pediatric_names_prove_a_year_only_with_a_value_of_it(ours, truth):
    save_ours(ours, "BraTS-PED-00001-000", labels())
    path = truth / "BraTS-PED-00001-000" / "BraTS-PED-00001-000-seg.nii.gz"
    save(path, labels())
    with pytest.raises(DialectError, match="brats2023 and brats2024-ped"):
        evaluate_folders(ours, truth)
    save(path, labels(core=2, edema=4, enhancing=1))
    assert dices(evaluate_folders(ours, truth)) == {"BraTS-PED-00001-000": (1.0, 1.0, 1.0)}


def test_our_results_against_studies_of_brats_2021(ours, truth):
    for case in ("BraTS2021_00000", "BraTS2021_00002"):
        save_ours(ours, case, labels())
        save_scan(truth, case)
        save(truth / case / f"{case}_seg.nii.gz", labels(enhancing=4), dtype="uint16")
    evaluation = evaluate_folders(ours, truth)
    assert dices(evaluation) == {"BraTS2021_00000": (1.0, 1.0, 1.0), "BraTS2021_00002": (1.0, 1.0, 1.0)}
    assert evaluation.complete
    assert (evaluation.predicted_dialects, evaluation.reference_dialects) == (("brats2023",), ("brats2021",))


@pytest.mark.parametrize(
    ("predicted", "reference"),
    [
        ("{}.nii.gz", "{}-seg.nii.gz"),
        ("{}-seg.nii.gz", "{0}/{0}-seg.nii.gz"),
        ("{}_pred.nii.gz", "labelsTr/{}.nii"),
        ("out/{}_segmentation.nii", "{0}/seg.nii.gz"),
    ],
)
def test_files_of_any_program_are_paired_by_case(ours, truth, predicted, reference):
    for number in range(2):
        case = f"BraTS-GLI-0000{number}-000"
        save(ours / predicted.format(case), labels(), dtype="float32")
        save(truth / reference.format(case), labels(), dtype="float32")
    evaluation = evaluate_folders(ours, truth, "brats2023", "brats2023")
    assert list(evaluation.scores) == ["BraTS-GLI-00000-000", "BraTS-GLI-00001-000"]
    assert all(values == (1.0, 1.0, 1.0) for values in dices(evaluation).values())


def test_nnunet_values_need_the_flag_and_are_read_by_it(ours, truth):
    save(ours / "BraTS2021_00001.nii.gz", labels(core=2, edema=1))
    save(truth / "BraTS2021_00001_seg.nii.gz", labels(enhancing=4))
    with pytest.raises(DialectError, match=r"\{1, 2, 3\} fit brats2013, brats2023, .*--predicted-dialect"):
        evaluate_folders(ours, truth)
    assert dices(evaluate_folders(ours, truth, "nnunet-brats21")) == {"BraTS2021_00001": (1.0, 1.0, 1.0)}


def test_brats_2013_is_known_by_its_names(ours, truth):
    save_ours(ours, "pat0003", labels())
    values = labels(enhancing=4)
    values[3, 3, 3] = 3  # non-enhancing core
    save(truth / "pat0003" / "OTMultiClass.nii.gz", values)
    evaluation = evaluate_folders(ours, truth)
    assert evaluation.reference_dialects == ("brats2013",)
    assert dices(evaluation) == {"pat0003": (1.0, 1.0, 1.0)}


def test_gli_with_a_cavity_anywhere_is_2024_everywhere(ours, truth):
    for number in range(2):
        case = f"BraTS-GLI-0000{number}-100"
        save_ours(ours, case, labels())
        values = labels()
        values[10, 8, 7] = 4 * number  # a cavity in the second case only
        save(truth / f"{case}-seg.nii.gz", values)
    evaluation = evaluate_folders(ours, truth)
    assert evaluation.reference_dialects == ("brats2024",)
    assert all(values == (1.0, 1.0, 1.0) for values in dices(evaluation).values())


def test_values_that_contradict_the_names_refuse_the_folder(ours, truth):
    for number, enhancing in enumerate((3, 1)):  # converted to 2023 by somebody, who kept the names
        case = f"BraTS2021_0000{number}"
        save_ours(ours, case, labels())
        save(truth / f"{case}_seg.nii.gz", labels(enhancing=enhancing))
    with pytest.raises(DialectError, match=r"say dialect brats2021, but value 3 is in BraTS2021_00000_seg.*brats2023"):
        evaluate_folders(ours, truth)
    assert len(evaluate_folders(ours, truth, reference_dialect="brats2023").scores) == 2


def test_one_damaged_voxel_refuses_that_map_alone(ours, truth):
    for number in range(3):
        case = f"BraTS2021_0000{number}"
        save_ours(ours, case, labels())
        values = labels(enhancing=4)
        values[5, 5, 5] = 7 if number == 1 else 0
        save(truth / f"{case}_seg.nii.gz", values)
    evaluation = evaluate_folders(ours, truth)
    assert list(evaluation.scores) == ["BraTS2021_00000", "BraTS2021_00002"]
    assert [(item.case, item.code) for item in evaluation.unscored] == [("BraTS2021_00001", "labels_invalid")]
    assert "found [7]" in evaluation.unscored[0].reason


def test_a_damaged_map_among_maps_of_no_dialect_is_named(ours, truth):
    for number in range(6):
        save_ours(ours, f"P{number}", labels())
        values = labels()
        values[5, 5, 5] = 9 if number > 1 else 1
        save(truth / f"P{number}_seg.nii.gz", values)
    with pytest.raises(DialectError, match=r"value 9 is in P2_seg.nii.gz, P3_seg.nii.gz, P4_seg.nii.gz and 1 more"):
        evaluate_folders(ours, truth)


def test_a_flag_may_not_contradict_our_own_record(ours, truth):
    save_ours(ours, "BraTS2021_00000", labels(enhancing=4), dialect="brats2021")
    save(truth / "BraTS2021_00000_seg.nii.gz", labels(enhancing=4))
    assert dices(evaluate_folders(ours, truth)) == {"BraTS2021_00000": (1.0, 1.0, 1.0)}
    with pytest.raises(DialectError, match="record of case BraTS2021_00000 says brats2021"):
        evaluate_folders(ours, truth, predicted_dialect="brats2013")


@pytest.mark.parametrize("affine", [None, np.eye(4), np.diag([-1.0, -1, 1, 1])])
def test_a_reference_without_a_grid_takes_that_of_the_prediction(ours, truth, affine):
    save_ours(ours, "BraTS2021_00000", labels())
    save(truth / "BraTS2021_00000_seg.nii.gz", labels(enhancing=4), affine)
    evaluation = evaluate_folders(ours, truth)
    assert dices(evaluation) == {"BraTS2021_00000": (1.0, 1.0, 1.0)}
    assert "does not say where it lies" in evaluation.warnings[0]


def test_cases_without_a_comparison_are_counted_not_averaged(ours, truth):
    good, elsewhere, cut, damaged, strange = (f"BraTS2021_0000{number}" for number in range(5))
    for case in (good, elsewhere, cut, damaged, strange):
        save_ours(ours, case, labels())
        save(truth / f"{case}_seg.nii.gz", labels(enhancing=4))
    moved = AFFINE.copy()
    moved[0, 3] = 4.0
    save(truth / f"{elsewhere}_seg.nii.gz", labels(enhancing=4), moved)
    save(truth / f"{cut}_seg.nii.gz", labels(enhancing=4)[:-1])
    (truth / f"{damaged}_seg.nii.gz").write_bytes(b"no scan")
    save(truth / f"{strange}_seg.nii.gz", labels() + 0.4, dtype="float32")
    evaluation = evaluate_folders(ours, truth)
    assert list(evaluation.scores) == [good]
    codes = {item.case: (item.status, item.code) for item in evaluation.unscored}
    assert codes == {
        elsewhere: ("refused", "grids_differ"),
        cut: ("refused", "grids_differ"),
        damaged: ("refused", "unreadable"),
        strange: ("refused", "labels_invalid"),
    }
    assert not evaluation.complete
    assert all(item.case in item.reason for item in evaluation.unscored)


def test_what_has_no_partner_is_named(ours, truth):
    for case in ("BraTS2021_00000", "BraTS2021_00001"):
        save_ours(ours, case, labels())
    save_ours(ours, "BraTS2021_00003", labels(), status="refused", code="skull_on", reason="skull", outputs={})
    for number in (0, 2, 3):
        save(truth / f"BraTS2021_0000{number}_seg.nii.gz", labels(enhancing=4))
    evaluation = evaluate_folders(ours, truth)
    found = [(item.case, item.status, item.code) for item in evaluation.unscored]
    assert found == [
        ("BraTS2021_00001", "no_reference", "no_reference"),
        ("BraTS2021_00002", "no_prediction", "no_prediction"),
        ("BraTS2021_00003", "no_prediction", "skull_on"),
    ]
    assert not evaluation.complete


def test_a_link_that_leads_back_up_is_no_second_result(ours, truth):
    save_ours(ours, "BraTS2021_00000", labels())
    (ours / "again").symlink_to(ours)
    save(truth / "BraTS2021_00000_seg.nii.gz", labels(enhancing=4))
    assert list(evaluate_folders(ours, truth).scores) == ["BraTS2021_00000"]


def test_two_label_maps_for_one_case_are_not_chosen_between(ours, truth):
    for name in ("fold0/BraTS2021_00000", "fold1/BraTS2021_00000", "fold1/BraTS2021_00001"):
        save(ours / f"{name}.nii.gz", labels())
    for number in range(2):
        save(truth / f"BraTS2021_0000{number}_seg.nii.gz", labels(enhancing=4))
    evaluation = evaluate_folders(ours, truth, "brats2023")
    assert [(item.case, item.code) for item in evaluation.unscored] == [("BraTS2021_00000", "labels_ambiguous")]
    assert "fold0/BraTS2021_00000.nii.gz, fold1/" in evaluation.unscored[0].reason


def test_regions_that_a_side_cannot_show_are_left_out(ours, truth):
    save_ours(ours, "a", labels(), not_assessable={"ET": "no T1ce"})
    save(truth / "a" / "a_seg.nii.gz", labels(core=1, edema=1, enhancing=2))
    scores = evaluate_folders(ours, truth, reference_dialect="hd-glio").scores["a"]
    assert list(scores.regions) == [Region.WT]
    assert scores.not_assessable == (Region.TC, Region.ET)


def test_our_results_are_never_references(ours, truth):
    save_ours(ours, "BraTS2021_00000", labels())
    save_ours(truth, "BraTS2021_00000", labels())
    with pytest.raises(UsageError, match="results of bratsseg count as predictions only"):
        evaluate_folders(ours, truth)


def test_wrong_use(ours, truth, tmp_path):
    save_ours(ours, "a", labels())
    with pytest.raises(UsageError, match="does not exist"):
        evaluate_folders(ours, truth)
    with pytest.raises(UsageError, match="was a file"):
        evaluate_folders(save(tmp_path / "x.nii", labels()), ours)
    save(truth / "BraTS2021_00000_seg.nii.gz", labels(enhancing=4))
    with pytest.raises(UsageError, match=r"no case of .* such as a and BraTS2021_00000"):
        evaluate_folders(ours, truth)
    save_ours(ours, "BraTS2021_00000", labels())
    with pytest.raises(DialectError, match="'brats1999' is unknown"):
        evaluate_folders(ours, truth, reference_dialect="brats1999")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="must hold label maps"):
        evaluate_folders(tmp_path / "empty", truth)


@pytest.mark.real
@pytest.mark.parametrize("name", ["brats2021", "brats2023", "brats2013"])
def test_real_references_are_read_without_a_flag(real_data, name):
    evaluation = evaluate_folders(real_data / name, real_data / name)
    assert evaluation.reference_dialects == (name,)
    assert evaluation.complete
    assert not evaluation.warnings
    assert all(values == (1.0, 1.0, 1.0) for values in dices(evaluation).values())


def test_several_processes_give_what_one_gives(ours, truth):
    for number in range(4):
        case = f"BraTS2021_0000{number}"
        save_ours(ours, case, labels(shift=number % 3))
        save(truth / f"{case}_seg.nii.gz", labels(enhancing=4 if number < 3 else 9))
    alone, together = evaluate_folders(ours, truth), evaluate_folders(ours, truth, workers=2)
    assert list(alone.scores) == list(together.scores) == [f"BraTS2021_0000{number}" for number in range(3)]
    assert dices(alone) == dices(together)
    assert alone.unscored == together.unscored
    assert "found [9]" in together.unscored[0].reason


def test_a_value_below_zero_is_no_word_of_resampling(ours, truth):
    values = labels()
    values[0, 0, 0] = -1
    save(ours / "P1_seg.nii.gz", values, dtype="int16")
    save(truth / "P1_seg.nii.gz", labels())
    (item,) = evaluate_folders(ours, truth, "brats2023", "brats2023").unscored
    assert "found -1 to 3; correct the label map" in item.reason
    assert "remainder" not in item.reason
