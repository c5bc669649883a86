"""Load on the service: users who each open a page every few seconds, while studies wait and one is segmented.

usage: .venv/bin/python scripts/bench_service.py [--users 50] [--every 5] [--studies 20] [--minutes 5]

Everything is real: `bratsseg serve` with its worker and the default model, synthetic studies of 240x240x155 sent in
pieces. Times are of whole requests as a client sees them. Prints errors, the 50th and 95th percentile and the longest,
how many studies were done meanwhile, and the memory of server and worker at its highest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from statistics import quantiles

from demo_service import Client, make_user, send, wait_until_ready

from bratsseg.exchange.brats import write_patient
from bratsseg.synthesis.generator import synthesize_patient

PAGES = ("/api/v1/patients", "/api/v1/studies", "/api/v1/jobs", "/api/v1/results", "/patients", "/jobs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--every", type=float, default=5.0)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--port", type=int, default=8123)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        patients, data = Path(folder, "patients"), Path(folder, "data")
        for n in range(options.studies):
            write_patient(synthesize_patient(11, n), patients, f"BraTS-SYN-{n:05d}-000", "load")
        _, token = make_user(data)
        words = [sys.executable, "-m", "bratsseg", "serve", "--data", str(data), "--port", str(options.port)]
        server = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            client = Client(f"http://127.0.0.1:{options.port}", token)
            wait_until_ready(client, server)
            for case in sorted(patients.iterdir()):
                send(client, case)
            watch = Watch(server.pid)
            seconds, failures = load(client, options)
            watch.stop()
            report(options, seconds, failures, client, watch)
        finally:
            server.terminate()
            server.wait()


def load(client: Client, options: argparse.Namespace) -> tuple[list[float], Counter[str]]:
    """Let every user open pages until the time is up: seconds of each request, and what went wrong."""
    seconds: list[float] = []
    failures: Counter[str] = Counter()
    lock, end = threading.Lock(), time.monotonic() + options.minutes * 60

    def user(number: int) -> None:
        time.sleep(options.every * number / options.users)
        turn = number
        while time.monotonic() < end:
            start = time.monotonic()
            try:
                get(client, PAGES[turn % len(PAGES)])
            except (OSError, urllib.error.URLError) as error:
                with lock:
                    failures[str(error)] += 1
            with lock:
                seconds.append(time.monotonic() - start)
            turn += 1
            time.sleep(max(0.0, options.every - (time.monotonic() - start)))

    users = [threading.Thread(target=user, args=(n,)) for n in range(options.users)]
    for each in users:
        each.start()
    for each in users:
        each.join()
    return seconds, failures


def get(client: Client, path: str) -> bytes:
    request = urllib.request.Request(client.address + path, headers=client.headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def report(
    options: argparse.Namespace, seconds: list[float], failures: Counter[str], client: Client, watch: Watch
) -> None:
    cuts = quantiles(seconds, n=100)
    jobs = json.loads(get(client, "/api/v1/jobs?per_page=100"))
    states = Counter(job["status"] for job in jobs["items"])
    print(f"{options.users} users, a page each every {options.every:g} s, {options.minutes:g} minutes")
    print(f"  requests   {len(seconds)}, errors {sum(failures.values())} {dict(failures.most_common(3)) or ''}")
    print(f"  p50        {cuts[49] * 1000:6.0f} ms")
    print(f"  p95        {cuts[94] * 1000:6.0f} ms")
    print(f"  longest    {max(seconds) * 1000:6.0f} ms")
    print(f"  studies    {dict(states)} of {options.studies}")
    print(f"  memory     {watch.peak >> 20} MiB at most, server and worker")


class Watch:
    """The memory of a process and its children, looked at every second."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self._ended = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            self.peak = max(self.peak, sum(resident(pid) for pid in family(self.pid)))


def family(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")  # a child belongs to the thread that started it
    found = [int(child) for children in lists for child in children.read_text().split()]
    return [pid, *(member for child in found for member in family(child))]


def resident(pid: int) -> int:
    try:
        found = re.search(r"^(?:\S+ ){1}(\S+)", Path(f"/proc/{pid}/statm").read_text())
    except OSError:
        return 0
    return int(found[1]) * os.sysconf("SC_PAGE_SIZE") if found else 0


if __name__ == "__main__":
    main()
