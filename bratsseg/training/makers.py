"""Synthetic patients made ahead by other processes, while the training process takes steps.

Each maker is a spawned process of one thread with a pipe and shared memory of its own. It makes one patient at a time,
lays the volumes in the memory and tells the rest through the pipe. A thread of the training process takes patients out
as they come, puts them where the pool lies, and hands out the next number. Makers end when their pipe does: also when
the training process is killed.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess

import torch
from torch import Tensor

from bratsseg.errors import BratssegError, TrainingError
from bratsseg.training.experiment import Experiment
from bratsseg.training.shared_memory import SharedMemory
from bratsseg.training.synthetic import PatientKey, SyntheticCase, make_case

LONGEST_S = 600.0
"""A patient that has not come after so many seconds of waiting will not come."""
LOOKED_EVERY_S = 1.0
"""Seconds between two looks at whether all is well while waiting."""
TO_END_S = 2.0
"""Seconds that makers get to end by themselves."""
BEHIND = 5
"""By how much makers are nicer than the training process, whose steps they must not hold up."""

Shapes = tuple[tuple[int, ...], tuple[int, ...]]
"""Of a patient's images, float16, and of its regions, uint8, which lie in shared memory in this order."""


@dataclass(eq=False)
class _Maker:
    process: BaseProcess
    pipe: connection.Connection
    memory: SharedMemory
    busy_with: PatientKey | None = None


