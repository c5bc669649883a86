"""What a person reads of one case: three kinds of answers, no invented units, and no name that becomes markup."""

from __future__ import annotations

import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bratsseg.report import phrases
from bratsseg.report.case_facts import gather
from bratsseg.report.case_report import case_page
from bratsseg.report.picture import case_png, mosaic
from bratsseg.report.run import build_reports, report_case
from bratsseg.report.sheet import case_pdf
from bratsseg.results.filenames import REPORT
from bratsseg.results.record import CaseRecord
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study, Volume
from tests.report.results import SHAPE, head, make_record, picture_study, tumour, write_result

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}"
NEEDS = {"TC": "needs T1ce", "ET": "needs T1ce"}


class _Reader(HTMLParser):
    """The words that a reader sees, the tags, and every address that the page names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = tag
        for name, value in attributes:
            assert not name.startswith("on"), name
            if name in ("src", "href", "srcset", "action", "data"):
                self.addresses.append(value or "")
            if name == "alt":
                self.words.append(value or "")

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(study: Study | None, label_map: LabelMap, **changes: object) -> _Reader:
    result = CaseRecord.model_validate(make_record(str(changes.pop("case", "case-1")), **changes))
    return _Reader(case_page(gather(result, label_map, study)))


def map_on(study: Study, regions: np.ndarray | None = None) -> LabelMap:
    return LabelMap(tumour() if regions is None else regions, study.reference.grid)


def test_the_page_says_what_was_measured() -> None:
    study = head()
    page = page_of(study, map_on(study))
    assert "Whole tumour 11.4 mL, 1 lesion, left" in page.text
    assert "default 1.0" in page.text
    assert "ab" * 32 in page.text
    assert phrases.RESEARCH_USE in page.text
    assert "RANO" in page.text
    for modality in Modality:
        assert f"{modality.label}, axial, slice 23 of 44" in page.text
    assert sum(address.startswith("data:image/png") for address in page.addresses) == 2 * (3 * 4 + 3)


def test_it_needs_nothing_but_itself() -> None:
    study = head()
    page = page_of(study, map_on(study))
    assert all(address.startswith("data:") for address in page.addresses)
    assert "script" not in page.tags
    assert "link" not in page.tags


def test_none_found_and_not_assessable_are_answers_of_their_own() -> None:
    study = head((Modality.FLAIR,))
    page = page_of(study, map_on(study, tumour(radii=(0, 0, 0))), not_assessable=NEEDS)
    assert "No tumour found" in page.text
    assert "Whole tumour (WT) none found" in page.text
    assert "Enhancing tumour (ET) not assessable: needs T1ce" in page.text
    assert "Through the middle" in page.text


def test_a_study_with_the_whole_tumour_alone() -> None:
    study = head((Modality.FLAIR,))
    page = page_of(study, map_on(study, tumour(radii=(7, 0, 0))), not_assessable=NEEDS)
    assert "Tumour core (TC) not assessable: needs T1ce" in page.text
    assert "Whole tumour on FLAIR" in page.text
    assert "core on" not in page.text


def test_a_dialect_that_cannot_store_a_region_says_so() -> None:
    study = head()
    page = page_of(study, map_on(study), dialect="hd-glio")
    assert "Tumour core (TC) not assessable: label values of dialect hd-glio cannot store it" in page.text


def test_a_picture_gets_neither_mm_nor_ml() -> None:
    study, label_map = picture_study()
    result = CaseRecord.model_validate(
        make_record("slice", facts={"brain_ml": None, "pass": "whole"}, not_assessable=NEEDS)
    )
    facts = gather(result, label_map, study)
    text = _Reader(case_page(facts)).text
    assert not re.search(r"\bm[lm]\b|mm²|cm", text, re.IGNORECASE)
    assert "left" not in text.replace("right", "").lower()
    assert phrases.NO_SIZE in text
    assert "1,419 pixels" in text
    assert len(facts.gallery.rows) == 1
    assert case_pdf(facts, mosaic(facts.gallery)).startswith(b"%PDF")


@pytest.mark.parametrize("name", [HOSTILE, "a\u202eb", "患者-7", "x" * 300, "{% include 'x' %}", "<b>bold</b>"])
def test_a_hostile_name_stays_a_name(name: str) -> None:
    study = head((Modality.FLAIR,))
    inputs = {"flair": {"file": f"{name}/{name}.nii.gz", "sha256": "0" * 64}}
    page = page_of(study, map_on(study), case=name, warnings=[name], inputs=inputs, not_assessable={"ET": name})
    assert page.words.count(name) >= 2  # heading and warning: as text
    assert not {"script", "b-", "iframe"} & set(page.tags)
    result = CaseRecord.model_validate(make_record(name, warnings=[name] * 30, inputs=inputs))
    facts = gather(result, map_on(study), study)
    assert case_pdf(facts, None).count(b"/Type /Page\n") == 1
    assert Image.open(io.BytesIO(case_png(facts, None))).width > 900


@pytest.mark.parametrize("regions", [tumour(), tumour(radii=(7, 0, 0)), tumour(radii=(0, 0, 0))])
def test_no_kind_and_no_judgement_is_ever_named(regions: np.ndarray) -> None:
    study = head()
    text = page_of(study, map_on(study, regions)).text.replace(phrases.RESEARCH_USE, "")
    for word in ("type", "grade", "diagnos", "malign", "benign", "glioma", "cancer", "stage", "positive", "negative"):
        assert word not in text.lower(), word


def test_thick_slices_have_their_volume_and_diameters() -> None:
    affine = np.diag([1.0, 1.0, 5.0, 1.0])
    study = head(shape=(64, 64, 20), affine=affine)
    regions = tumour((64, 64, 20), (24, 32, 10), (6, 0, 0))
    page = page_of(study, map_on(study, regions))
    assert f"{regions[0].sum() * 0.005:.1f} mL" in page.text
    diameters = [float(word) for word in re.findall(r"([\d.]+) mm(?!²)", page.text)[:2]]
    assert diameters == pytest.approx([13, 13], abs=0.5)
    assert "On axial slice" in page.text


def test_equal_facts_give_equal_files() -> None:
    study = head()
    result = CaseRecord.model_validate(make_record("case-1"))
    made = []
    for _ in range(2):
        facts = gather(result, map_on(study), study)
        cuts = mosaic(facts.gallery)
        made.append((case_page(facts), case_png(facts, cuts), case_pdf(facts, cuts)))
    assert made[0] == made[1]


def test_rebuilding_gives_what_segmenting_wrote(tmp_path: Path) -> None:
    study, regions = head(), tumour()
    out, scans = tmp_path / "out", tmp_path / "in"
    folder = write_result(out, "BraTS-GLI-00001-000", study, regions, scans, warnings=["T2: odd"])
    record = CaseRecord.model_validate_json((folder / "BraTS-GLI-00001-000.json").read_bytes())
    files = report_case(study, map_on(study, regions), record).files
    assert [name.removeprefix("BraTS-GLI-00001-000") for name in files] == list(REPORT)
    built = build_reports(out, scans)
    assert (built.reports, built.failed) == (1, {})
    for name, content in files.items():
        assert (folder / name).read_bytes() == content, name
    assert not list(out.rglob(".*"))


def test_without_scans_the_outlines_stand_on_an_even_ground(tmp_path: Path) -> None:
    write_result(tmp_path, "one", head(), tumour())
    assert build_reports(tmp_path).reports == 1
    page = _Reader((tmp_path / "one" / "one_report.html").read_text())
    assert "outlines without a scan, axial" in page.text
    assert "Side: not given, the middle of the brain is not known" in page.text


def test_a_scan_that_changed_or_lies_elsewhere_is_not_shown(tmp_path: Path) -> None:
    out, scans = tmp_path / "out", tmp_path / "in"
    folder = write_result(out, "one", head(), tumour(), scans)
    secret = tmp_path / "secret.nii.gz"
    (scans / "one" / "one-flair.nii.gz").rename(secret)
    (scans / "one" / "one-t1n.nii.gz").unlink()
    (scans / "one" / "one-t2w.nii.gz").write_bytes(b"another scan")
    record = json.loads((folder / "one.json").read_text())
    record["inputs"]["flair"] = {"file": "../secret.nii.gz", "sha256": hashlib.sha256(secret.read_bytes()).hexdigest()}
    (folder / "one.json").write_text(json.dumps(record))
    build_reports(out, scans)
    text = _Reader((folder / "one_report.html").read_text()).text
    assert "FLAIR is not shown: its path leads out of the folder of scans" in text
    assert "T1 is not shown: there is no such file" in text
    assert "T2 is not shown: the scan is not the one that was segmented" in text
    assert "T1ce, axial" in text


def test_linked_scans_are_shown(tmp_path: Path) -> None:
    out, scans, links = tmp_path / "out", tmp_path / "in", tmp_path / "links"
    folder = write_result(out, "one", head(), tumour(), scans)
    links.mkdir()
    (links / "one").symlink_to(scans / "one")
    build_reports(out, links)
    text = _Reader((folder / "one_report.html").read_text()).text
    assert "not shown" not in text
    assert "FLAIR, axial" in text


def test_a_label_map_changed_by_hand_is_measured_and_flagged(tmp_path: Path) -> None:
    study = head()
    folder = write_result(tmp_path, "one", study, tumour())
    other = write_result(tmp_path / "other", "one", study, tumour(radii=(9, 0, 0)))
    (other / "one_seg.nii.gz").replace(folder / "one_seg.nii.gz")
    build_reports(tmp_path)
    text = _Reader((folder / "one_report.html").read_text()).text
    assert "one_seg.nii.gz was changed by hand" in text
    assert "24.6 mL" in text


def test_a_label_map_that_cannot_be_read_leaves_no_old_report(tmp_path: Path) -> None:
    good, bad = (write_result(tmp_path, name, head(), tumour()) for name in ("good", "bad"))
    build_reports(tmp_path)
    (bad / "bad_seg.nii.gz").write_bytes(b"torn")
    built = build_reports(tmp_path)
    assert built.reports == 1
    assert list(built.failed) == ["bad"]
    assert not list(bad.glob("*_report*"))
    assert (good / "good_report.html").is_file()
    assert "bad_seg.nii.gz" in (tmp_path / "index.html").read_text()


def test_a_scan_on_its_own_grid_is_shown_too() -> None:
    study = head((Modality.T1C, Modality.FLAIR))
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = 1.0
    study.volumes[Modality.FLAIR] = Volume(
        np.ascontiguousarray(study.volumes[Modality.FLAIR].voxels[::2, ::2, ::2]),
        Grid.of(tuple(size // 2 for size in SHAPE), affine),
    )
    page = page_of(study, LabelMap(tumour(), study.volumes[Modality.T1C].grid, frozenset({Region.WT})))
    assert "FLAIR, axial" in page.text
