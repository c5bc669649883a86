"""An upload is read once when it is complete; what was found then holds until its file changes."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bratsseg.service.intake.scans import MASK, check_scan, check_study
from bratsseg.service.refusal import Refusal
from bratsseg.service.settings import Limits
from bratsseg.study.reading import read_content
from tests.opens import counted_opens
from tests.service.conftest import OBLIQUE, finish, send
from tests.service.test_uploads import head, nifti, voxels_of


@pytest.fixture(scope="module")
def brains(scans):
    return scans(0)


def test_a_scan_is_read_twice_from_upload_to_result(site, radiologist, brains):
    upload = send(radiologist, brains)
    with counted_opens() as completing:
        assert radiologist.post(f"/api/v1/uploads/{upload['id']}/complete").status_code == 200
    with counted_opens() as accepting:
        answer = radiologist.post(f"/api/v1/uploads/{upload['id']}/accept", json={})
    with counted_opens() as working:
        assert finish(site, radiologist, answer.json()["job_id"])["status"] == "done"
    sent = [(site.settings.uploads / upload["id"] / file["id"]).resolve() for file in upload["files"]]
    kept = sorted((site.settings.studies / answer.json()["study_id"]).resolve().glob("*.nii.gz"))
    assert [completing[path] for path in sent] == [1] * 4
    assert [accepting[path] for path in sent] == [1] * 4, "two bytes: is it packed?"
    assert [accepting[path] for path in kept] == [0] * 4
    assert [working[path] for path in kept] == [1] * 4


def test_what_only_the_service_needs_is_not_told(radiologist, brains):
    upload = send(radiologist, brains)
    found = radiologist.post(f"/api/v1/uploads/{upload['id']}/complete").json()["found"]
    assert {key for file in found["files"] for key in file} == {"id", "name", "path", "role", "candidates"}


def test_a_file_that_changed_after_its_check_is_read_again(site, radiologist, brains):
    upload = send(radiologist, {"flair.nii.gz": brains["case-t2f.nii.gz"]})
    radiologist.post(f"/api/v1/uploads/{upload['id']}/complete")
    (site.settings.uploads / upload["id"] / upload["files"][0]["id"]).write_bytes(nifti(head()))
    answer = radiologist.post(f"/api/v1/uploads/{upload['id']}/accept", json={})
    assert (answer.status_code, answer.json()["code"]) == (422, "skull_on"), answer.text


def test_a_mask_that_is_confirmed_as_a_scan_is_checked_as_one(radiologist, brains):
    mask = nifti((voxels_of(brains["case-t2f.nii.gz"]) > 0).astype(np.uint8), OBLIQUE)
    upload = send(radiologist, {"brainmask.nii.gz": mask})
    found = radiologist.post(f"/api/v1/uploads/{upload['id']}/complete").json()["found"]
    assert found["files"][0]["role"] == MASK
    answer = radiologist.post(f"/api/v1/uploads/{upload['id']}/accept", json={"roles": {"0": "flair"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "content_invalid"), answer.text


def refusal_of(sources: dict[str, Path], findings: dict[str, object]) -> tuple[str, str] | None:
    names = {role: f"{role}.nii.gz" for role in sources}
    try:
        check_study("study", sources, names, findings)  # type: ignore[arg-type]
    except Refusal as refusal:
        return refusal.code, refusal.message
    return None


def test_what_was_found_refuses_what_reading_again_would(tmp_path: Path, brains):
    """The whole check, with every voxel in memory, is the measure of the one that reads nothing."""
    brain = voxels_of(brains["case-t2f.nii.gz"])
    affine = nib.Nifti1Image.from_bytes(gzip.decompress(brains["case-t2f.nii.gz"])).affine
    shell = np.where(brain > 0, brain + 100, 0)
    one_voxel = np.zeros_like(brain)
    one_voxel[0, 0, 0] = 900
    scans = {
        "brain": nifti(brain, affine),
        "head": nifti(head()),
        "shell": nifti(shell, affine),
        "elsewhere": nifti(brain, affine @ np.diag([1, 1, 1.2, 1])),
        "noise": nifti(np.random.default_rng(0).integers(1, 900, brain.shape).astype(np.int16), affine),
        "corner": nifti(np.where(one_voxel, 900, np.arange(brain.size).reshape(brain.shape) % 20).astype("i2"), affine),
    }
    masks = {"none": None, "mask": nifti((brain > 0).astype("u1"), affine), "empty": nifti(brain * 0, affine)}
    masks["faint"] = nifti(np.where(brain > 0, 0.3, 0).astype("f4"), affine)
    answers = set()
    for (first, second), mask in itertools.product(itertools.product(scans, repeat=2), masks):
        content = {"flair": scans[first], "t1c": scans[second]} | ({MASK: masks[mask]} if masks[mask] else {})
        sources = {role: tmp_path / role for role in content}
        findings = {}
        for role, path in sources.items():
            path.write_bytes(content[role])
            findings[role] = check_scan(*read_content(path), role, Limits(), is_scan=role != MASK)
        again = refusal_of(sources, {})
        known = refusal_of(sources, findings)
        assert known == again, (first, second, mask)
        answers.add(None if known is None else known[0])
    assert {None, "grids_differ", "skull_on", "content_invalid"} <= answers
