from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
import torch

from bratsseg.batch.pipeline import overlap
from bratsseg.batch.threads import Threads, cores, shared_fairly


@pytest.mark.parametrize("readers", [1, 3])
def test_results_come_in_order(readers: int) -> None:
    found = list(overlap(range(20), lambda n: n * 10, lambda n: n + 1, lambda n: f"{n}", Threads(readers, 1)))
    assert found == [f"{n * 10 + 1}" for n in range(20)]


def test_the_three_stages_overlap() -> None:
    """Writing 0, computing 1 and reading 2 wait for each other: only together can they go on."""
    meeting = threading.Barrier(3, timeout=20)

    def meet(number: int, wanted: int) -> int:
        if number == wanted:
            meeting.wait()
        return number

    found = overlap(range(4), lambda n: meet(n, 2), lambda n: meet(n, 1), lambda n: meet(n, 0))
    assert list(found) == [0, 1, 2, 3]


def test_as_many_are_written_at_once_as_there_are_writers() -> None:
    meeting = threading.Barrier(3, timeout=20)

    def meet(number: int) -> int:
        meeting.wait()
        return number

    assert list(overlap(range(6), lambda n: n, lambda n: n, meet, Threads(1, 3))) == list(range(6))


@pytest.mark.parametrize("writers", [1, 3])
@pytest.mark.parametrize("readers", [1, 4])
def test_few_are_in_memory_however_many_there_are(readers: int, writers: int) -> None:
    alive, most, lock = 0, 0, threading.Lock()

    def read(number: int) -> int:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return number

    def write(number: int) -> int:
        nonlocal alive
        with lock:
            alive -= 1
        return number

    assert len(list(overlap(range(200), read, lambda n: n, write, Threads(readers, writers)))) == 200
    assert most <= readers + 1 + writers


def test_an_interruption_ends_it_after_the_running_stages() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    def compute(number: int) -> int:
        if number == 5:
            raise KeyboardInterrupt
        return number

    written: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        list(overlap(items(), lambda n: n, compute, written.append))
    assert written == [0, 1, 2, 3, 4]
    assert len(asked) <= 7


def test_a_gpu_has_several_threads_beside_it_and_a_cpu_its_cores() -> None:
    assert Threads.of("cpu") == Threads(1, 1)
    beside = Threads.of("cuda:0")
    assert 2 <= beside.readers <= max(2, cores())
    assert Threads.of("cuda:0", 3).readers == Threads.of("cpu", 3).readers == 3


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_the_process_is_afterwards_as_it_was(device: str) -> None:
    before = torch.get_num_threads(), sys.getswitchinterval()
    with shared_fairly(device):
        assert device == "cpu" or torch.get_num_threads() == 1
    assert (torch.get_num_threads(), sys.getswitchinterval()) == before
