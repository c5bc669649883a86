"""Worker and server are killed for real; nothing is lost and nothing comes twice."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from bratsseg.errors import UsageError
from bratsseg.service import jobs, worker
from bratsseg.service.accounts.roles import Role
from bratsseg.service.accounts.tokens import new_token
from bratsseg.service.records import Job, Result
from bratsseg.service.server import serve_settings
from bratsseg.service.settings import JobRules, Settings
from tests.flows.conftest import FORKS
from tests.service.conftest import Site, accept, finish

PATIENCE = 120.0  # a worker reads torch from the disk first


def until(true: Callable[[], Any]) -> Any:
    """What ``true`` answers once it is; waits on another process."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def stuck_worker(settings: Settings) -> None:
    """A worker that reaches the network and goes no further."""
    tell = jobs.tell_stage

    def telling(store: Any, job: Job, stage: str, progress: float) -> bool:
        told = tell(store, job, stage, progress)
        if stage == "run":
            signal.pause()
        return told

    worker.jobs.tell_stage = telling  # type: ignore[attr-defined]
    worker.run_worker(settings)


def test_a_worker_killed_in_the_middle_of_a_job_costs_only_time(site: Site, radiologist, scans):
    rules = JobRules(lease_seconds=0.5, poll_seconds=0.02)
    site.settings = site.settings.model_copy(update={"jobs": rules})
    job_id = accept(radiologist, scans()).json()["job_id"]
    process = FORKS.Process(target=stuck_worker, args=(site.settings,))
    process.start()
    until(lambda: radiologist.get(f"/api/v1/jobs/{job_id}").json()["stage"] == "run")
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    job = finish(site, radiologist, job_id)
    assert (job["status"], job["attempt"]) == ("done", 2)
    with site.context.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Result)) == 1
    files = radiologist.get(f"/api/v1/results/{job['result_id']}").json()["files"]
    assert {"labels.nii.gz", "report.pdf"} <= files.keys()
    assert not list((site.settings.results / job_id).glob(".*"))


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.fixture
def running(site: Site):
    """Start servers over the site's folder, and a client that any of them answers."""
    with site.context.store.writing() as session:
        _, secret = new_token(session, site.user_id(Role.RADIOLOGIST), "test")
    port = free_port()
    settings = site.settings.model_copy(update={"port": port})
    processes = []

    def start() -> Any:
        process = FORKS.Process(target=serve_settings, args=(settings,))
        process.start()
        processes.append(process)
        until(lambda: answers(client))
        return process

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        yield start, client, port, secret
        for process in processes:
            process.terminate()
            process.join()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_server_killed_during_an_upload_goes_on_where_it_was(site: Site, running, scans):
    start, client, port, secret = running
    name, content = next(iter(scans().items()))
    half = len(content) // 2
    server = start()
    begun = client.post("/api/v1/uploads", json={"files": [{"name": name, "size": len(content)}]}).json()
    path = f"/api/v1/uploads/{begun['id']}/files/{begun['files'][0]['id']}"
    sent = client.patch(path, headers={"Upload-Offset": "0"}, content=content[:half])
    assert sent.json() == {"received": half}
    with socket.create_connection(("127.0.0.1", port)) as torn:
        head = f"PATCH {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nUpload-Offset: {half}\r\n"
        torn.sendall(f"{head}Content-Length: {len(content) - half}\r\n\r\n".encode() + content[half : half + 100])
        os.kill(server.pid, signal.SIGKILL)
        server.join()
    start()
    received = client.get(f"/api/v1/uploads/{begun['id']}").json()["files"][0]["received"]
    assert received == half
    client.patch(path, headers={"Upload-Offset": str(received)}, content=content[received:])
    arrived = site.settings.uploads / begun["id"] / begun["files"][0]["id"]
    assert arrived.read_bytes() == content
    done = until(lambda: client.get("/readyz").status_code == 200)
    assert done
    assert client.post(f"/api/v1/uploads/{begun['id']}/complete").status_code == 200
    job = client.post(f"/api/v1/uploads/{begun['id']}/accept", json={}).json()["job_id"]
    ended = until(lambda: (found := client.get(f"/api/v1/jobs/{job}").json())["status"] == "done" and found)
    assert ended["attempt"] == 1
    assert client.get("/api/v1/studies").json()["total"] == 1


def test_what_a_killed_request_left_beyond_its_offset_is_cut(site: Site, radiologist, scans):
    name, content = next(iter(scans().items()))
    begun = radiologist.post("/api/v1/uploads", json={"files": [{"name": name, "size": len(content)}]}).json()
    file = begun["files"][0]["id"]
    folder: Path = site.settings.uploads / begun["id"]
    folder.mkdir()
    (folder / file).write_bytes(b"torn" * 100)
    path = f"/api/v1/uploads/{begun['id']}/files/{file}"
    radiologist.patch(path, headers={"Upload-Offset": "0"}, content=content)
    assert (folder / file).read_bytes() == content


def test_a_second_server_on_the_same_folder_is_refused(site: Site, running):
    start, client, _, _ = running
    start()
    with pytest.raises(UsageError, match="another is running"):
        serve_settings(site.settings)
    assert client.get("/healthz").status_code == 200
