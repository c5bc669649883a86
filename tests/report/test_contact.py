"""Contact sheets: many cases on one picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from bratsseg.cli.main import app
from bratsseg.report.contact import contact_sheet
from bratsseg.report.gallery import Gallery, build_gallery
from bratsseg.report.measures import measure
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume


def gallery_of(columns: int) -> Gallery:
    grid = Grid.of((40, 40, 20), np.eye(4))
    rng = np.random.default_rng(0)
    study = Study("a", {m: Volume(rng.random(grid.shape, np.float32), grid) for m in list(Modality)[:columns]})
    regions = np.zeros((3, *grid.shape), dtype=bool)
    regions[:, 10:20, 10:20, 8:12] = True
    label_map = LabelMap(regions, grid)
    return build_gallery(label_map, measure(label_map), study, None)


def test_every_case_has_a_row_of_the_height_asked_for() -> None:
    sheet = Image.open(io.BytesIO(contact_sheet([gallery_of(4), gallery_of(2), gallery_of(4)], height=50)))
    assert sheet.height == 3 * 50 + 2 * 6
    pixels = np.asarray(sheet)
    assert all(pixels[row * 56 : row * 56 + 50].max() > 128 for row in range(3)), "a row is black"
    assert pixels[56:106, -20:].max() == 0, "a case of two modalities fills two columns"


def test_no_case_is_still_a_picture() -> None:
    assert Image.open(io.BytesIO(contact_sheet([]))).size == (1, 1)


def test_synthesize_preview_writes_a_sheet(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["synthesize", str(tmp_path), "--cases", "1", "--preview"])
    assert done.exit_code == 0, done.output
    assert Image.open(tmp_path / "preview-01.png").width > 400
