from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from bratsseg.errors import GridMismatch, UsageError
from bratsseg.exchange import FORMATS, labels_of, parse_formats
from bratsseg.exchange.nifti import named_label_map
from bratsseg.study.case import VolumeSource
from bratsseg.study.dialect import get_dialect
from bratsseg.study.reading import read_volume
from bratsseg.study.regions import Region
from tests.exchange.made import affine, affines, label_map, scan, write_export

BRATS21 = get_dialect("brats2021")


def header_of(path) -> dict[str, str]:
    """A NRRD header's fields and key/value pairs."""
    lines = path.read_bytes().partition(b"\n\n")[0].decode().splitlines()[1:]
    pairs = (line.split(":=" if ":=" in line else ": ", 1) for line in lines if not line.startswith("#"))
    return {line[0]: line[1] for line in pairs}


def test_formats_are_asked_for_by_name():
    assert parse_formats("bids, nifti") == ("nifti", "bids")
    for wrong in ("nifti,dicom", "", ","):
        with pytest.raises(UsageError, match="nifti,slicer,itksnap,bids"):
            parse_formats(wrong)


def test_a_case_is_written_in_every_format_inside_the_folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    probabilities = {Region.WT: label_map().region(Region.WT).astype(np.float32)}
    files = write_export(label_map(), scan(), "site/P-1", folder, FORMATS, dialect=BRATS21, probabilities=probabilities)
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {file.relative_to(folder).as_posix() for file in files} == {
        "P-1_seg.nii.gz",
        "P-1.seg.nrrd",
        "P-1.ctbl",
        "P-1_itksnap.txt",
        "bids/dataset_description.json",
        "bids/README.md",
        *(f"bids/sub-siteP1/anat/sub-siteP1_space-orig_desc-tumour_dseg{end}" for end in (".nii.gz", ".json", ".tsv")),
        *(
            f"bids/sub-siteP1/anat/sub-siteP1_space-orig_label-WT_desc-tumour_probseg{end}"
            for end in (".nii.gz", ".json")
        ),
    }


def test_equal_input_gives_equal_bytes(tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(write_export(label_map(), scan(), "P1", tmp_path / name, FORMATS, dialect=BRATS21))
    assert [file.read_bytes() for file in made[0]] == [file.read_bytes() for file in made[1]]


def test_a_label_map_on_another_grid_is_refused(tmp_path):
    with pytest.raises(GridMismatch, match=r"case P1.*5\.0 mm off"):
        write_export(label_map(), scan(affine(origin=(16.0, -22.0, 33.0))), "P1", tmp_path, ["slicer"], dialect=BRATS21)
    assert not list(tmp_path.iterdir())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(affines)
def test_every_grid_comes_back_through_nrrd_and_nifti(tmp_path, matrix):
    files = write_export(label_map(matrix), scan(matrix), "P1", tmp_path, ["nifti", "slicer"], dialect=BRATS21)
    values = BRATS21.encode(label_map(matrix).regions)
    nrrd = header_of(files[1])
    rows = [[float(part) for part in row.strip("()").split(",")] for row in nrrd["space directions"].split(" ")]
    origin = [float(part) for part in nrrd["space origin"].strip("()").split(",")]
    back = np.eye(4)
    back[:3, :3], back[:3, 3] = np.transpose(rows), origin
    assert np.array_equal(np.diag([-1, -1, 1, 1]) @ back, matrix)
    voxels = np.frombuffer(gzip.decompress(files[1].read_bytes().partition(b"\n\n")[2]), np.uint8)
    assert np.array_equal(voxels.reshape(values.shape, order="F"), values)
    volume = read_volume(VolumeSource(files[0]), "P1")
    assert np.array_equal(volume.voxels, values)
    assert volume.grid.displacement_mm(label_map(matrix).grid) < 1e-3  # NIfTI holds float32


def test_the_extent_of_every_segment_is_the_whole_layer(tmp_path):
    """Slicer cuts a layer to the extent of its first segment."""
    (nrrd, _) = write_export(label_map(), scan(), "P1", tmp_path, ["slicer"], dialect=BRATS21)
    header = header_of(nrrd)
    assert {header[f"Segment{n}_Extent"] for n in range(3)} == {"0 19 0 23 0 11"}
    assert header["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    assert header["Segment2_LabelValue"] == "4"
    assert header["Segment1_Tags"] == (
        "Segmentation.Status:inprogress|TerminologyEntry:Segmentation category and type - DICOM master list"
        "~SCT^49755003^Morphologically Altered Structure~SCT^79654002^Edema~^^"
        "~Anatomic codes - DICOM master list~SCT^12738006^Brain~^^|"
    )


def test_the_colour_table_has_one_word_a_name(tmp_path):
    (_, table) = write_export(label_map(), scan(), "P1", tmp_path, ["slicer"], dialect=BRATS21)
    assert table.read_text() == (
        "# Color table file P1.ctbl\n# 4 values\n0 Background 0 0 0 0\n1 Necrosis_and_non-enhancing_core 213 94 0 255\n"
        "2 Edema 86 180 233 255\n4 Enhancing_tumour 240 228 66 255\n"
    )


def test_the_itksnap_file_is_what_itksnap_writes_itself(tmp_path):
    (path,) = write_export(label_map(), scan(), "P1", tmp_path, ["itksnap"], dialect=BRATS21)
    rule = "#" * 48
    assert path.read_bytes().decode().split("\n") == [
        rule,
        "# ITK-SnAP Label Description File",
        "# File format: ",
        "# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL",
        "# Fields: ",
        "#    IDX:   Zero-based index ",
        "#    -R-:   Red color component (0..255)",
        "#    -G-:   Green color component (0..255)",
        "#    -B-:   Blue color component (0..255)",
        "#    -A-:   Label transparency (0.00 .. 1.00)",
        "#    VIS:   Label visibility (0 or 1)",
        "#    IDX:   Label mesh visibility (0 or 1)",
        "#  LABEL:   Label description ",
        rule,
        '    0     0    0    0        0  0  0    "Clear Label"',
        '    1   213   94    0        1  1  1    "Necrosis and non-enhancing core"',
        '    2    86  180  233        1  1  1    "Edema"',
        '    4   240  228   66        1  1  1    "Enhancing tumour"',
        "",
    ]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Header, nib.Nifti2Header])
def test_names_travel_inside_the_nifti_file(tmp_path, name, kind):
    like = scan()
    header = kind()
    header.set_data_shape(like.grid.shape)
    header.set_sform(like.grid.affine, code=1)
    like = type(like)(like.voxels, like.grid, header=header)
    values = BRATS21.encode(label_map().regions)
    packed = name.endswith(".gz")
    content = named_label_map(values, like, "bratsseg", labels_of(BRATS21), owner=name, packed=packed)
    (tmp_path / name).write_bytes(content)
    image = nib.load(tmp_path / name)
    assert np.array_equal(np.asarray(image.dataobj), values)
    assert np.allclose(image.affine, like.grid.affine, atol=1e-5)
    assert int(image.header["vox_offset"]) % 16 == 0
    (table,) = image.header.extensions
    text = table.get_content().decode()
    assert '<Label Key="4" Red="0.941176" Green="0.894118" Blue="0.258824" Alpha="1">' in text
    assert "<![CDATA[Necrosis and non-enhancing core]]>" in text
    assert np.array_equal(read_volume(VolumeSource(tmp_path / name), "a").voxels, values)
