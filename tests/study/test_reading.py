from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.errors import (
    ContentError,
    GeometryError,
    LabelError,
    ModalityAmbiguous,
    ReadError,
)
from bratsseg.study.case import Case, Problem, VolumeSource
from bratsseg.study.modality import Modality
from bratsseg.study.reading import GeometryPolicy, read_header, read_reference, read_study, read_volume
from bratsseg.study.volume import Volume
from tests.study.scans import LPS, SHAPE, image, oblique, put, save

ACCEPTING = GeometryPolicy(on_disagreement="sform", without_codes="accept", shear="accept")


def read(path: Path, policy: GeometryPolicy | None = None, channel: int | None = None) -> Volume:
    return read_volume(VolumeSource(path, channel), "case Miller: T1ce", policy or GeometryPolicy())


RAMP = np.arange(np.prod(SHAPE)).reshape(SHAPE)
ODD = {
    "plain": {},
    "oblique": {"sform": oblique(), "qform": oblique()},
    "mirrored": {"sform": np.diag([-2.0, 2, 2, 1]), "qform": np.diag([-2.0, 2, 2, 1])},
    "q only": {"sform": None, "qform": oblique()},
    "s only": {"sform": oblique(), "qform": None},
    "float64": {"voxels": RAMP / 7},
    "big endian": {"voxels": RAMP.astype(">i2"), "endianness": ">"},
    "slope": {"voxels": RAMP.astype(np.uint16), "slope": 0.25, "intercept": -50},
    "nifti 2": {"kind": nib.Nifti2Image},
    "unknown unit": {"unit": "unknown"},
    "4-D of one": {"voxels": RAMP[..., None].astype(np.int16)},
}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".img", ".hdr", ".img.gz"])
@pytest.mark.parametrize("odd", ODD)
def test_a_volume_is_what_nibabel_says_it_is(tmp_path: Path, odd: str, suffix: str) -> None:
    made = image(**ODD[odd])
    if suffix not in (".nii", ".nii.gz"):
        pair = nib.Nifti2Pair if isinstance(made, nib.Nifti2Image) else nib.Nifti1Pair
        made = pair(made.dataobj, None, made.header)
        if odd == "slope":
            made.header.set_slope_inter(0.25, -50)
    path = save(tmp_path / f"scan{suffix}", made)
    volume, known = read(path), nib.load(path)
    assert np.allclose(volume.values(), np.asarray(known.dataobj).reshape(SHAPE))
    assert np.allclose(volume.grid.affine, known.affine)
    assert volume.voxels.dtype == known.get_data_dtype().newbyteorder("=")
    assert volume.voxels.shape == volume.grid.shape == SHAPE


UNITS = [("micron", 1e-3), ("meter", 1e3), ("mm", 1.0)]


@pytest.mark.parametrize(("unit", "factor"), UNITS)
def test_lengths_become_millimetres(tmp_path: Path, unit: str, factor: float) -> None:
    head = LPS * np.array([[10], [10], [10], [1]]) / np.array([[factor], [factor], [factor], [1]])
    volume = read(save(tmp_path / "scan.nii", image(sform=head, qform=head, unit=unit)))
    assert volume.grid.spacing == pytest.approx((10, 10, 20))
    assert volume.grid.affine[0, 3] == pytest.approx(50)


@pytest.mark.parametrize(("unit", "shown"), [("micron", "240 x 240 x 160 micrometres"), ("meter", "240 x 240 x 160 m")])
def test_millimetres_that_are_called_otherwise_are_refused(tmp_path: Path, unit: str, shown: str) -> None:
    head = np.diag([48.0, 40, 40, 1])
    for forms in ({"sform": head, "qform": head}, {"sform": None, "qform": head}):
        path = save(tmp_path / "scan.nii", image(unit=unit, **forms))
        with pytest.raises(GeometryError, match=f"{shown} then; they look like mm"):
            read(path, ACCEPTING)