class PatientMakers:
    """``count`` processes that make the patients of ``experiment``; see the module.

    ``ask`` says what is needed and does not wait; ``take`` waits for one patient and hands it out, once. Both raise
    ``TrainingError`` when a maker died or could not make a patient. Use ``close`` in the end.
    """

    def __init__(self, experiment: Experiment, count: int) -> None:
        self._landing = _Landing(torch.device("cpu"))
        self._state = threading.Condition()
        self._queue: deque[PatientKey] = deque()
        self._done: dict[PatientKey, SyntheticCase] = {}
        self._fault: str | None = None
        self._closed = False
        self._makers = [_start(experiment, number) for number in range(count)]
        self._bell, self._ring = connection.Pipe(duplex=False)
        self._thread = threading.Thread(target=self._collect, name="patient makers", daemon=True)
        self._thread.start()

    def put_on(self, device: torch.device) -> None:
        """Where the volumes of patients go from now on."""
        self._landing = _Landing(device)

    def ask(self, wanted: Sequence[PatientKey]) -> None:
        """These are needed, soonest first, and nothing else any more."""
        with self._state:
            self._require_well()
            for gone in self._done.keys() - set(wanted):
                del self._done[gone]
            known = {maker.busy_with for maker in self._makers} | self._done.keys()
            self._queue = deque(one for one in wanted if one not in known)
            self._wake()

    def take(self, wanted: PatientKey) -> SyntheticCase:
        """A patient, before all others if it was not begun."""
        begun = time.monotonic()
        with self._state:
            if wanted not in self._done and all(maker.busy_with != wanted for maker in self._makers):
                self._queue = deque([wanted, *(one for one in self._queue if one != wanted)])
                self._wake()
            while wanted not in self._done:
                self._require_well()
                if time.monotonic() - begun > LONGEST_S:
                    raise TrainingError(
                        f"data.synthetic.makers: patient {wanted.number} must come within {LONGEST_S:.0f} s, and did "
                        "not; start again with fewer makers, or with 0"
                    )
                self._state.wait(LOOKED_EVERY_S)
            return self._done.pop(wanted)

    def close(self) -> None:
        """End the processes; what they were making is lost."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._ring.send_bytes(b"!")
        self._thread.join()
        for maker in self._makers:
            maker.pipe.close()  # the maker ends when it next looks
        until = time.monotonic() + TO_END_S
        for maker in self._makers:
            maker.process.join(max(until - time.monotonic(), 0))
            if maker.process.is_alive():
                maker.process.kill()
                maker.process.join()
            maker.memory.close()
        self._ring.close()
        self._bell.close()

    def _require_well(self) -> None:
        if self._fault is not None:
            raise TrainingError(self._fault)
        if self._closed or not self._thread.is_alive():
            raise TrainingError("data.synthetic.makers: must be at work while training, were ended; start again")

    def _wake(self) -> None:
        """Tell the thread that there is something to do, where a maker is idle."""
        if self._queue and any(maker.busy_with is None for maker in self._makers):
            self._ring.send_bytes(b"!")

    def _collect(self) -> None:
        """The thread: give out numbers and take in patients until closed, or until something is wrong."""
        pipes = {maker.pipe: maker for maker in self._makers}
        try:
            while not self._closed:
                self._hand_out()
                for ready in connection.wait([*pipes, self._bell]):
                    if ready is self._bell:
                        self._bell.recv_bytes()
                    else:
                        self._take_in(pipes[ready])  # type: ignore[index]
        except TrainingError as error:
            self._stop(str(error))
        except Exception:  # whatever it is must reach who waits
            self._stop(f"data.synthetic.makers: taking in patients broke; start again with 0\n{traceback.format_exc()}")

    def _hand_out(self) -> None:
        with self._state:
            for maker in self._makers:
                if maker.busy_with is None and self._queue:
                    maker.busy_with = self._queue.popleft()
                    with _told_of(maker):
                        maker.pipe.send_bytes(pickle.dumps(maker.busy_with))

    def _take_in(self, maker: _Maker) -> None:
        with _told_of(maker):
            answer = pickle.loads(maker.pipe.recv_bytes())
        wanted = maker.busy_with
        assert wanted is not None
        if isinstance(answer, str):
            raise TrainingError(f"synthetic patient {wanted.number} could not be made: {answer}")
        made, shapes = answer
        images, regions = self._landing.brought(*_volumes(maker.memory, shapes))
        with self._state:
            maker.busy_with = None
            self._done[wanted] = SyntheticCase(replace(made.case, images=images, regions=regions), made.tumour)
            self._state.notify_all()

    def _stop(self, fault: str) -> None:
        with self._state:
            self._fault = fault
            self._state.notify_all()


class _Landing:
    """Takes volumes out of shared memory to ``device``, without holding up the thread that takes steps.

    To a GPU they go through pinned memory on a stream of their own, and only that is waited for.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pinned: dict[torch.dtype, Tensor] = {}
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def brought(self, *views: Tensor) -> tuple[Tensor, ...]:
        """Copies of ``views`` on the device, whole."""
        if self._stream is None:
            return tuple(view.clone().to(self._device) for view in views)
        with torch.cuda.stream(self._stream):
            copies = tuple(self._staged(view).to(self._device, non_blocking=True) for view in views)
        self._stream.synchronize()
        for copy in copies:  # freed memory is not written to again before the steps that read it are over
            copy.record_stream(torch.cuda.default_stream(self._device))
        return copies

    def _staged(self, view: Tensor) -> Tensor:
        kept = self._pinned.get(view.dtype)
        if kept is None or kept.numel() < view.numel():
            kept = self._pinned[view.dtype] = torch.empty(view.numel() * 5 // 4, dtype=view.dtype, pin_memory=True)
        return kept[: view.numel()].view(view.shape).copy_(view)


def _start(experiment: Experiment, number: int) -> _Maker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    memory = SharedMemory()
    process = context.Process(
        target=_work, args=(experiment, theirs, memory), name=f"patient maker {number}", daemon=True
    )
    process.start()
    theirs.close()
    return _Maker(process, ours, memory)


def _work(experiment: Experiment, pipe: connection.Connection, memory: SharedMemory) -> None:
    """What a maker does until its pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training process, which then closes the pipe
    os.nice(BEHIND)
    torch.set_num_threads(1)
    try:
        while True:
            pipe.send_bytes(_answer(experiment, pickle.loads(pipe.recv_bytes()), memory))
    except (EOFError, OSError):
        os._exit(0)  # nothing is left to be done, and taking a Python with torch apart takes seconds


def _answer(experiment: Experiment, wanted: PatientKey, memory: SharedMemory) -> bytes:
    """The patient without its volumes, which are in ``memory``, and their shapes; or what went wrong."""
    try:
        case, tumour = make_case(experiment, wanted)
        shapes = tuple(case.images.shape), tuple(case.regions.shape)
        images, regions = _volumes(memory, shapes)
        images.copy_(case.images)
        regions.copy_(case.regions)
    except BratssegError as error:
        return pickle.dumps(str(error))
    except Exception:
        return pickle.dumps(traceback.format_exc())
    nothing = torch.empty(0)
    return pickle.dumps((SyntheticCase(replace(case, images=nothing, regions=nothing), tumour), shapes))


def _volumes(memory: SharedMemory, shapes: Shapes) -> tuple[Tensor, Tensor]:
    """Images float16 and regions uint8 as they lie in ``memory``."""
    first, second = (prod(shape) for shape in shapes)
    both = memory.of(2 * first + second)
    images = torch.frombuffer(both, dtype=torch.float16, count=first)
    regions = torch.frombuffer(both, dtype=torch.uint8, count=second, offset=2 * first)
    return images.view(shapes[0]), regions.view(shapes[1])


@contextmanager
def _told_of(maker: _Maker) -> Iterator[None]:
    """The end of a maker's pipe is the end of the maker: say so."""
    try:
        yield
    except (EOFError, OSError) as error:
        maker.process.join(TO_END_S)
        raise TrainingError(
            f"data.synthetic.makers: {maker.process.name} must live as long as the training, ended with exit code "
            f"{maker.process.exitcode}; where memory is short, take fewer makers"
        ) from error
