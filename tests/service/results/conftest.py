"""A patient with two results, and what readers do with them."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from fastapi.testclient import TestClient

from bratsseg.service.accounts.roles import Role
from tests.service.conftest import OBLIQUE, Site, accept, finish, make_settings

Shared = tuple[Site, TestClient, str, list[str]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory, seed, scans) -> Iterator[Shared]:
    """Two dates of one patient, the first on an oblique grid, segmented: site, reader, patient, results."""
    site = Site(make_settings(shutil.copytree(seed, tmp_path_factory.mktemp("site") / "data")))
    client = site.client(Role.RADIOLOGIST)
    patient = client.post("/api/v1/patients", json={"number": "7", "name": "Meyer, Anna"}).json()["id"]
    results = []
    for number, (day, affine) in enumerate((("2026-01-05", OBLIQUE), ("2026-03-01", None))):
        answer = accept(client, scans(number, affine), patient_id=patient, taken_on=day)
        assert answer.status_code == 201, answer.text
        results.append(finish(site, client, answer.json()["job_id"])["result_id"])
    yield site, client, patient, results
    site.context.close()


def image(content: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def packed(drawn: nib.Nifti1Image) -> bytes:
    return gzip.compress(drawn.to_bytes())


def fetch(client: TestClient, result: str, name: str) -> bytes:
    answer = client.get(f"/api/v1/results/{result}/files/{name}")
    assert answer.status_code == 200, answer.text
    return answer.content


def nothing_drawn(client: TestClient, result: str) -> bytes:
    """A drawing that erases all."""
    labels = image(fetch(client, result, "labels.nii.gz"))
    return packed(nib.Nifti1Image(np.zeros(labels.shape, np.uint8), labels.affine))


def revision(client: TestClient, result: str) -> str:
    """The state of a result as this reader would see it now."""
    seen: str = client.get(f"/api/v1/results/{result}").json()["revision"]
    return seen


def decide(client: TestClient, result: str, decision: str, comment: str = "", seen: str | None = None) -> Any:
    told = {"decision": decision, "comment": comment, "revision": seen or revision(client, result)}
    return client.post(f"/api/v1/results/{result}/reviews", json=told)


def correct(client: TestClient, result: str, drawn: bytes, comment: str = "", seen: str | None = None) -> Any:
    fields = {"comment": comment, "revision": seen or revision(client, result)}
    return client.put(f"/api/v1/results/{result}/correction", data=fields, files={"drawing": drawn})
