"""A result to replace, and what each command makes of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bratsseg.results.record import hash_or_none, read_record, record_path
from tests.flows.conftest import case_names, segment, write_cases

NAME = case_names(1)[0]
COMMANDS = {
    "over": ("--overwrite", "--dialect", "msd"),
    "report": ("--report",),
    "formats": ("--formats", "slicer,itksnap"),
    "probabilities": ("--probabilities",),
}


def whole(out: Path) -> str | None:
    """The hash of the label map of a result that is whole, or None for no result."""
    said = read_record(record_path(out, NAME))
    if said is None:
        return None
    assert said.status == "done", said.reason
    assert {name: hash_or_none(out / NAME / name) for name in said.outputs} == said.outputs
    return said.outputs[said.label_file]


@pytest.fixture(scope="package")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in ``in``, its result in ``out``, and what each command makes of it in a folder called as the command."""
    place = tmp_path_factory.mktemp("results")
    write_cases(place / "in", 1)
    assert segment(place / "in", place / "out").code == 0
    for name, words in COMMANDS.items():
        shutil.copytree(place / "out", place / name)
        assert segment(place / "in", place / name, *words).code == 0
    return place


def ready(results: Path, out: Path) -> Path:
    """A copy of the result at ``out``, with what a person put beside it."""
    shutil.copytree(results / "out", out)
    (out / NAME / "notes.txt").write_text("mine")
    (out / NAME / "more").mkdir()
    (out / NAME / "more" / "drawing.nii.gz").write_text("mine")
    return out
