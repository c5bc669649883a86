from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from bratsseg.cli.convert import convert
from bratsseg.errors import DialectError, UsageError
from bratsseg.exchange import add_bids, convert_folder
from bratsseg.study.dialect import DIALECTS, get_dialect
from tests.exchange.made import affine, label_map, write_nifti, write_result
from tests.flows.conftest import bratsseg

REGIONS = label_map().regions
VALUES = {name: dialect.encode(REGIONS) for name, dialect in DIALECTS.items()}


def voxels(path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
def test_every_dialect_becomes_every_other_and_means_the_same(tmp_path, source, target):
    write_nifti(tmp_path / "in" / "a_seg.nii.gz", VALUES[source])
    convert_folder(tmp_path / "in", tmp_path / "out", source=source, target=target)
    found = get_dialect(target).decode(voxels(tmp_path / "out" / "a_seg.nii.gz"), "a")
    meant = get_dialect(source).decode(VALUES[source], "a")
    told = get_dialect(source).expresses & get_dialect(target).expresses
    for channel, region in enumerate(("WT", "TC", "ET")):
        if region in told:
            assert np.array_equal(found[channel], meant[channel])


def test_paths_and_geometry_are_those_of_the_source_to_the_bit(tmp_path):
    source = tmp_path / "in" / "train" / "P1" / "mask_tumor.nii.gz"
    write_nifti(source, VALUES["brats2021"], affine(flips=(1, 1, 1)), np.float32)
    image = nib.load(source)
    image.header.set_qform(image.affine, code=4)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, source)
    done = convert_folder(tmp_path / "in", tmp_path / "out", source="brats2021", target="brats2023").done
    result = tmp_path / "out" / "train" / "P1" / "mask_tumor.nii.gz"
    assert done == {"train/P1/mask_tumor.nii.gz": (result,)}
    before, after = nib.load(source).header, nib.load(result).header
    for name in ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "pixdim", "xyzt_units"):
        assert np.array_equal(before[name], after[name]), name
    assert not bytes(after["descrip"]).startswith(b"bratsseg"), "an expert's map must not become a result of ours"


def test_our_own_results_say_their_dialect_and_stay_ours(tmp_path):
    write_result(tmp_path / "in", "P1", "brats2021")
    convert_folder(tmp_path / "in", tmp_path / "out", target="msd", formats=("nifti", "slicer"))
    result = tmp_path / "out" / "P1" / "P1_seg.nii.gz"
    assert np.array_equal(voxels(result), VALUES["msd"])
    assert bytes(nib.load(result).header["descrip"]).rstrip(b"\0") == b"bratsseg m 1 msd"
    assert (tmp_path / "out" / "P1" / "P1_seg.nii.gz").is_file()
    assert (tmp_path / "out" / "P1" / "P1.seg.nrrd").is_file()


def test_names_of_a_family_prove_the_dialect(tmp_path):
    write_nifti(tmp_path / "in" / "BraTS2021_00001_seg.nii.gz", VALUES["brats2021"])
    conversion = convert_folder(tmp_path / "in", tmp_path / "out", target="brats2023")
    assert np.array_equal(voxels(tmp_path / "out" / "BraTS2021_00001_seg.nii.gz"), VALUES["brats2023"])
    assert any("names say brats2021, the values are brats2023 now" in warning for warning in conversion.warnings)


def test_an_unknown_dialect_is_refused_with_the_candidates(tmp_path):
    write_nifti(tmp_path / "in" / "a.nii.gz", VALUES["msd"])
    with pytest.raises(DialectError, match=r"brats2023.*msd.*--from"):
        convert_folder(tmp_path / "in", tmp_path / "out", target="brats2021")
    assert not (tmp_path / "out").exists()


def test_a_flag_that_contradicts_our_own_record_is_refused(tmp_path):
    write_result(tmp_path / "in", "P1", "brats2021")
    with pytest.raises(DialectError, match="the record of case P1 says brats2021"):
        convert_folder(tmp_path / "in", tmp_path / "out", source="msd", target="brats2023")


def test_a_file_with_other_values_is_refused_alone(tmp_path):
    write_nifti(tmp_path / "in" / "a_seg.nii.gz", VALUES["brats2023"])
    write_nifti(tmp_path / "in" / "b_seg.nii.gz", VALUES["brats2021"])
    write_nifti(tmp_path / "in" / "c_seg.nii.gz", np.full((3, 3, 3), 1.4), dtype=np.float32)
    (tmp_path / "in" / "d_seg.nii.gz").write_bytes(b"no image")
    conversion = convert_folder(tmp_path / "in", tmp_path / "out", source="brats2023", target="brats2021")
    assert list(conversion.done) == ["a_seg.nii.gz"]
    refused = {item.file: (item.code, item.reason) for item in conversion.refused}
    assert {file: code for file, (code, _) in refused.items()} == {
        "b_seg.nii.gz": "labels_invalid",
        "c_seg.nii.gz": "labels_invalid",
        "d_seg.nii.gz": "unreadable",
    }
    assert "values of dialect brats2023 are [1, 2, 3], found [4]" in refused["b_seg.nii.gz"][1]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_seg.nii.gz"]