def test_the_channel_of_a_4d_file(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 99, (*SHAPE, 3)).astype(np.int16)
    path = save(tmp_path / "four.nii.gz", image(voxels))
    assert np.array_equal(read(path, channel=1).voxels, voxels[..., 1])
    with pytest.raises(ContentError, match="3 volumes in 4-D"):
        read(path)
    with pytest.raises(ContentError, match="channel 3"):
        read(path, channel=3)


def test_gzipped_content_under_a_plain_name_is_read(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii.gz").rename(tmp_path / "scan.nii")
    assert read(path).voxels.shape == SHAPE


NOISE = np.random.default_rng(0).integers(0, 9999, (20, 20, 20)).astype(np.int16)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("lost", [1, 8, 2000, 8000])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, lost: int) -> None:
    path = save(tmp_path / f"scan{suffix}", image(NOISE))
    os.truncate(path, path.stat().st_size - lost)
    with pytest.raises(ReadError, match=r"case Miller: T1ce: .*truncated"):
        read(path)


@pytest.mark.parametrize(
    "after", [b"\n", b"left over by a download", b"\x1f\x8b", gzip.compress(NOISE.tobytes(), mtime=0)[:900]]
)
def test_bytes_after_a_gzip_stream_are_passed_over_and_told(tmp_path: Path, after: bytes) -> None:
    path = save(tmp_path / "scan.nii.gz", image(NOISE))
    path.write_bytes(path.read_bytes() + after)
    study = read_study(Case("Miller", {Modality.T1C: VolumeSource(path)}))
    assert np.array_equal(study.volumes[Modality.T1C].voxels, NOISE)
    assert study.warnings == (
        f"T1ce: passed over after the end of the gzip stream in scan.nii.gz: {len(after)} byte{'s' * (len(after) > 1)}",
    )


@pytest.mark.parametrize("after", [b"", bytes(512), gzip.compress(b"more", mtime=0)])
def test_padding_and_further_streams_are_gzip(tmp_path: Path, after: bytes) -> None:
    path = save(tmp_path / "scan.nii.gz", image(NOISE))
    path.write_bytes(path.read_bytes() + after)
    assert read_study(Case("Miller", {Modality.T1C: VolumeSource(path)})).warnings == ()


def test_voxels_of_a_cut_stream_are_refused_whatever_precedes_it(tmp_path: Path) -> None:
    content = image(NOISE).to_bytes()
    parts = gzip.compress(content[:5000]), gzip.compress(content[5000:])
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(parts[0] + parts[1])
    assert np.array_equal(read(path).voxels, NOISE)
    path.write_bytes(parts[0] + parts[1][:-6])
    with pytest.raises(ReadError, match="truncated"):
        read(path)
    path.write_bytes(parts[0] + parts[1][:-8] + bytes(8))
    with pytest.raises(ReadError, match="damaged"):
        read(path)


def test_a_file_packed_twice_says_so(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii.gz", image(NOISE))
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(ReadError, match="packed twice"):
        read(path)


@pytest.mark.parametrize("offset", [np.nan, np.inf, -np.inf, -352.0])
def test_an_offset_that_is_none_is_refused_by_the_header_alone(tmp_path: Path, offset: float) -> None:
    content = bytearray(image(NOISE).to_bytes())
    content[108:112] = np.float32(offset).tobytes()
    (tmp_path / "scan.nii").write_bytes(content)
    for reader in (read_header, read_volume):
        with pytest.raises(ReadError, match=r"case Miller: T1ce: .*vox_offset"):
            reader(VolumeSource(tmp_path / "scan.nii"), "case Miller: T1ce")


def test_a_damaged_gzip_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii.gz", image(NOISE))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ReadError, match=r"damaged|truncated"):
        read(path)


def test_the_checksum_at_the_end_of_a_large_file_is_proved(tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(0, 32767, (100, 100, 128)).astype(np.int16)
    path = save(tmp_path / "scan.nii.gz", image(large))
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ReadError, match="damaged"):
        read(path)


def test_a_header_that_promises_the_moon_is_refused_at_once(tmp_path: Path) -> None:
    made = image()
    made.header.set_data_shape((30000, 30000, 30000))
    (tmp_path / "scan.nii.gz").write_bytes(gzip.compress(made.header.binaryblock + bytes(1000)))
    with pytest.raises(ReadError, match="truncated"):
        read(tmp_path / "scan.nii.gz")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes"),
        (b"not a scan at all, just text", "is text that begins with"),
        (gzip.compress(b"not a scan", mtime=0), "is text that begins with"),
        (b"\x1f\x8bnonsense", "damaged|truncated"),
        ((348).to_bytes(4, "little") + bytes(344), "Analyze 7.5"),
    ],
)
def test_what_is_no_nifti_is_refused_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=words):
        read(path)


