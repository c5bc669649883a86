"""Results follow their cases to new ids: which move is decided by the scans, and a kill leaves one whole result."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bratsseg.results.moves import Moves, moves
from bratsseg.results.record import CaseRecord, InputFile, ModelIdentity, hash_or_none, stamp
from tests.flows.conftest import FORKS, segment, write_case

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link")


def inputs(scans: str, file: str = "") -> dict[str, InputFile]:
    return {"flair": InputFile(file=file or f"{scans}.nii", sha256=scans)}


def record(case: str, scans: str, file: str = "", status: str = "done") -> CaseRecord:
    model = ModelIdentity(name="m", version="1", sha256="x")
    made = {"bratsseg": stamp("1"), "case": case, "status": status, "model": model, "dialect": "brats2023"}
    return CaseRecord(**made, inputs=inputs(scans, file))


def records(*made: CaseRecord) -> dict[str, CaseRecord]:
    return {each.case: each for each in made}


@given(st.sets(st.integers(0, 50), min_size=1), st.data())
def test_any_results_follow_their_scans_and_no_two_meet(scans: set[int], data: st.DataObject) -> None:
    names = data.draw(st.permutations(sorted(scans)))
    recorded = records(*(record(f"old{name}", str(scan)) for scan, name in zip(sorted(scans), names, strict=True)))
    found = {f"new{scan}": inputs(str(scan)) for scan in scans}
    told = moves(recorded, found)
    assert told == Moves({old: f"new{each.inputs['flair'].sha256}" for old, each in sorted(recorded.items())})


def test_equal_bytes_under_another_patient_prove_nothing() -> None:
    recorded = records(record("P1__2019", "1", "2019/flair.nii"))
    copy = {"flair": InputFile(file="2019/flair.nii", sha256="1", mtime_ns=5)}
    assert moves(recorded, {"P2__2019": copy}) == Moves()
    assert moves(recorded, {"a__P1__2019": copy}).moved == {"P1__2019": "a__P1__2019"}


def test_a_result_under_its_own_id_stays() -> None:
    assert moves(records(record("a", "1")), {"a": inputs("1"), "b": inputs("2")}) == Moves()


def test_a_result_whose_scans_are_nobodys_stays_without_a_word() -> None:
    assert moves(records(record("gone", "1")), {"b": inputs("2")}) == Moves()


def test_another_case_may_have_the_old_id() -> None:
    told = moves(records(record("001", "1")), {"siteA__001": inputs("1"), "001": inputs("2")})
    assert told.moved == {"001": "siteA__001"}


def test_two_cases_of_the_same_scans_are_told_and_nothing_moves() -> None:
    told = moves(records(record("a", "1", "gone.nii")), {"b_a": inputs("1", "b.nii"), "c_a": inputs("1", "c.nii")})
    assert told == Moves(unclear={"a": "b_a and c_a have the scans it was made from"})


def test_of_two_copies_the_case_with_the_file_gets_the_result() -> None:
    told = moves(records(record("a", "1", "b.nii")), {"b_a": inputs("1", "b.nii"), "c_a": inputs("1", "c.nii")})
    assert told.moved == {"a": "b_a"}


def test_a_copy_gets_no_result_while_the_original_is_there() -> None:
    recorded, found = records(record("a", "1", "a.nii")), {"copy-a": inputs("1", "copy.nii")}
    assert moves(recorded, found, lambda file: file == "a.nii") == Moves()
    assert moves(recorded, found).moved == {"a": "copy-a"}


def test_two_results_of_one_case_are_told_and_stay() -> None:
    told = moves(records(record("a", "1"), record("b", "1")), {"c": inputs("1")})
    assert set(told.unclear) == {"a", "b"}
    assert "a and b were made from the scans of c" in told.unclear["a"]


def test_a_case_with_its_own_result_makes_the_old_one_repeated() -> None:
    assert moves(records(record("a", "1"), record("c", "1")), {"c": inputs("1")}).repeated == {"a": "c"}


def test_a_place_that_is_taken_is_told() -> None:
    assert moves(records(record("a", "1"), record("c", "2")), {"c": inputs("1")}).unclear == {
        "a": "there is another result of c"
    }


def test_a_file_that_could_not_be_read_proves_nothing() -> None:
    blind = {"flair": InputFile(file="x.nii")}
    made = record("a", "1").model_copy(update={"inputs": blind})
    assert moves(records(made), {"b": blind}) == Moves()


def clinic(root: Path) -> Path:
    """P1 with two dates."""
    for day in ("2019-01-11", "2020-01-11"):
        write_case(root / "P1", day, seed=int(day[:4]))
    return root


def old_results(studies: Path, out: Path, *options: str) -> Path:
    """Results as an earlier version left them: called by the dates alone."""
    assert segment(studies, out, *options).code == 0
    for folder in sorted(out.glob("P1__*")):
        old = folder.name.removeprefix("P1__")
        for file in list(folder.iterdir()):
            file.rename(folder / file.name.replace(folder.name, old))
        path = folder.rename(out / old) / f"{old}.json"
        said = json.loads(path.read_text())
        said["case"] = old
        said["outputs"] = {name.removeprefix("P1__"): digest for name, digest in said["outputs"].items()}
        path.write_text(json.dumps(said))
    return out


def whole(out: Path) -> dict[str, int]:
    """How many outputs each record has; every one must be there as it was written."""
    found = {}
    for path in out.glob("*/*.json"):
        if path.stem == path.parent.name:
            said = json.loads(path.read_text())
            assert said["case"] == path.stem
            assert {name: hash_or_none(path.parent / name) for name in said["outputs"]} == said["outputs"]
            found[path.stem] = len(said["outputs"])
    return found


def rows(out: Path) -> list[str]:
    return [line.partition(",")[0] for line in (out / "cases.csv").read_text().splitlines()[1:]]


def test_results_of_an_earlier_version_move_uncomputed(tmp_path: Path) -> None:
    out = old_results(clinic(tmp_path / "clinic"), tmp_path / "out", "--probabilities", "--formats", "slicer,itksnap")
    before = whole(out)
    (out / "2019-01-11" / "notes.txt").write_text("seen")
    ended = segment(tmp_path / "clinic", out, "--probabilities", "--formats", "slicer,itksnap")
    assert ended.code == 0
    assert "2 cases (2 finished before)" in ended.out
    assert "moved 2019-01-11 to P1__2019-01-11: made from the same scans, not computed again" in ended.out
    assert whole(out) == {f"P1__{case}": count for case, count in before.items()}
    assert rows(out) == ["P1__2019-01-11", "P1__2020-01-11"]
    assert (out / "P1__2019-01-11" / "notes.txt").read_text() == "seen"
    assert not list(out.glob("20*"))
    assert "moved" not in segment(tmp_path / "clinic", out, "--probabilities", "--formats", "slicer,itksnap").out


def test_a_label_map_that_a_person_changed_moves_as_it_is(tmp_path: Path) -> None:
    out = old_results(clinic(tmp_path / "clinic"), tmp_path / "out")
    drawn = out / "2019-01-11" / "2019-01-11_seg.nii.gz"
    shutil.copy(out / "2020-01-11" / "2020-01-11_seg.nii.gz", drawn)
    content = drawn.read_bytes()
    assert segment(tmp_path / "clinic", out).code == 0
    assert (out / "P1__2019-01-11" / "P1__2019-01-11_seg.nii.gz").read_bytes() == content


def test_a_report_is_made_again_under_the_new_id(tmp_path: Path) -> None:
    out = old_results(clinic(tmp_path / "clinic"), tmp_path / "out", "--report")
    assert segment(tmp_path / "clinic", out).code == 0
    page = (out / "P1__2019-01-11" / "P1__2019-01-11_report.html").read_text()
    assert "P1__2019-01-11" in page
    assert json.loads((out / "P1__2019-01-11" / "P1__2019-01-11_report.json").read_text())["case"] == "P1__2019-01-11"
    assert "P1__2019-01-11" in (out / "index.html").read_text()


def test_a_namesake_that_comes_later_renames_without_computing(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_case(studies / "siteA", "001", seed=1)
    assert segment(studies, out).code == 0
    write_case(studies / "siteB", "001", seed=2)
    ended = segment(studies, out)
    assert "moved 001 to siteA__001" in ended.out
    assert "2 cases (1 finished before)" in ended.out
    assert rows(out) == ["siteA__001", "siteB__001"]


def test_only_some_cases_take_no_result_of_the_others(tmp_path: Path) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    write_case(studies, "Miller", seed=1)
    write_case(studies, "Meier", seed=1)
    assert segment(studies, out, "--only", "Miller").code == 0
    ended = segment(studies, out, "--only", "Meier")
    assert "moved" not in ended.out
    assert rows(out) == ["Meier", "Miller"]


def test_one_patients_folder_alone_finds_its_results(tmp_path: Path) -> None:
    studies, out = clinic(tmp_path / "clinic"), tmp_path / "out"
    assert segment(studies, out).code == 0
    assert "2 cases (2 finished before)" in segment(studies / "P1", out).out
    assert "1 case (1 finished before)" in segment(studies / "P1" / "2019-01-11", out).out
    assert rows(out) == ["P1__2019-01-11", "P1__2020-01-11"]


def test_two_patients_of_the_same_scans_keep_a_result_each(tmp_path: Path) -> None:
    studies, out = clinic(tmp_path / "clinic"), tmp_path / "out"
    shutil.copytree(studies / "P1", studies / "P2")
    assert segment(studies / "P1", out).code == segment(studies / "P2", out).code == segment(studies, out).code == 0
    assert "2 cases (2 finished before)" in segment(studies / "P1", out).out
    everyone = ["P1__2019-01-11", "P1__2020-01-11", "P2__2019-01-11", "P2__2020-01-11"]
    assert rows(out) == everyone
    assert "4 cases (4 finished before)" in segment(studies, out).out
    assert rows(out) == everyone


def test_a_repeated_result_goes_unless_a_person_changed_it(tmp_path: Path) -> None:
    studies, out = clinic(tmp_path / "clinic"), tmp_path / "out"
    old_results(studies, tmp_path / "old")
    assert segment(studies, out).code == 0
    for folder in (tmp_path / "old").glob("20*"):
        shutil.copytree(folder, out / folder.name)
    (out / "2020-01-11" / "notes.txt").write_text("seen")
    ended = segment(studies, out)
    assert "removed 2019-01-11: P1__2019-01-11 has the result of the same scans" in ended.out
    assert "not moved 2020-01-11: P1__2020-01-11 has a result" in ended.out
    assert rows(out) == ["2020-01-11", "P1__2019-01-11", "P1__2020-01-11"]


def _die_at(step: int, studies: Path, out: Path) -> None:
    seen = 0

    def hook(event: str, arguments: object) -> None:
        nonlocal seen
        if event in CHANGES:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    sys.exit(segment(studies, out).code)


def test_killed_at_any_step_the_old_or_the_new_result_is_whole(tmp_path: Path) -> None:
    studies = clinic(tmp_path / "clinic")
    shutil.rmtree(studies / "P1" / "2020-01-11")
    made = old_results(studies, tmp_path / "made")
    died = 0
    for step in range(1, 60):
        out = tmp_path / f"out{step}"
        shutil.copytree(made, out)
        process = FORKS.Process(target=_die_at, args=(step, studies, out))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        died += process.exitcode == -signal.SIGKILL
        assert whole(out).keys() & {"2019-01-11", "P1__2019-01-11"}, step
        assert "1 case (1 finished before)" in segment(studies, out).out, step
        assert whole(out).keys() == {"P1__2019-01-11"}, step
        assert rows(out) == ["P1__2019-01-11"], step
    assert died > 5


@pytest.mark.parametrize("salt", ["", "s"])
def test_salted_ids_follow_too(tmp_path: Path, salt: str) -> None:
    studies, out = tmp_path / "in", tmp_path / "out"
    options = ("--salt", salt) if salt else ()
    write_case(studies / "siteA", "001", seed=1)
    assert segment(studies, out, *options).code == 0
    write_case(studies / "siteB", "001", seed=2)
    assert "moved" in segment(studies, out, *options).out
    assert len(rows(out)) == 2
