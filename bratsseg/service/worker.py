"""The worker: one process that takes jobs and runs the step of ``bratsseg segment`` on each."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from bratsseg.batch import BatchOptions, CaseRecord, Outcome, segment_cases
from bratsseg.errors import BratssegError, ReadError, UnlikeBrain
from bratsseg.inference import Segmenter
from bratsseg.report.cohort import read_measures
from bratsseg.service import jobs
from bratsseg.service.cases import case_of
from bratsseg.service.pictures import finish_picture
from bratsseg.service.records import Job, JobStatus, Result, Store, StudyRecord, WorkerState, now
from bratsseg.service.released import announce_models, folder_of
from bratsseg.service.results.views import verdict_of
from bratsseg.service.settings import Settings

log = logging.getLogger(__name__)
OPTIONS = {
    "scan": BatchOptions(probabilities=True, formats=("nifti", "slicer"), report=True),
    "picture": BatchOptions(probabilities=True, report=True),
}
"""What a job writes by kind of study: label map, probabilities, Slicer's segmentation, page, picture and sheet."""
_REACHED = {"read": 0.03, "check": 0.05, "prepare": 0.07, "run": 0.22, "finish": 0.55, "write": 0.62, "report": 0.66}
"""How far a job is when a stage begins; measured on 240 x 240 x 155 with the default model."""


class JobStopped(BaseException):
    """The job is no longer wanted, or no longer ours. No ``Exception``: a batch would call the case failed."""


class Worker:
    """Takes jobs until it is told to stop, or the process that started it is gone."""

    def __init__(self, settings: Settings, parent: int | None = None) -> None:
        self._settings, self._parent = settings, parent
        self._store = Store(settings.database)
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"[:64]
        self._stop = threading.Event()
        self._loaded: tuple[str, Segmenter] | None = None
        self._seen = 0.0

    def run(self) -> None:
        """Work until the end."""
        if self._settings.threads:
            torch.set_num_threads(self._settings.threads)
        announce_models(self._store, self._settings)
        while not self._stop.is_set() and self._parent_lives():
            self._show_life()
            job = jobs.claim(self._store, self._name, self._settings.jobs)
            if job is None:
                self._stop.wait(self._settings.jobs.poll_seconds)
            else:
                self._take(job)
        self._store.close()

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Stop at the next stage; the job goes back to the queue."""
        self._stop.set()

    def _take(self, job: Job) -> None:
        log.info("job %s, attempt %d", job.id, job.attempt)
        with self._heartbeat(job) as lost:
            try:
                self._segment(job, lost)
            except JobStopped:
                self._give_back(job)
            except BratssegError as error:
                self._fail(job, error.code, str(error))
            except Exception as error:  # one strange study must not stop the worker
                log.error("job %s failed: %s", job.id, type(error).__name__, exc_info=error)
                self._fail(job, "failed", f"{type(error).__name__}: this failed in the software", again=True)

    def _segment(self, job: Job, lost: threading.Event) -> None:
        with self._store.reading() as session:
            study = session.get_one(StudyRecord, job.study_id)
        folder, out = self._settings.studies / study.id, self._settings.results / job.id
        case = case_of(study, folder)

        def on_stage(_: str, stage: str) -> None:
            reached = jobs.tell_stage(self._store, job, stage, _REACHED.get(stage, 0.0))
            if not reached or lost.is_set() or self._stop.is_set():
                raise JobStopped

        if not jobs.tell_stage(self._store, job, "load", 0.02):
            raise JobStopped
        segmenter = self._segmenter(job.model)
        watcher = _LastOutcome()
        segment_cases([case], folder, out, OPTIONS[study.kind], segmenter, watcher=watcher, on_stage=on_stage)
        outcome = watcher.outcome
        if outcome.status != "done" or outcome.record is None:
            self._fail(job, outcome.code, outcome.reason, again=outcome.status == "failed")
            return
        measures = outcome.measures or _measures_of(out, outcome.record)
        if study.kind == "picture":
            measures["picture"] = finish_picture(folder, out / study.id, measures)
        with self._store.writing() as session:
            if jobs.end(session, job, JobStatus.DONE):
                session.add(_result(job, outcome.record, measures))

    def _segmenter(self, name: str) -> Segmenter:
        """The model, loaded once; another one takes its place in memory."""
        if self._loaded is None or self._loaded[0] != name:
            self._loaded = None
            self._loaded = (name, Segmenter.load(folder_of(name, self._settings), self._settings.device))
        return self._loaded[1]

    def _give_back(self, job: Job) -> None:
        with self._store.writing() as session:
            asked = session.get_one(Job, job.id).cancel_asked
            if asked:
                jobs.end(session, job, JobStatus.CANCELLED)
        if not asked:
            jobs.put_back(self._store, job, count=False)

    def _fail(self, job: Job, code: str, reason: str, again: bool = False) -> None:
        if again and job.attempt < self._settings.jobs.attempts:
            jobs.put_back(self._store, job, count=True)
            return
        with self._store.writing() as session:
            told = reason.replace(f"case {job.study_id}: ", "").removesuffix(UnlikeBrain.way_on)
            jobs.end(session, job, JobStatus.FAILED, code, told)

    @contextmanager
    def _heartbeat(self, job: Job) -> Iterator[threading.Event]:
        """Keep the lease from another thread; the event is set when the job is lost or cancelled."""
        over, lost = threading.Event(), threading.Event()

        def beating() -> None:
            while not over.wait(self._settings.jobs.lease_seconds / 4):
                try:
                    self._show_life()
                    if not jobs.beat(self._store, job, self._settings.jobs):
                        lost.set()
                except SQLAlchemyError as error:  # a database that is busy now may not be so at the next beat
                    log.warning("job %s: no heartbeat: %s", job.id, type(error).__name__)

        thread = threading.Thread(target=beating, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield lost
        finally:
            over.set()
            thread.join()

    def _show_life(self) -> None:
        if time.monotonic() - self._seen < 5 and self._seen:
            return
        self._seen = time.monotonic()
        with self._store.writing() as session:
            session.execute(delete(WorkerState).where(WorkerState.name == self._name))
            session.add(WorkerState(name=self._name, seen_at=now()))

    def _parent_lives(self) -> bool:
        return self._parent is None or os.getppid() == self._parent


class _LastOutcome:
    """Keeps what came of the one case of a job, as the batch hands it over."""

    outcome: Outcome

    def begin(self, total: int) -> None:
        """One case is at hand."""

    def settled(self, outcome: Outcome) -> None:
        """It is done, refused or failed."""
        self.outcome = outcome


def _measures_of(out: Path, record: CaseRecord) -> dict[str, Any]:
    """The measures of a result that an attempt before this one had finished."""
    measures = read_measures(out / record.stem, record)
    if measures is None:
        raise ReadError(f"job {record.stem}: the report of its finished result is gone; segment the study again")
    return measures


def run_worker(settings: Settings, parent: int | None = None) -> None:
    """Run a worker in this process until SIGTERM or SIGINT, or until ``parent`` is gone."""
    worker = Worker(settings, parent)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()


def _result(job: Job, record: CaseRecord, measures: dict[str, Any]) -> Result:
    return Result(
        job_id=job.id,
        study_id=job.study_id,
        model=record.model.name,
        model_version=record.model.version,
        model_sha256=record.model.sha256,
        verdict=verdict_of(measures),
        measures=measures,
    )
