from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bratsseg.batch.pipeline import overlap


@pytest.mark.parametrize("readers", [1, 3])
def test_results_come_in_order(readers: int) -> None:
    found = list(overlap(range(20), lambda n: n * 10, lambda n: n + 1, lambda n: f"{n}", readers))
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


@pytest.mark.parametrize("readers", [1, 4])
def test_few_are_in_memory_however_many_there_are(readers: int) -> None:
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

    assert len(list(overlap(range(200), read, lambda n: n, write, readers))) == 200
    assert most <= readers + 2


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
