"""Names and the sidecars beside them."""

from __future__ import annotations

from pathlib import Path

from bratsseg.study.modality import Modality
from tests.study.scans import only, put, put_json


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
