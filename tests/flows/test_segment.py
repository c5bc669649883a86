"""A folder of scans in, label maps out: what the user of ``bratsseg segment`` sees."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.inference.shipped import SHIPPED
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.study.quality import REVIEW_BELOW
from tests.flows.conftest import (
    bratsseg,
    case_names,
    hashes,
    label_map,
    record,
    save,
    segment,
    strays,
    write_case,
    written_at,
)

FIRST, SECOND = case_names(2)


def test_every_study_gets_a_label_map_where_its_tumour_is(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = segment(studies, out)
    assert ended.code == 0, ended.err
    scan = nib.load(studies / FIRST / f"{FIRST}-t1c.nii.gz")
    found = nib.load(out / FIRST / f"{FIRST}_seg.nii.gz")
    assert found.shape == scan.shape
    assert np.array_equal(found.affine, scan.affine)
    assert found.get_data_dtype() == np.uint8
    flair = np.asarray(nib.load(studies / FIRST / f"{FIRST}-t2f.nii.gz").dataobj)
    lesion, tumour = flair > 140, label_map(out, FIRST) > 0
    assert 2 * (lesion & tumour).sum() / (lesion.sum() + tumour.sum()) > 0.95
    assert set(np.unique(label_map(out, FIRST))) == {0, 2}  # WT alone is stored as edema
    assert "2 cases" in ended.out
    assert strays(out) == []


def test_the_record_says_what_was_made_from_what(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out)
    said = record(out, FIRST)
    assert said["bratsseg"]["schema"] == 1
    assert (said["case"], said["status"], said["code"], said["reason"]) == (FIRST, "done", "", "")
    assert said["model"]["name"] == "flair-threshold"
    assert len(said["model"]["sha256"]) == 64
    assert said["dialect"] == "brats2023"
    assert {"python", "torch", "monai", "numpy", "nibabel"} == set(said["versions"])
    source = studies / FIRST / f"{FIRST}-t2f.nii.gz"
    assert said["inputs"]["flair"]["file"] == f"{FIRST}/{source.name}"
    assert said["inputs"]["flair"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    label = out / FIRST / f"{FIRST}_seg.nii.gz"
    assert said["outputs"] == {label.name: hashlib.sha256(label.read_bytes()).hexdigest()}
    assert said["volumes_ml"]["WT"] == pytest.approx((label_map(out, FIRST) > 0).sum() * 0.008, abs=1e-3)
    assert said["volumes_ml"]["TC"] is None
    assert set(said["not_assessable"]) == {"TC", "ET"}
    assert set(said["seconds"]) == {"read", "check", "prepare", "run", "finish", "write"}
    assert said["reference_modality"] == "t1c"
    assert str(tmp_path) not in json.dumps(said)


def test_the_table_is_one_row_a_case(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out)
    with (out / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:4] == ["case", "status", "code", "reason"]
    assert [(row["case"], row["status"]) for row in rows] == [(FIRST, "done"), (SECOND, "done")]
    assert float(rows[0]["WT_ml"]) > 1


def test_record_and_table_say_how_far_to_trust_each_region(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out)
    said = record(out, FIRST)["quality"]
    assert [said[region]["answer"] for region in ("WT", "TC", "ET")] == ["found", "not assessable", "not assessable"]
    assert 0 < said["WT"]["predicted_dice"] <= 1
    assert 0 <= said["WT"]["boundary_entropy"] <= 1
    assert said["WT"]["modality_drop_dice"] is None
    assert said["TC"]["predicted_dice"] is None
    with (out / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[0]["WT_predicted_dice"]) == pytest.approx(said["WT"]["predicted_dice"], abs=1e-3)
    assert rows[0]["TC_predicted_dice"] == rows[0]["WT_missed_chance"] == ""
    assert rows[0]["review_first"] == ("yes" if said["WT"]["predicted_dice"] < REVIEW_BELOW else "")


def test_leaving_modalities_out_is_asked_for_and_noted(tmp_path: Path) -> None:
    write_case(tmp_path / "in", FIRST, modalities=(Modality.FLAIR, Modality.T1C, Modality.T2W))
    words = ("segment", tmp_path / "in", tmp_path / "out", "--device", "cpu", "--force", "--quality")
    ended = bratsseg(*words, "drop", "--report")
    assert ended.code == 0, ended.err
    said = record(tmp_path / "out", FIRST)
    assert said["options"]["quality"] == "drop"
    assert "quality" in said["seconds"]
    held = said["quality"]["WT"]["modality_drop_dice"]
    assert 0 <= held["worst"] <= held["mean"] <= 1
    assert held["without"] in ("flair", "t1c", "t2w")
    page = (tmp_path / "out" / FIRST / f"{FIRST}_report.html").read_text(encoding="utf-8")
    assert f"at worst {held['worst']:.2f} without" in page
    assert bratsseg(*words, "best").code == 2


def test_a_second_run_computes_nothing(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out)
    before = written_at(out)
    os.utime(studies / FIRST / f"{FIRST}-t2f.nii.gz")  # touched, not changed: its hash still speaks
    ended = segment(studies, out)
    assert ended.code == 0
    assert written_at(out) == before
    assert "2 finished before" in ended.out


def test_what_changed_is_computed_again(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out)
    before = written_at(out)
    write_case(studies, FIRST, seed=99)
    segment(studies, out)
    after = written_at(out)
    assert after[FIRST] != before[FIRST]
    assert after[SECOND] == before[SECOND]


def test_another_option_model_or_a_damaged_result_is_computed(studies: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", tmp_path / "model"
    segment(studies, out)
    first = written_at(out)
    segment(studies, out, "--dialect", "msd")
    second = written_at(out)
    assert all(second[case] != first[case] for case in first)
    assert set(np.unique(label_map(out, FIRST))) == {0, 1}
    (out / FIRST / f"{FIRST}_seg.nii.gz").write_bytes(b"damaged")
    segment(studies, out, "--dialect", "msd")
    third = written_at(out)
    assert third[FIRST] != second[FIRST]
    assert third[SECOND] == second[SECOND]
    shutil.copytree(SHIPPED / "flair-threshold", model)
    described = json.loads((model / "model.json").read_text())
    described["network"]["above"] = 1.5
    (model / "model.json").write_text(json.dumps(described))
    assert bratsseg("segment", studies, out, "--dialect", "msd", "--model", model).code == 0
    assert all(written_at(out)[case] != third[case] for case in third)


def test_overwrite_computes_again(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out)
    before, maps = written_at(out), hashes(out)
    segment(studies, out, "--overwrite")
    assert all(written_at(out)[case] != before[case] for case in before)
    assert hashes(out) == maps


def test_probabilities_come_and_stay(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out, "--probabilities")
    image = nib.load(out / FIRST / f"{FIRST}_prob_WT.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert np.array_equal(image.affine, nib.load(out / FIRST / f"{FIRST}_seg.nii.gz").affine)
    values = image.get_fdata()
    assert values.min() >= 0
    assert 0.5 < values.max() <= 1
    assert f"{FIRST}_prob_WT.nii.gz" in record(out, FIRST)["outputs"]
    assert not list(out.glob("*/*_prob_TC*"))
    before = written_at(out)
    segment(studies, out)  # more is there than is asked for
    assert written_at(out) == before


def test_probabilities_asked_for_later_leave_the_pages(studies: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(studies, out, "--report", "--formats", "slicer")
    there = {path.name for path in (out / FIRST).iterdir()}
    segment(studies, out, "--probabilities")
    assert {path.name for path in (out / FIRST).iterdir()} == there | {f"{FIRST}_prob_WT.nii.gz"}
    assert f"{FIRST}.seg.nrrd" in record(out, FIRST)["outputs"]
    before = written_at(out)
    segment(studies, out, "--report", "--formats", "slicer", "--probabilities")
    assert written_at(out) == before


def test_pages_and_formats_come_without_computing_and_stay(studies: Path, tmp_path: Path) -> None:
    out, wanted = tmp_path / "out", tmp_path / "wanted"
    segment(studies, out)
    first = record(out, FIRST)
    assert segment(studies, out, "--report", "--formats", "slicer,itksnap,bids").code == 0
    assert record(out, FIRST)["seconds"] == first["seconds"], "the case was computed again"
    segment(studies, wanted, "--report", "--formats", "slicer,itksnap,bids")
    for end in ("_seg.nii.gz", ".seg.nrrd", ".ctbl", "_itksnap.txt"):
        added, made = (folder / FIRST / f"{FIRST}{end}" for folder in (out, wanted))
        assert added.read_bytes() == made.read_bytes(), end
    assert record(out, FIRST)["outputs"] == record(wanted, FIRST)["outputs"]
    beside = {path.name.removeprefix(FIRST) for path in (out / FIRST).iterdir()}
    assert {"_report.html", "_report.pdf", "_report.png", ".seg.nrrd", ".ctbl", "_itksnap.txt"} <= beside
    assert f"{FIRST}_report.html" in (out / "index.html").read_text()
    assert json.loads((out / "bids" / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    before = written_at(out)[FIRST]
    segment(studies, out, "--report", "--formats", "slicer,itksnap,bids")
    assert written_at(out)[FIRST] == before
    segment(studies, out)
    assert written_at(out)[FIRST] == before
    assert segment(studies, tmp_path / "other", "--formats", "dicom").code == 2


def test_only_and_limit_choose_cases(studies: Path, tmp_path: Path) -> None:
    assert segment(studies, tmp_path / "one", "--only", f"*{SECOND[-9:]}").code == 0
    assert list(written_at(tmp_path / "one")) == [SECOND]
    assert segment(studies, tmp_path / "two", "--limit", 1).code == 0
    assert list(written_at(tmp_path / "two")) == [FIRST]
    ended = segment(studies, tmp_path / "three", "--only", "nobody")
    assert ended.code == 2
    assert FIRST in ended.err


def test_workers_do_not_change_results(tmp_path: Path) -> None:
    for seed, name in enumerate(case_names(5)):
        write_case(tmp_path / "in", name, seed)
    segment(tmp_path / "in", tmp_path / "one", "--workers", 1)
    segment(tmp_path / "in", tmp_path / "four", "--workers", 4)
    assert len(hashes(tmp_path / "one")) == 5
    assert hashes(tmp_path / "one") == hashes(tmp_path / "four")


def test_one_study_by_hand(studies: Path, tmp_path: Path) -> None:
    flair, t1ce = (studies / FIRST / f"{FIRST}-{suffix}.nii.gz" for suffix in ("t2f", "t1c"))
    segment(studies, tmp_path / "folder")
    ended = segment("--flair", flair, "--t1ce", t1ce, tmp_path / "hand")
    assert ended.code == 0, ended.err
    assert np.array_equal(label_map(tmp_path / "hand", FIRST), label_map(tmp_path / "folder", FIRST))
    assert segment("--flair", flair, "--case-id", "anna", tmp_path / "hand").code == 0
    assert record(tmp_path / "hand", "anna")["status"] == "done"


def test_one_file_may_serve_as_two_modalities_with_a_warning(studies: Path, tmp_path: Path) -> None:
    scan = shutil.copy(studies / FIRST / f"{FIRST}-t2f.nii.gz", tmp_path / "LPS.nii.gz")
    ended = segment("--flair", scan, "--t1ce", scan, tmp_path / "out")
    assert ended.code == 0, ended.err
    assert any("two modalities" in warning for warning in record(tmp_path / "out", "LPS")["warnings"])


def test_a_mask_by_hand_says_what_is_brain(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    head, affine = rng.normal(300, 40, (40, 40, 40)).astype(np.int16), np.diag([2.0, 2.0, 2.0, 1.0])
    head[15:22, 15:22, 15:22] += 400
    inside = np.zeros(head.shape, dtype=np.uint8)
    inside[8:32, 8:32, 8:32] = 1
    flair = save(tmp_path / "head_flair.nii.gz", head, affine)
    mask = save(tmp_path / "head_brainmask.nii.gz", inside, affine)
    assert segment("--flair", flair, tmp_path / "bare").code == 1
    ended = segment("--flair", flair, "--mask", mask, tmp_path / "out")
    assert ended.code == 0, ended.err
    case = next(iter(written_at(tmp_path / "out")))
    assert "mask" in record(tmp_path / "out", case)["inputs"]
    assert record(tmp_path / "out", case)["facts"]["brain_rule"] == "mask file"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["in", "in/results"], "apart from IN"),
        (["in/deep", "in"], "apart from IN"),
        (["in", "in"], "apart from IN"),
        (["in", "file"], "was a file"),
        (["nowhere", "out"], "there is none"),
        (["file", "out"], "--flair"),
        (["empty", "out"], "no study was found"),
        (["in"], "IN and OUT"),
        (["--flair", "nothing.nii.gz", "out"], "there is none"),
        (["in", "out", "--dialect", "klingon"], "brats2021"),
        (["in", "out", "--device", "tpu"], "cpu"),
        (["in", "out", "--salt", ""], "salt"),
    ],
)
def test_wrong_use_ends_with_2_and_one_sentence(studies: Path, tmp_path: Path, words: list[str], says: str) -> None:
    (studies / "deep").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    ended = segment(*(word if word.startswith("--") or word in _VALUES else tmp_path / word for word in words))
    assert ended.code == 2
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out" / FIRST).exists()


_VALUES = {"klingon", "tpu", ""}


def test_an_unknown_model_is_wrong_use(studies: Path, tmp_path: Path) -> None:
    ended = bratsseg("segment", studies, tmp_path / "out", "--model", "best-ever")
    assert ended.code == 2
    assert "flair-threshold" in ended.err


def test_results_inside_in_are_no_references(studies: Path, tmp_path: Path) -> None:
    segment(studies, tmp_path / "out")
    shutil.copy(tmp_path / "out" / FIRST / f"{FIRST}_seg.nii.gz", studies / FIRST)
    assert all(case.reference is None for case in find_cases(studies))
    before = written_at(tmp_path / "out")
    assert segment(studies, tmp_path / "out").code == 0
    assert written_at(tmp_path / "out") == before


def test_a_salt_leaves_no_name(tmp_path: Path) -> None:
    private = "Smith_Anna_1970"
    for name, extra in ((private, None), ("Jones_Ben_1950", "Jones_other_t1ce.nii.gz")):
        folder = write_case(tmp_path / "in", name)
        if extra:
            shutil.copy(folder / f"{name}-t1c.nii.gz", folder / extra)
    ended = segment(tmp_path / "in", tmp_path / "out", "--salt", "pepper")
    assert ended.code == 1
    said = [ended.out, ended.err, *(str(path.relative_to(tmp_path)) for path in (tmp_path / "out").rglob("*"))]
    said += [path.read_text() for path in (tmp_path / "out").rglob("*") if path.suffix in (".json", ".csv")]
    for word in ("Smith", "Anna", "1970", "Jones", "1950", "pepper"):
        assert not any(word in text for text in said), word
    assert all(name.startswith("case-") and len(name) == 17 for name in written_at(tmp_path / "out"))
    before = written_at(tmp_path / "out")
    segment(tmp_path / "in", tmp_path / "out", "--salt", "pepper")
    assert written_at(tmp_path / "out") == before
    segment(tmp_path / "in", tmp_path / "other", "--salt", "paprika")
    assert not written_at(tmp_path / "out").keys() & written_at(tmp_path / "other").keys()


def test_a_missing_t1ce_leaves_the_grid_of_flair(tmp_path: Path) -> None:
    write_case(tmp_path / "in", FIRST, modalities=(Modality.FLAIR, Modality.T2W))
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    assert record(tmp_path / "out", FIRST)["reference_modality"] == "flair"


def test_a_brain_scaled_without_its_air_gives_the_same_answer(tmp_path: Path) -> None:
    write_case(tmp_path / "in", "plain")
    folder = write_case(tmp_path / "in", "scaled")
    for path in folder.glob("*.nii.gz"):
        image = nib.load(path)
        voxels = np.asarray(image.dataobj).astype(np.float32)
        tissue = voxels[voxels > 0]
        save(path, np.where(voxels > 0, (voxels - tissue.mean()) / tissue.std(), 0), image.affine)
    assert segment(tmp_path / "in", tmp_path / "out").code == 0
    plain, scaled = (label_map(tmp_path / "out", case) > 0 for case in ("plain", "scaled"))
    assert plain.any()
    assert np.array_equal(plain, scaled)
