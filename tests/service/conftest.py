"""A service over an empty folder, its users, and small synthetic studies to send."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.users import add_user
from bratsseg.service.app import create_app
from bratsseg.service.context import Context
from bratsseg.service.records import User
from bratsseg.service.released import announce_models
from bratsseg.service.settings import JobRules, Limits, Settings
from bratsseg.service.worker import Worker
from bratsseg.synthesis.generator import SyntheticPatient, synthesize_patient
from tests.flows.conftest import save

PASSWORD = "correct horse battery"
SUFFIXES = ("t2f", "t1n", "t1c", "t2w")  # in Modality order
TILT = np.radians(12), np.radians(-9)  # about two axes: no voxel axis lies along one of the patient's


def _oblique() -> np.ndarray:
    """LPS with voxels of 6 mm, tilted twice."""
    (a, b), affine = TILT, np.diag([-6.0, -6.0, 6.0, 1.0])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    affine[:3, :3] = about_y @ about_x @ affine[:3, :3]
    affine[:3, 3] = (80.0, 90.0, -60.0)
    return affine


OBLIQUE = _oblique()


def make_settings(data: Path, **changes: Any) -> Settings:
    values = {"model": "flair-threshold", "device": "cpu", "threads": 1, "jobs": JobRules(poll_seconds=0.02)}
    values |= {"hosts": ("testserver", "x")}
    return Settings(data=data, **(values | changes))


class Site:
    """A running service: its context, and clients that are logged in."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app = create_app(settings, with_worker=False)
        self.context: Context = self.app.state.context

    def user(self, *roles: Role, name: str | None = None) -> str:
        name = name or "-".join(roles)
        with self.context.store.writing() as session:
            return add_user(session, name, PASSWORD, roles).id

    def user_id(self, role: Role) -> str:
        with self.context.store.reading() as session:
            return session.scalars(select(User.id).where(User.name == str(role))).one()

    def guest(self) -> TestClient:
        return TestClient(self.app, follow_redirects=False)

    def client(self, *roles: Role) -> TestClient:
        """A browser with the roles, logged in; its requests carry the token against forgery."""
        name = "-".join(roles)
        if not self.knows(name):
            self.user(*roles, name=name)
        return self.logged_in(name)

    def knows(self, name: str) -> bool:
        with self.context.store.reading() as session:
            return session.scalar(select(User).where(User.name == name)) is not None

    def logged_in(self, name: str) -> TestClient:
        client = self.guest()
        assert log_in(client, name).status_code == 303
        client.headers["X-CSRF-Token"] = token(client.get("/account").text, "csrf-token")
        return client

    @contextmanager
    def working(self) -> Iterator[None]:
        """A worker in this process."""
        worker = Worker(self.settings)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield
        finally:
            worker.stop()
            thread.join()


def token(page: str, name: str = "csrf_token") -> str:
    found = re.search(rf'name="{name}" (?:value|content)="([^"]+)"', page)
    assert found, f"no {name} on the page"
    return found[1]


def log_in(client: TestClient, name: str, password: str = PASSWORD, target: str = "/") -> Any:
    fields = {"csrf_token": token(client.get("/login").text), "name": name, "password": password, "next": target}
    return client.post("/login", data=fields)


def finish(site: Site, client: TestClient, job_id: str) -> dict[str, Any]:
    """Let a worker take the job, and follow it to its end as a page does."""
    with site.working():
        events = client.get(f"/api/v1/jobs/{job_id}/events").text
    assert "event: job" in events
    job: dict[str, Any] = client.get(f"/api/v1/jobs/{job_id}").json()
    return job


def send(client: TestClient, files: dict[str, bytes], piece: int = 1 << 20, **more: Any) -> dict[str, Any]:
    """Announce and send files in pieces; returns the upload."""
    announced = [{"name": name, "size": len(content)} for name, content in files.items()]
    begun = client.post("/api/v1/uploads", json={"files": announced, **more})
    assert begun.status_code == 201, begun.text
    upload: dict[str, Any] = begun.json()
    for row, content in zip(upload["files"], files.values(), strict=True):
        for start in range(0, len(content), piece):
            sent = client.patch(
                f"/api/v1/uploads/{upload['id']}/files/{row['id']}",
                headers={"Upload-Offset": str(start)},
                content=content[start : start + piece],
            )
            assert sent.status_code == 200, sent.text
    return upload


def accept(client: TestClient, files: dict[str, bytes], roles: dict[str, str] | None = None, **more: Any) -> Any:
    upload = send(client, files, **more)
    complete = client.post(f"/api/v1/uploads/{upload['id']}/complete")
    if complete.status_code != 200:
        return complete
    return client.post(f"/api/v1/uploads/{upload['id']}/accept", json={"roles": roles or {}})


@pytest.fixture(scope="session")
def patients() -> Callable[[int], SyntheticPatient]:
    made: dict[int, SyntheticPatient] = {}

    def patient(seed: int) -> SyntheticPatient:
        if seed not in made:
            made[seed] = synthesize_patient(seed, 0, spacing_mm=6.0)
        return made[seed]

    return patient


@pytest.fixture(scope="session")
def scans(patients, tmp_path_factory) -> Callable[..., dict[str, bytes]]:
    """The NIfTI files of a synthetic patient by name."""
    folder = tmp_path_factory.mktemp("scans")

    def files(
        seed: int = 0, affine: np.ndarray | None = None, suffixes: tuple[str, ...] = SUFFIXES
    ) -> dict[str, bytes]:
        patient = patients(seed)
        brain = patient.brain.numpy()
        where = np.diag([6.0, 6.0, 6.0, 1.0]) if affine is None else affine
        found = {}
        for suffix, image in zip(SUFFIXES, patient.images.numpy(), strict=True):
            stored = np.where(brain, np.clip(np.rint(image * 500), 1, 30000), 0).astype(np.int16)
            if suffix in suffixes:
                found[f"case-{suffix}.nii.gz"] = save(folder / "one.nii.gz", stored, where).read_bytes()
        return found

    return files


@pytest.fixture(scope="session")
def seed(tmp_path_factory) -> Path:
    """A folder with a user of each role and the models that ship, to be copied."""
    site = Site(make_settings(tmp_path_factory.mktemp("seed") / "data"))
    announce_models(site.context.store, site.settings)
    for role in Role:
        site.user(role)
    site.context.close()
    return site.settings.data


@pytest.fixture
def site(tmp_path: Path, seed: Path) -> Iterator[Site]:
    limits = Limits(file=4 << 20, study=8 << 20, piece=1 << 20, files=8)
    site = Site(make_settings(shutil.copytree(seed, tmp_path / "data"), limits=limits))
    yield site
    site.context.close()


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Site]:
    site = Site(make_settings(tmp_path / "empty"))
    yield site
    site.context.close()


@pytest.fixture
def radiologist(site: Site) -> TestClient:
    return site.client(Role.RADIOLOGIST)