def test_what_a_dialect_cannot_hold_is_said(tmp_path):
    values = VALUES["brats2024"].copy()
    values[0, 0, 0] = 4
    write_nifti(tmp_path / "in" / "a_seg.nii.gz", values)
    conversion = convert_folder(tmp_path / "in", tmp_path / "out", source="brats2024", target="brats2023")
    assert voxels(tmp_path / "out" / "a_seg.nii.gz")[0, 0, 0] == 0
    assert conversion.warnings == (
        "value 4 of brats2024 has no place in brats2023 and becomes background (1 file, such as a_seg.nii.gz)",
    )
    lossy = convert_folder(tmp_path / "in", tmp_path / "out2", source="brats2024", target="hd-glio").warnings
    assert any(warning.startswith("hd-glio cannot store TC") for warning in lossy)
    assert any(warning.startswith("values 1 and 2 of brats2024 become 1 of hd-glio") for warning in lossy)


def test_a_dialect_to_itself_keeps_every_value(tmp_path):
    values = VALUES["brats2013"].copy()
    values[values == 1] = 3
    write_nifti(tmp_path / "in" / "a_seg.nii.gz", values)
    conversion = convert_folder(tmp_path / "in", tmp_path / "out", source="brats2013", formats=("nifti", "itksnap"))
    assert np.array_equal(voxels(tmp_path / "out" / "a_seg.nii.gz"), values)
    assert '"Tumour core (brats2013 3)"' in (tmp_path / "out" / "a_seg_itksnap.txt").read_text()
    assert conversion.warnings == ()


def test_two_files_that_would_be_written_to_one_are_refused(tmp_path):
    write_nifti(tmp_path / "in" / "a_seg.nii.gz", VALUES["msd"])
    write_nifti(tmp_path / "in" / "a_seg.nii", VALUES["msd"])
    write_nifti(tmp_path / "in" / "b_seg.nii.gz", VALUES["msd"])
    conversion = convert_folder(tmp_path / "in", tmp_path / "out", source="msd", formats=("slicer",))
    assert list(conversion.done) == ["b_seg.nii.gz"]
    assert [item.file for item in conversion.refused] == ["a_seg.nii", "a_seg.nii.gz"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"b_seg.seg.nrrd", "b_seg.ctbl"}


@pytest.mark.parametrize(
    ("folder", "out"), [("in", "in/out"), ("in", "in"), ("in", "."), ("no", "out"), ("empty", "o"), ("in", "file")]
)
def test_wrong_folders_are_wrong_use(tmp_path, folder, out):
    write_nifti(tmp_path / "in" / "a_seg.nii.gz", VALUES["msd"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        convert_folder(tmp_path / folder, tmp_path / out, source="msd")


def test_scans_beside_references_are_left_alone(tmp_path):
    write_nifti(tmp_path / "in" / "P1" / "P1_seg.nii.gz", VALUES["msd"])
    write_nifti(tmp_path / "in" / "P1" / "P1_t1ce.nii.gz", VALUES["msd"])
    assert list(convert_folder(tmp_path / "in", tmp_path / "out", source="msd").done) == ["P1/P1_seg.nii.gz"]


def run(*arguments):
    import typer

    from bratsseg.errors import BratssegError

    app = typer.Typer()
    app.command()(convert)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, BratssegError):  # as `main` does
        return result.exception.exit_code, str(result.exception)
    return result.exit_code, result.output


def test_the_verb_converts_reports_and_exits_as_promised(tmp_path):
    write_nifti(tmp_path / "in" / "a_seg.nii.gz", VALUES["brats2021"])
    asked = (tmp_path / "in", tmp_path / "out", "--from", "brats2021", "--to", "brats2023", "--formats")
    code, text = run(*asked, "nifti,bids")
    assert (code, text.splitlines()[0]) == (0, "1 label maps converted, 0 refused")
    report = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert report["done"]["a_seg.nii.gz"][0] == "a_seg.nii.gz"
    assert report["asked"] == {"from": "brats2021", "to": "brats2023", "formats": ["nifti", "bids"]}
    write_nifti(tmp_path / "in" / "b_seg.nii.gz", VALUES["brats2023"])
    code, text = run(*asked, "nifti")
    assert code == 1
    assert "refused b_seg.nii.gz: labels_invalid" in text
    assert run(*asked, "dicom")[0] == 2
    assert run(tmp_path / "in", tmp_path / "out", "--to", "brats2023")[0] == 2
    assert run(tmp_path / "in", tmp_path / "out", "--from", "brats2021", "--to", "nonsense")[0] == 2


def test_what_a_person_changed_in_out_is_kept(tmp_path):
    out, path = tmp_path / "out", tmp_path / "out" / "P1_seg.nii.gz"
    write_nifti(tmp_path / "in" / "P1_seg.nii.gz", label_map().regions[0])
    convert = ("convert", tmp_path / "in", out, "--from", "msd", "--to")
    assert "kept" not in bratsseg(*convert, "brats2023").out
    assert "kept" not in bratsseg(*convert, "brats2021").out, "nobody changed it"
    write_nifti(path, label_map().regions[1] * 2)
    drawn = path.read_bytes()
    assert bratsseg(*convert, "brats2023").out.count("kept") == 1
    assert path.read_bytes() == drawn
    bratsseg(*convert, "brats2023", "--overwrite")
    assert path.read_bytes() != drawn
    assert [aside.read_bytes() for aside in out.glob("edited-*/P1_seg.nii.gz")] == [drawn]


def test_a_drawing_in_the_bids_data_set_is_kept(tmp_path):
    write_result(tmp_path, "P1")
    add_bids(tmp_path)
    (image,) = (tmp_path / "bids").rglob("*_dseg.nii.gz")
    write_nifti(image, label_map().regions[1] * 2)
    drawn = image.read_bytes()
    assert [Path(name).name for name in add_bids(tmp_path).kept] == [image.name]
    assert image.read_bytes() == drawn