def test_missing_folder_and_forbidden_files_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match="does not exist"):
        read(tmp_path / "gone.nii.gz")
    with pytest.raises(ReadError, match="is a folder"):
        read(tmp_path)
    path = save(tmp_path / "scan.nii.gz")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ReadError, match="no permission"):
        read(path)


@pytest.mark.parametrize(
    ("dtype", "words"),
    [(np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), "RGB"), (np.complex64, "complex")],
)
def test_colours_and_complex_numbers_are_refused(tmp_path: Path, dtype: np.dtype, words: str) -> None:
    path = save(tmp_path / "scan.nii", image(np.zeros(SHAPE, dtype)))
    with pytest.raises(ContentError, match=words):
        read(path)


SHEARED = LPS @ np.array([[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
SHIFTED = LPS + np.array([[0, 0, 0, 3.0]] + [[0, 0, 0, 0]] * 3)


@pytest.mark.parametrize(
    ("forms", "flag", "policy"),
    [
        ({"sform": None, "qform": None}, "--accept-no-form-codes", GeometryPolicy(without_codes="accept")),
        ({"sform": SHEARED, "qform": None}, "--accept-shear", GeometryPolicy(shear="accept")),
        ({"sform": SHIFTED}, "--trust-form", GeometryPolicy(on_disagreement="sform")),
    ],
)
def test_a_header_without_a_place_is_refused_and_names_the_flag(
    tmp_path: Path, forms: dict[str, np.ndarray | None], flag: str, policy: GeometryPolicy
) -> None:
    path = save(tmp_path / "scan.nii", image(**forms))
    with pytest.raises(GeometryError, match=flag):
        read(path)
    header = read_header(VolumeSource(path), "x", policy)
    assert np.allclose(header.grid.affine, nib.load(path).affine)
    assert len(header.notes) == 1


def test_the_form_that_is_trusted_is_the_one_named(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii", image(sform=SHIFTED))
    assert read(path, GeometryPolicy(on_disagreement="qform")).grid.affine[0, 3] == LPS[0, 3]
    assert read(path, GeometryPolicy(on_disagreement="sform")).grid.affine[0, 3] == LPS[0, 3] + 3
    close = save(tmp_path / "close.nii", image(sform=LPS + 0.01 * (SHIFTED - LPS)))
    assert read(close).grid.same_as(read(save(tmp_path / "same.nii")).grid)


@pytest.mark.parametrize("bad", [np.diag([1.0, 1, 0, 1]), np.diag([1.0, 1, np.nan, 1]), np.ones((4, 4))])
def test_a_matrix_without_three_axes_is_refused_by_any_policy(tmp_path: Path, bad: np.ndarray) -> None:
    path = save(tmp_path / "scan.nii", image(sform=bad, qform=None))
    with pytest.raises(GeometryError):
        read(path, ACCEPTING)


def test_a_broken_quaternion_agrees_with_nothing(tmp_path: Path) -> None:
    made = image()
    made.header["quatern_b"] = 5.0
    path = save(tmp_path / "scan.nii", made)
    with pytest.raises(GeometryError):
        read(path)
    assert read(path, ACCEPTING).grid.affine[0, 3] == LPS[0, 3]


def quaternion_of(length: float, axis: np.ndarray) -> nib.Nifti1Image:
    """Turned by 180 degrees about ``axis``, so that nothing is left of 1 for the fourth number; as long as asked."""
    made = image(sform=None, qform=np.diag([2.0, 2, 2, 1]))
    for name, value in zip(("quatern_b", "quatern_c", "quatern_d"), axis / np.linalg.norm(axis) * length, strict=True):
        made.header[name] = value
    return made


@pytest.mark.parametrize("length", [1.0, 1.0000004, 1.00001, 1.001, 1.0099])
def test_a_quaternion_too_long_by_rounding_is_read_as_nifti_does(tmp_path: Path, length: float) -> None:
    itk = pytest.importorskip("itk")
    for axis in np.random.default_rng(0).normal(size=(5, 3)):
        path = save(tmp_path / "scan.nii", quaternion_of(length, axis))
        header = read_header(VolumeSource(path), "x")
        direction = np.asarray(itk.imread(str(path)).GetDirection()) * np.array([[-1], [-1], [1]])
        assert np.allclose(header.grid.affine[:3, :3], 2 * direction, atol=1e-5)
        assert len(header.notes) == (length > 1.0001)


@pytest.mark.parametrize("length", [1.02, 5.0, np.inf, np.nan])
def test_a_quaternion_that_is_none_is_refused_with_its_length(tmp_path: Path, length: float) -> None:
    path = save(tmp_path / "scan.nii", quaternion_of(length, np.array([1.0, 1, 1])))
    with pytest.raises(GeometryError, match=f"the qform .* quaternion of length {length:.6g}") as raised:
        read(path, ACCEPTING)
    assert "nan nan" not in str(raised.value)


def test_of_two_forms_the_one_that_is_none_is_named(tmp_path: Path) -> None:
    broken = image()
    broken.header["quatern_b"] = 5.0
    with pytest.raises(GeometryError, match="must agree, but the qform has a quaternion of length 5"):
        read(save(tmp_path / "q.nii", broken))
    holes = image(sform=np.diag([1.0, np.nan, 1, 1]))
    with pytest.raises(GeometryError, match="but the sform holds NaN"):
        read(save(tmp_path / "s.nii", holes))
    assert np.allclose(read(tmp_path / "s.nii", GeometryPolicy(on_disagreement="qform")).grid.affine, LPS)


def test_qfac_zero_counts_as_one(tmp_path: Path) -> None:
    made = image(sform=None, qform=np.diag([2.0, 2, 2, 1]))
    made.header["pixdim"][0] = 0
    assert read(save(tmp_path / "scan.nii", made)).grid.orientation == "RAS"


@pytest.mark.parametrize("name", ["scan.mha", "scan.nrrd", "scan.mhd"])
def test_metaimage_and_nrrd_lie_where_nifti_does(tmp_path: Path, name: str) -> None:
    module = pytest.importorskip("itk")
    affine = oblique()
    made = module.image_from_array(np.ascontiguousarray(RAMP.astype(np.int16).T))
    ras_to_lps = np.diag([-1.0, -1, 1])
    direction = ras_to_lps @ (affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    made.SetDirection(module.matrix_from_array(direction))
    made.SetSpacing([0.9, 0.9, 5.5])
    made.SetOrigin(list(ras_to_lps @ affine[:3, 3]))
    module.imwrite(made, str(tmp_path / name))
    volume = read(tmp_path / name)
    assert np.array_equal(volume.voxels, RAMP)
    assert volume.voxels.dtype == np.int16
    assert np.allclose(volume.grid.affine, affine)
    data = tmp_path / ("scan.raw" if name.endswith(".mhd") else name)
    os.truncate(data, data.stat().st_size - 50)
    with pytest.raises(ReadError, match="truncated"):
        read(tmp_path / name)


def test_without_itk_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scan.mha").write_text("ObjectType = Image\n")
    monkeypatch.setitem(sys.modules, "itk", None)
    with pytest.raises(ReadError, match=r'pip install "bratsseg\[itk\]"'):
        read(tmp_path / "scan.mha")


def test_a_study_is_read_whole_with_its_mask(tmp_path: Path) -> None:
    put(tmp_path, "f.nii.gz", "t.nii.gz", "m.nii.gz")
    sources = {Modality.FLAIR: VolumeSource(tmp_path / "f.nii.gz"), Modality.T1C: VolumeSource(tmp_path / "t.nii.gz")}
    note = Problem(LabelError, "mask.nii.gz ignored", fatal=False)
    study = read_study(Case("Miller", sources, mask=tmp_path / "m.nii.gz", problems=(note,)))
    assert study.modalities == (Modality.FLAIR, Modality.T1C)
    assert study.mask is not None
    assert study.stack().shape == (2, *SHAPE)
    assert study.warnings == ("mask.nii.gz ignored",)
    assert np.array_equal(read_reference(tmp_path / "t.nii.gz", "x").voxels, RAMP)


def test_tolerated_oddities_are_warnings_of_the_study(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii", image(sform=None, qform=None))
    study = read_study(Case("Miller", {Modality.T1C: VolumeSource(path)}), ACCEPTING)
    assert len(study.warnings) == 1
    assert study.warnings[0].startswith("T1ce: neither qform nor sform")


def test_a_case_with_a_fatal_problem_raises_its_error(tmp_path: Path) -> None:
    with pytest.raises(ModalityAmbiguous, match="case Miller: a and b"):
        read_study(Case("Miller", {}, problems=(Problem(ModalityAmbiguous, "a and b"),)))


def test_one_bad_volume_refuses_the_case_by_name(tmp_path: Path) -> None:
    put(tmp_path, "f.nii.gz")
    (tmp_path / "t.nii.gz").write_bytes(b"")
    sources = {Modality.FLAIR: VolumeSource(tmp_path / "f.nii.gz"), Modality.T1C: VolumeSource(tmp_path / "t.nii.gz")}
    with pytest.raises(ReadError, match="case Miller: T1ce"):
        read_study(Case("Miller", sources))


ODD_STARTS = {
    "web page": (b"<html>404 Not Found</html>", "is a web page .* download it again"),
    "web page under a mark": (b"\xef\xbb\xbf\n<!DOCTYPE html>", "is a web page"),
    "pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
    "packed nothing": (gzip.compress(b""), "holds nothing"),
    "packed web page": (gzip.compress(b"<html>"), "is a web page"),
    "zip": (b"PK\x03\x04" + bytes(40), "zip archive; unpack it"),
    "DICOM": (bytes(128) + b"DICM" + bytes(400), "DICOM file; convert"),
    "zeros": (bytes(4000), "zeros alone"),
    "text": (b"this scan\nhas moved\n", "text that begins with 'this scan has moved'"),
    "noise": (bytes(range(128, 256)) * 5, "no NIfTI header .* 80 81 82 83.*; convert"),
    "broken gzip": (gzip.compress(bytes(9999), mtime=0)[:10] + b"\xff" * 50, "is damaged, its gzip stream"),
}


@pytest.mark.parametrize("odd", ODD_STARTS)
def test_what_is_called_a_scan_and_is_none_is_said(tmp_path: Path, odd: str) -> None:
    content, said = ODD_STARTS[odd]
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=said) as told:
        read(path)
    assert "b'" not in str(told.value)


def test_a_slope_that_is_no_number_is_said_in_own_words(tmp_path: Path) -> None:
    path = save(tmp_path / "scan.nii", image(NOISE))
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([1.0, np.nan], "<f4").tobytes()
    path.write_bytes(raw)
    with pytest.raises(ContentError, match="the header says 1 and nan; correct it"):
        read(path)
