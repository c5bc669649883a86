"""Jobs: claimed once, kept by a heartbeat, retried once, cancelled."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from bratsseg.service import jobs
from bratsseg.service.records import Job, JobStatus, Result, now
from bratsseg.service.settings import JobRules
from bratsseg.service.worker import Worker
from tests.service.conftest import accept, finish

RULES = JobRules(lease_seconds=30)


@pytest.fixture
def job_id(radiologist, scans) -> str:
    return accept(radiologist, scans()).json()["job_id"]


def row(site, job_id: str) -> Job:
    with site.context.store.reading() as session:
        return session.get_one(Job, job_id)


def lose(site, job_id: str) -> None:
    """The worker has not been heard of for longer than its lease."""
    with site.context.store.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=now() - timedelta(seconds=1)))


def test_a_job_is_claimed_once(site, job_id):
    store = site.context.store
    claimed = jobs.claim(store, "one", RULES)
    assert (claimed.id, claimed.status, claimed.attempt) == (job_id, JobStatus.RUNNING, 1)
    assert jobs.claim(store, "two", RULES) is None


def test_a_lost_job_is_taken_by_another_whose_result_counts(site, job_id):
    store = site.context.store
    first = jobs.claim(store, "one", RULES)
    lose(site, job_id)
    second = jobs.claim(store, "two", RULES)
    assert (second.id, second.attempt) == (job_id, 2)
    assert not jobs.beat(store, first, RULES)
    with store.writing() as session:
        assert not jobs.end(session, first, JobStatus.DONE)
        assert jobs.end(session, second, JobStatus.FAILED)
    assert row(site, job_id).status == JobStatus.FAILED


def test_a_heartbeat_keeps_the_job(site, job_id):
    store = site.context.store
    mine = jobs.claim(store, "one", RULES)
    lose(site, job_id)
    assert jobs.beat(store, mine, RULES)
    assert jobs.claim(store, "two", RULES) is None


def test_a_job_that_kills_two_workers_is_not_tried_again(site, job_id):
    for _ in range(2):
        assert jobs.claim(site.context.store, "any", RULES) is not None
        lose(site, job_id)
    assert jobs.claim(site.context.store, "any", RULES) is None
    assert (row(site, job_id).status, row(site, job_id).code) == (JobStatus.FAILED, "worker_lost")


def test_a_waiting_job_ends_at_once_and_a_running_one_at_a_stage(site, radiologist, job_id):
    assert radiologist.post(f"/api/v1/jobs/{job_id}/cancel").json()["status"] == "cancelled"
    assert radiologist.post(f"/api/v1/jobs/{job_id}/cancel").json()["code"] == "job_ended"
    study = row(site, job_id).study_id
    again = radiologist.post("/api/v1/jobs", json={"study_id": study}).json()["id"]
    running = jobs.claim(site.context.store, "one", RULES)
    assert running.id == again
    radiologist.post(f"/api/v1/jobs/{again}/cancel")
    assert not jobs.tell_stage(site.context.store, running, "run", 0.3)


def test_a_failure_of_the_software_is_tried_twice_then_told(site, radiologist, job_id, monkeypatch):
    from bratsseg.inference import Segmenter

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(Segmenter, "run", broken)
    job = finish(site, radiologist, job_id)
    assert (job["status"], job["attempt"], job["code"]) == ("failed", 2, "failed")


def test_a_study_that_is_refused_is_not_tried_again(site, radiologist, job_id):
    study = row(site, job_id).study_id
    (site.settings.studies / study / "flair.nii.gz").write_bytes(b"\x1f\x8bdamaged")
    job = finish(site, radiologist, job_id)
    assert (job["status"], job["attempt"], job["code"]) == ("failed", 1, "unreadable")
    assert study not in job["reason"]


def test_a_page_follows_a_job_to_its_result(site, radiologist, job_id):
    assert "/static/job.js" in radiologist.get(f"/jobs/{job_id}").text
    job = finish(site, radiologist, job_id)
    assert (job["status"], job["progress"]) == ("done", 1.0)
    page = radiologist.get(f"/jobs/{job_id}").text
    assert f"/results/{job['result_id']}" in page
    assert "/static/job.js" not in page
    with site.context.store.reading() as session:
        assert len(session.scalars(select(Result)).all()) == 1


def test_a_model_that_is_not_there_is_told(radiologist, site, job_id):
    study = row(site, job_id).study_id
    answer = radiologist.post("/api/v1/jobs", json={"study_id": study, "model": "nothing"})
    assert (answer.status_code, answer.json()["code"]) == (503, "model_not_loaded")


def test_who_gave_a_job_back_cannot_touch_the_next_attempt(site, job_id):
    store = site.context.store
    first = jobs.claim(store, "one", RULES)
    jobs.put_back(store, first, count=False)
    second = jobs.claim(store, "two", RULES)
    assert second.attempt == first.attempt
    assert not jobs.beat(store, first, RULES)
    with store.writing() as session:
        assert not jobs.end(session, first, JobStatus.DONE)


def test_a_busy_database_does_not_end_the_heartbeat(site, job_id, monkeypatch):
    beats: list[int] = []

    def busy_once(*_: object) -> bool:
        beats.append(1)
        if len(beats) == 1:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return True

    rules = JobRules(lease_seconds=0.08)
    worker = Worker(site.settings.model_copy(update={"jobs": rules}))
    job = jobs.claim(site.context.store, "one", rules)
    monkeypatch.setattr(jobs, "beat", busy_once)
    with worker._heartbeat(job):
        end = time.monotonic() + 10
        while len(beats) < 3 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(beats) >= 3
