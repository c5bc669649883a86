from __future__ import annotations

import hashlib
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from bratsseg.errors import ReadError
from bratsseg.study.case import Case, VolumeSource
from bratsseg.study.modality import Modality
from bratsseg.study.reading import content, read_content, read_files, read_study, read_volume
from bratsseg.study.stack import hash_of, state_of
from tests.opens import counted_opens
from tests.study.scans import SHAPE, image, save

RAMP = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


def case_of(*sources: Path | VolumeSource) -> Case:
    given = [VolumeSource(source) if isinstance(source, Path) else source for source in sources]
    return Case("Miller", dict(zip(Modality, given, strict=False)))


def four(path: Path) -> Path:
    return save(path, image(voxels=np.stack([RAMP, RAMP[::-1], RAMP + 1, RAMP * 2], axis=-1)))


def in_itk(path: Path) -> Path:
    itk = pytest.importorskip("itk")
    itk.imwrite(itk.image_from_array(RAMP.T.copy()), str(path))
    return path


def stack(folder: Path) -> Path:
    folder.mkdir()
    for number in range(1, 4):
        Image.fromarray((RAMP[:, :, 0] + number).astype(np.uint8)).save(folder / f"a_{number}.png")
    return folder / "a_*.png"


MAKERS = {
    "scan.nii.gz": lambda path: save(path, image(voxels=RAMP)),
    "scan.nii": lambda path: save(path, image(voxels=RAMP)),
    "scan.img": lambda path: save(path, nib.Nifti1Pair(RAMP, None, image(voxels=RAMP).header)),
    "scan.hdr": lambda path: save(path, nib.Nifti1Pair(RAMP, None, image(voxels=RAMP).header)),
    "scan.mha": in_itk,
    "scan.nrrd": in_itk,
    "stack": stack,
}


@pytest.mark.parametrize("most", [content.MOST_KEPT, 10], ids=["kept", "too large"])
@pytest.mark.parametrize("name", MAKERS)
def test_the_hash_is_that_of_the_file_and_the_voxels_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(content, "MOST_KEPT", most)
    path = MAKERS[name](tmp_path / name)
    files = read_files(case_of(path))
    state, (volume,) = files.states[path], files.study().volumes.values()
    alone = read_volume(VolumeSource(path), "Miller")
    several = name in ("stack", "scan.img", "scan.hdr")
    assert state.sha256 == (hash_of(path) if several else hashlib.sha256(path.read_bytes()).hexdigest())
    assert np.array_equal(volume.voxels, alone.voxels)
    assert np.array_equal(volume.grid.affine, alone.grid.affine)
    if not several:
        assert (state.size, state.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_of_four_volumes_is_opened_once(tmp_path: Path, suffix: str) -> None:
    path = four(tmp_path / f"four{suffix}")
    with counted_opens() as opened:
        study = read_study(case_of(*(VolumeSource(path, channel) for channel in range(4))))
    assert opened[path.resolve()] == 1
    known = np.asarray(nib.load(path).dataobj)
    for channel, modality in enumerate(study.modalities):
        assert np.array_equal(study.volumes[modality].voxels, known[..., channel])


def test_each_slice_of_colours_is_opened_once(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for number in (1, 2):
        pixels = np.random.default_rng(number).integers(0, 255, (8, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "s" / f"a_{number}.png")
    with counted_opens() as opened:
        read_study(case_of(*(VolumeSource(tmp_path / "s" / "a_*.png", channel) for channel in range(3))))
    assert [opened[(tmp_path / "s" / f"a_{number}.png").resolve()] for number in (1, 2)] == [1, 1]


def test_one_bad_file_leaves_the_others_their_hashes(tmp_path: Path) -> None:
    good, gone = save(tmp_path / "a.nii.gz", image(voxels=RAMP)), tmp_path / "gone.nii.gz"
    torn = tmp_path / "torn.nii.gz"
    torn.write_bytes(good.read_bytes()[:-40])
    files = read_files(case_of(torn, gone, good))
    with pytest.raises(ReadError, match=r"case Miller: FLAIR: torn.nii.gz is (truncated|damaged)"):
        files.study()
    assert files.states[good].sha256 == hash_of(good)
    assert files.states[torn].sha256 == hash_of(torn)
    assert (files.states[gone].size, files.states[gone].sha256) == (None, None)


def detached_nrrd(path: Path) -> Path:
    where = {
        "one": "data file: scan.raw",
        "list": "data file: LIST\nscan.raw\nrest.raw",
        "numbered": "data file: s%02d.raw 1 2 1",
    }[path.stem]
    path.write_text(f"NRRD0004\ntype: short\ndimension: 3\nsizes: {' '.join(map(str, SHAPE))}\n{where}\n")
    return path


def detached_meta(path: Path) -> Path:
    path.write_text(f"ObjectType = Image\nDimSize = {' '.join(map(str, SHAPE))}\nElementDataFile = scan.raw\n")
    return path


DETACHED = {
    "scan.hdr": (MAKERS["scan.hdr"], ["scan.img"]),
    "scan.img": (MAKERS["scan.img"], ["scan.hdr"]),
    "scan.hdr.gz": (lambda path: save(path, nib.Nifti1Pair(RAMP, None, image(voxels=RAMP).header)), ["scan.img.gz"]),
    "scan.mhd": (detached_meta, ["scan.raw"]),
    "one.nrrd": (detached_nrrd, ["scan.raw"]),
    "list.nrrd": (detached_nrrd, ["scan.raw", "rest.raw"]),
    "numbered.nrrd": (detached_nrrd, ["s01.raw", "s02.raw"]),
}


@pytest.mark.parametrize("name", DETACHED)
def test_the_hash_of_a_detached_header_covers_its_voxels(tmp_path: Path, name: str) -> None:
    make, others = DETACHED[name]
    path = make(tmp_path / name)
    seen = {(hash_of(path), state_of(path))}
    for number, other in enumerate(others):
        file = tmp_path / other
        before = file.read_bytes() if file.exists() else b""
        file.write_bytes(before[:-1] + bytes([number + 1]))
        os.utime(file, ns=(10**9 * number, 10**9 * number))  # older than its header, as a restored file is
        kept = read_content(path)[1]
        assert kept.sha256 == hash_of(path)
        seen.add((hash_of(path), state_of(path)))
    assert len({digest for digest, _ in seen}) == len({state for _, state in seen}) == len(others) + 1
