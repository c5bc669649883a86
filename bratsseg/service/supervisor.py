"""The worker beside the server: started with it, started again when it dies, stopped with it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

from bratsseg.service.settings import Settings

log = logging.getLogger(__name__)
_WAIT_SECONDS = (1.0, 30.0)  # between the death of a worker and the next, growing
_GRACE_SECONDS = 20.0


class Supervisor:
    """Keeps one worker process alive from a thread of the server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the worker; its job goes back to the queue."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        wait = _WAIT_SECONDS[0]
        while not self._stop.is_set():
            self._process = self._start()
            while self._process.poll() is None and not self._stop.wait(0.2):
                pass
            if self._stop.is_set():
                break
            log.warning("the worker ended with %s; starting another", self._process.returncode)
            self._stop.wait(wait)
            wait = min(wait * 2, _WAIT_SECONDS[1])
        self._end()

    def _start(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "bratsseg", "serve", "worker", "--parent", str(os.getpid())]
        settings = self._settings.model_dump_json()
        return subprocess.Popen([*words, "--settings", settings], stdin=subprocess.DEVNULL)

    def _end(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
