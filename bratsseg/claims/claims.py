"""Claims that expire: each thing is one process's at a time, and what a killed process held goes to exactly one other.

A claim is a file named after what is claimed. Its owner writes it again every few seconds. When nobody did for the
length of a lease, by the clock of the file system, another process may succeed the owner: it makes a second file,
named after the *token* of the first, which only one can do. So claims form a chain, and whoever made its last link
holds the claim. The holder gives it back by removing the chain from its first link on. A link that cannot be reached
from the first one, because somebody was slow between looking and linking, counts for nothing.

A process that stood still for longer than a lease may have been succeeded without knowing it. So it asks, by
``confirm``, before it shows what it made.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType

from bratsseg.claims.files import ClaimFile, ClaimFiles, claim_text
from bratsseg.errors import WriteError

FOLDER = ".bratsseg-claims"
"""What the folder of claims is called inside the folder that is shared."""
LEASE_SECONDS, BEAT_SECONDS = 90.0, 15.0
"""How long a claim holds that nobody writes again, and how often its owner does."""
POLL_SECONDS = 0.2


class ClaimLost(WriteError):
    """Something may not be written any more, because another process took over the work on it."""


@dataclass
class _Held:
    root: str
    name: str
    text: str
    token: str
    count: int = 1
    lost: bool = False


class Claims:
    """The claims of this process, as a context manager: on leaving all are given back, and the traces of the dead too.

    One that this process holds may be taken again, and is given back as often. Safe to use from several threads.
    """

    def __init__(
        self,
        files: ClaimFiles,
        *,
        lease: float = LEASE_SECONDS,
        beat: float = BEAT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.files = files
        self._lease_ns, self._beat = int(lease * 1e9), beat
        self._monotonic, self._sleep = monotonic, sleep
        self._held: dict[str, _Held] = {}
        self._seen: dict[str, tuple[str, int, float]] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Claims:
        self._over.clear()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._heart is not None:
            self._heart.join()
            self._heart = None
        with self._lock:
            for held in self._held.values():
                self._give_back(held)
            self._held.clear()
        with suppress(OSError):  # a full disk: the next run sweeps
            self.sweep()

    def take(self, what: str) -> bool:
        """Claim ``what``; False when somebody else holds it. ``OSError`` when no file can be made."""
        with self._lock:
            held = self._held.get(what)
            if held is not None:
                held.count += not held.lost
                return not held.lost
            held = self._taken(_root(what), what)
            if held is not None:
                self._held[what] = held
                self._start_beating()
            return held is not None

    def release(self, what: str) -> None:
        """Give back what was taken."""
        with self._lock:
            held = self._held[what]
            held.count -= 1
            if held.count <= 0:
                del self._held[what]
                self._give_back(held)

    def holds(self, what: str) -> bool:
        """True when this process took ``what`` and has not given it back."""
        return what in self._held

    def confirm(self, what: str) -> bool:
        """True when ``what`` is still this process's, which it is then for another lease."""
        with self._lock:
            held = self._held.get(what)
            if held is None or held.lost:
                return False
            with suppress(OSError):  # on a full disk
                self.files.now_ns()  # a new file in the folder: a network file system then forgets what it remembers
            held.lost = not self.files.beat(held.name, held.text) or self._last(held.root) != held.token
            return not held.lost

    @contextmanager
    def held(self, what: str) -> Iterator[None]:
        """Hold ``what`` during the block, and wait for whoever has it before."""
        while not self.take(what):
            self._sleep(POLL_SECONDS)
        try:
            yield
        finally:
            self.release(what)

    def beat(self) -> None:
        """Write every claim again. A thread does so while any is held."""
        for held in list(self._held.values()):
            if not self.files.beat(held.name, held.text):
                held.lost = True

    def sweep(self) -> None:
        """Remove what processes that are gone left, and the folder when nobody is left in it."""
        names = self.files.names()
        roots = [name for name in names if "." not in name]
        for root in roots:
            held = self._taken(root, "") if self._chain(root) else None
            if held is not None:
                self._give_back(held)
        linked = {link.name for root in roots for link in self._chain(root)}
        for name in names:
            if "." in name and name not in linked and self._is_left(name):
                self.files.remove(name)
        self.files.remove_folder()

    def is_over(self, link: ClaimFile) -> bool:
        """True when the owner of a claim is gone, or nobody wrote it for a lease while this process looked on.

        The clock of a file system may jump. So a claim must be old by that clock, and not have changed under the eyes
        of this process for two beats by its own.
        """
        if link.owner is not None and link.owner.is_gone():
            return True
        token, beaten, since = self._seen.get(link.name, ("", 0, 0.0))
        if (token, beaten) != (link.token, link.beaten_ns):
            since = self._monotonic()
            self._seen[link.name] = (link.token, link.beaten_ns, since)
        if self.files.now_ns() - link.beaten_ns <= self._lease_ns:
            return False
        return self._monotonic() - since >= 2 * self._beat

    def _taken(self, root: str, what: str) -> _Held | None:
        chain = self._chain(root)
        if chain and not self.is_over(chain[-1]):
            return None
        token = secrets.token_hex(8)
        name = f"{root}.{chain[-1].token}" if chain else root
        held = _Held(root, name, claim_text(what or (chain[-1].what if chain else ""), self.files.owner, token), token)
        if not self.files.put(held.name, held.text):
            return None
        if self._last(root) == token:
            return held
        self.files.remove(held.name)  # the chain went on, or ended, between looking and linking
        return None

    def _give_back(self, held: _Held) -> None:
        """Remove the chain that ends in ``held``. Where another process went on, its chain stays."""
        chain = self._chain(held.root)
        if chain and chain[-1].token == held.token:
            for link in chain:  # with the first link the claim is free; the others are out of reach then
                self.files.remove(link.name)
        elif held.token not in {link.token for link in chain}:
            found = self.files.read(held.name)
            if found is not None and found.token == held.token:
                self.files.remove(held.name)

    def _chain(self, root: str) -> list[ClaimFile]:
        """Every link of a claim that can be reached from the first."""
        chain: list[ClaimFile] = []
        link = self.files.read(root)
        while link is not None and link.name not in {known.name for known in chain}:
            chain.append(link)
            link = self.files.read(f"{root}.{link.token}")
        return chain

    def _last(self, root: str) -> str | None:
        chain = self._chain(root)
        return chain[-1].token if chain else None

    def _is_left(self, name: str) -> bool:
        """True for a file out of reach that nobody will remove: of a process that is gone, or older than a lease."""
        found = self.files.read(name)
        author = self.files.author(name) or (found.owner if found else None)
        if found is None or (author is not None and author.is_gone()):
            return found is not None
        return self.files.now_ns() - found.beaten_ns > self._lease_ns

    def _start_beating(self) -> None:
        if self._heart is None:
            self._heart = threading.Thread(target=self._beating, name="claims", daemon=True)
            self._heart.start()

    def _beating(self) -> None:
        while not self._over.wait(self._beat):
            self.beat()


def _root(what: str) -> str:
    """The name of a claim's first file."""
    return hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()[:32]
