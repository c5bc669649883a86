"""One thing, several claimants: it is one's at a time, and whoever crashes, wherever, is succeeded by exactly one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bratsseg.claims import ClaimFiles, ClaimOwner, Claims
from tests.claims.turns import Claimant

LEASE = 90.0
WHAT = "case anna"


class Machines:
    """A shared folder, machines that cannot see each other's processes, and time that passes when told to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seconds, self.published = folder / "claims", 0.0, []
        self._made: list[Claims] = []

    def claims(self, owner: ClaimOwner | None = None) -> Claims:
        number = len(self._made)
        files = ClaimFiles(self.folder, owner or ClaimOwner(f"machine{number}", number))
        made = Claims(files, lease=LEASE, beat=1e6, monotonic=lambda: self.seconds, sleep=lambda _: None)
        made._beat = LEASE / 6  # what is waited for to believe an old claim; the thread never beats
        made._start_beating = lambda: None  # type: ignore[method-assign]
        self._made.append(made)
        return made

    def pass_time(self, seconds: float) -> None:
        """Every file is older by ``seconds``, and every clock later."""
        self.seconds += seconds
        shift = int(seconds * 1e9)
        for claims in self._made:  # they look at the same files as before, and the files have not changed
            claims._seen = {name: (token, at - shift, since) for name, (token, at, since) in claims._seen.items()}
        paths = self.folder.glob("*") if self.folder.is_dir() else ()
        for path in {path.stat().st_ino: path for path in paths}.values():
            before = path.stat().st_mtime_ns
            os.utime(path, ns=(before, before - shift))

    def claimant(self, name: str) -> Claimant:
        """Who looks up to six times whether the case is free, and publishes it unless somebody did."""
        claims = self.claims()

        def work() -> None:
            with claims:
                for _ in range(6):
                    if claims.take(WHAT):
                        if not self.published and claims.confirm(WHAT):
                            self.published.append(name)
                        claims.release(WHAT)

        return Claimant(work, self.folder)


MOVES = st.lists(st.sampled_from(("a", "a", "a", "b", "b", "b", "time", "crash a", "crash b")), max_size=120)


@settings(max_examples=150, deadline=None)
@given(MOVES)
def test_of_two_in_any_order_with_crashes_one_publishes(moves: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        machines = Machines(Path(place))
        both = {"a": machines.claimant("a"), "b": machines.claimant("b")}
        for move in moves:
            if move == "time":
                machines.pass_time(LEASE + 1)
            elif move.startswith("crash"):
                both[move[-1]].crash()
            else:
                both[move].step()
        while not all(claimant.ended for claimant in both.values()):
            for claimant in both.values():
                claimant.step()
        last = machines.claims()
        last.take(WHAT)  # a look at what is left, before it has grown old
        machines.pass_time(LEASE + 1)
        with last:
            assert last.take(WHAT)
            assert last.confirm(WHAT)
            machines.published or machines.published.append("last")
        last.sweep()
        assert len(machines.published) == 1, machines.published
        assert not machines.folder.exists()


def test_a_crash_at_every_step_leaves_it_to_exactly_one_of_two(tmp_path: Path) -> None:
    step = 0
    while True:
        step += 1
        machines = Machines(tmp_path / str(step))
        (tmp_path / str(step)).mkdir()
        first = machines.claimant("first")
        for _ in range(step):
            first.step()
        if first.ended:
            break
        first.crash()
        others = [machines.claims(), machines.claims()]
        for other in others:
            other.take(WHAT) and other.release(WHAT)
        machines.pass_time(LEASE + 1)
        assert [other.take(WHAT) for other in others] == [True, False], step
    assert step > 20


def test_it_is_anothers_only_when_it_was_given_back(tmp_path: Path) -> None:
    one, two = Machines(tmp_path).claims(), Machines(tmp_path).claims()
    with one, two:
        assert one.take(WHAT)
        assert one.take(WHAT)
        one.release(WHAT)
        assert not two.take(WHAT)
        assert two.take("case berta")
        one.release(WHAT)
        assert two.take(WHAT)
        assert not one.take(WHAT)
    assert list(tmp_path.iterdir()) == []


def test_who_stood_still_learns_that_it_was_succeeded(tmp_path: Path) -> None:
    machines = Machines(tmp_path)
    slow, quick = machines.claims(), machines.claims()
    assert slow.take(WHAT)
    assert not quick.take(WHAT)
    machines.pass_time(LEASE + 1)
    assert quick.take(WHAT)
    assert not slow.confirm(WHAT)
    slow.release(WHAT)
    assert quick.confirm(WHAT), "the slow one took away what is not its own any more"


def test_a_link_to_a_chain_that_is_gone_holds_nothing(tmp_path: Path, monkeypatch) -> None:
    machines = Machines(tmp_path)
    late, quick, third = machines.claims(), machines.claims(), machines.claims()
    assert machines.claims().take(WHAT)
    assert not quick.take(WHAT)
    machines.pass_time(LEASE + 1)

    def meanwhile(_: object) -> bool:
        assert quick.take(WHAT)
        quick.release(WHAT)
        return third.take(WHAT)

    monkeypatch.setattr(late, "is_over", meanwhile)
    assert not late.take(WHAT)
    assert third.confirm(WHAT)


def test_a_beat_keeps_a_claim(tmp_path: Path) -> None:
    machines = Machines(tmp_path)
    owner, judge = machines.claims(), machines.claims()
    assert owner.take(WHAT)
    for _ in range(5):
        machines.pass_time(LEASE - 1)
        owner.beat()
        assert not judge.take(WHAT)


def test_a_clock_that_jumps_ends_no_claim(tmp_path: Path) -> None:
    machines = Machines(tmp_path)
    owner, judge = machines.claims(), machines.claims()
    assert owner.take(WHAT)
    machines.pass_time(1e6)
    machines.seconds = 0.0  # for the file system alone
    assert not judge.take(WHAT)
    owner.beat()
    machines.seconds += LEASE
    assert not judge.take(WHAT)


def test_without_hard_links_a_claim_is_one_persons_too(tmp_path: Path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    one, two = Machines(tmp_path).claims(), Machines(tmp_path).claims()
    assert one.take(WHAT)
    assert not two.take(WHAT)
    assert one.confirm(WHAT)


def test_a_killed_process_of_this_machine_is_succeeded_at_once(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from bratsseg.claims import *\n"
        f"print(Claims(ClaimFiles(Path(sys.argv[1]))).take({WHAT!r}), flush=True); time.sleep(600)"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "claims")], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"True\n"
    with Claims(ClaimFiles(tmp_path / "claims")) as mine:
        assert not mine.take(WHAT)
        child.kill()
        child.wait()
        assert mine.take(WHAT)
    assert not (tmp_path / "claims").exists()
    child.stdout.close()
