"""What a person changed by hand in a result is kept."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import nibabel as nib
import numpy as np

from bratsseg.results.record import hash_or_none, record_path
from bratsseg.study.modality import Modality
from tests.flows.conftest import record, segment, write_case, write_cases
from tests.results.conftest import NAME, ready, whole


def draw(out: Path, case: str = NAME, value: int = 2) -> bytes:
    """Let a person change the label map of a case as ITK-SNAP does; returns the file."""
    path = out / case / f"{case}_seg.nii.gz"
    image = nib.load(path)
    values = np.asarray(image.dataobj).copy()
    values[2:8, 2:8, 2:8] = value
    nib.Nifti1Image(values, image.affine).to_filename(path)
    return path.read_bytes()


def test_what_a_person_drew_is_kept_told_and_measured(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    before = record(out, NAME)
    drawn = draw(out)
    ended = segment(results / "in", out, "--report")
    assert ended.code == 0
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn
    assert "changed by hand" in ended.err + ended.out
    said = record(out, NAME)
    assert said["edited"] == {f"{NAME}_seg.nii.gz": hash_or_none(out / NAME / f"{NAME}_seg.nii.gz")}
    assert said["outputs"] == before["outputs"], "what was computed is no longer known"
    assert said["volumes_ml"]["WT"] != before["volumes_ml"]["WT"]
    assert f"{said['volumes_ml']['WT']:.1f} mL" in (out / NAME / f"{NAME}_report.html").read_text()
    with (out / "cases.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["edited"], row["WT_ml"]) == (f"{NAME}_seg.nii.gz", f"{said['volumes_ml']['WT']:.2f}")
    before = record_path(out, NAME).stat().st_mtime_ns
    assert segment(results / "in", out).code == 0
    assert record_path(out, NAME).stat().st_mtime_ns == before, "what was told once is not written again"


def test_only_overwrite_replaces_a_drawing_after_moving_it_aside(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    drawn = [draw(out)]
    segment(results / "in", out, "--dialect", "msd")
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn[0], "another option is no reason to lose it"
    assert segment(results / "in", out, "--overwrite").code == 0
    drawn.append(draw(out, value=1))
    assert segment(results / "in", out, "--overwrite").code == 0
    day = date.today().isoformat()
    kept = [out / NAME / folder / f"{NAME}_seg.nii.gz" for folder in (f"edited-{day}", f"edited-{day}-2")]
    assert [path.read_bytes() for path in kept] == drawn
    assert whole(out) == whole(results / "out")
    assert record(out, NAME)["edited"] == {}


def test_new_scans_are_no_reason_to_lose_a_drawing(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_cases(studies, 1)
    segment(studies, out)
    drawn = draw(out)
    write_case(studies, NAME, seed=7)
    segment(studies, out)
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn
    (studies / NAME / f"{NAME}-t2f.nii.gz").write_bytes(b"torn")
    segment(studies, out, "--overwrite")
    aside = out / NAME / f"edited-{date.today().isoformat()}" / f"{NAME}_seg.nii.gz"
    assert aside.read_bytes() == drawn
    assert record(out, NAME)["status"] == "refused"


def test_a_file_that_no_program_saved_is_made_again(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    path = out / NAME / f"{NAME}_seg.nii.gz"
    torn = path.read_bytes()[:200]
    path.write_bytes(torn)
    assert segment(results / "in", out).code == 0
    assert whole(out) == whole(results / "out")
    assert [aside.read_bytes() for aside in (out / NAME).glob("edited-*/*")] == [torn], "nothing is thrown away"


def test_a_drawing_that_was_taken_back_is_forgotten(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    path = out / NAME / f"{NAME}_seg.nii.gz"
    made = path.read_bytes()
    draw(out)
    segment(results / "in", out)
    path.write_bytes(made)
    segment(results / "in", out)
    assert record(out, NAME)["edited"] == {}
    assert record(out, NAME)["volumes_ml"] == record(results / "out", NAME)["volumes_ml"]


def test_files_of_the_users_own_mean_nothing_and_stay(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    own = ("brain_mask.png", "tumour_mask.png", "x_prob_WT.txt", f"{NAME}_prob_mine.nii.gz", f"{NAME}_report.pdf")
    for name in own:
        (out / NAME / name).write_text(name)
    ended = segment(results / "in", out, "--dialect", "msd")
    assert ended.code == 0
    assert "kept" not in ended.err + ended.out
    assert record(out, NAME)["dialect"] == "msd"
    assert segment(results / "in", out, "--overwrite").code == 0
    assert {name: (out / NAME / name).read_text() for name in own} == {name: name for name in own}


def test_pages_that_a_person_wrote_on_move_aside(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    segment(results / "in", out, "--report")
    (out / NAME / f"{NAME}_report.pdf").write_bytes(b"annotated")
    ended = segment(results / "in", out, "--report", "--overwrite")
    assert f"moved aside {NAME}" in ended.err
    assert [path.read_bytes() for path in (out / NAME).glob("edited-*/*_report.pdf")] == [b"annotated"]
    assert (out / NAME / f"{NAME}_report.pdf").read_bytes().startswith(b"%PDF")
    ended = segment(results / "in", out, "--report", "--overwrite")
    assert "moved aside" not in ended.err, "pages that nobody touched are ours to make again"


def test_a_drawing_whose_record_is_gone_is_kept(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    drawn = draw(out)
    record_path(out, NAME).unlink()
    ended = segment(results / "in", out, "--report")
    assert ended.code == 0
    assert f"kept {NAME}" in ended.err
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn
    assert list(record(out, NAME)["edited"]) == [f"{NAME}_seg.nii.gz"]
    assert segment(results / "in", out).code == 0
    assert (out / NAME / f"{NAME}_seg.nii.gz").read_bytes() == drawn


def test_other_scans_beneath_a_drawing_are_told(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_cases(studies, 1)
    segment(studies, out)
    draw(out)
    write_case(studies, NAME, seed=7)
    ended = segment(studies, out, "--report", "--dialect", "msd")
    assert "its scans are not those it was made from" in ended.err
    assert "its values are of brats2023, not msd" in ended.err
    assert "its scans are not those it was made from" in record(out, NAME)["warnings"]
    assert "the scans are not shown" in (out / NAME / f"{NAME}_report.html").read_text()


def test_a_region_that_a_person_drew_has_been_looked_for(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_case(studies, NAME, modalities=(Modality.FLAIR,))
    segment(studies, out)
    assert set(record(out, NAME)["not_assessable"]) == {"TC", "ET"}
    draw(out, value=3)
    segment(studies, out)
    said = record(out, NAME)
    assert said["not_assessable"] == {}
    assert said["volumes_ml"]["ET"] == said["volumes_ml"]["TC"] > 0


def test_a_link_that_moves_aside_still_leads_somewhere(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    drawn = draw(out)
    (out / "corrected").mkdir()
    path = out / NAME / f"{NAME}_seg.nii.gz"
    path.rename(out / "corrected" / "x.nii.gz")
    path.symlink_to("../corrected/x.nii.gz")
    segment(results / "in", out, "--overwrite")
    assert [aside.read_bytes() for aside in (out / NAME).glob("edited-*/*")] == [drawn]
    assert not path.is_symlink()


def test_a_table_or_data_set_that_lacks_a_case_is_exit_1(results: Path, tmp_path: Path) -> None:
    out = ready(results, tmp_path / "out")
    (out / "cases.csv").unlink()
    (out / "cases.csv").mkdir()
    (out / "cases.csv" / "in-the-way").write_text("")
    ended = segment(results / "in", out)
    assert ended.code == 1
    assert "cases.csv could not be written" in ended.err
    out = ready(results, tmp_path / "bids")
    draw(out, value=5)
    ended = segment(results / "in", out, "--formats", "bids")
    assert ended.code == 1
    assert f"lacks {NAME}/{NAME}_seg.nii.gz" in ended.err
