"""On a GPU machine without internet: self-test, measurements, training and scores within so many seconds.

usage: scripts/gpu drive --until SECONDS [--pack gpu-pack] [--out gpu-drive] [--pieces NAME,NAME] [--plan]

Each piece is a process of its own with its own limit: one that breaks or hangs does not cost the others, and what a
piece leaves of its time goes to training. Every few seconds all that is worth keeping is copied to OUT:

    drive.json            what ran when and how it ended, with the figures of each piece
    drive.log             everything that the pieces printed
    model/                the averaged weights of the training, a minute old at most: for segment --model, and for
                          --model of the next pack, which goes on from there

Only the standard library is needed to start; the pack's wheels are unpacked here, each by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMITS = {"imports": 40, "selftest": 75, "making": 30, "bench": 110, "train": 0, "score": 35}
"""Seconds of each piece at most, in order; training gets what the others leave."""
COPIED_EVERY = 3.0
TO_END = 5.0
"""Seconds kept for the last copies."""
AGAIN = "train again"
CAREFUL = ("data.synthetic.makers=0", "trainer.batch_size=4")
"""What is changed when training broke before it had any weights: no processes beside it, and half the memory."""
LEAST_TRAINING = 60.0
"""Seconds of training without which a drive is not begun."""
SHORTEST = 1.0
"""Seconds with which nothing is begun."""
TO_BEGIN_AND_END = 30.0
"""Seconds of a training that are no steps: imports, the first patients, the last checkpoint."""
LAST_LINES = 60
MINIATURE = (
    "preparation.spacing_mm=4", "windows.size=[32,32,32]", "network.widths=[8,16,32]", "data.synthetic.volumes=2",
    "data.synthetic.validation_patients=1", "trainer.batch_size=2", "trainer.steps_per_epoch=4",
)  # fmt: skip
SMALL_BENCH = ("--patients", "1", "--peer-patients", "1", "--widths", "2", "4", "--spacing-mm", "1.5")
SMALL_TRAINING = 25.0
"""Seconds of a rehearsal's training."""
SLOWER = 4
"""A rehearsal's machine may be busy: its pieces get so many times their limits."""


@dataclass
class Piece:
    """What became of one piece; ``code`` is its exit code, None while it runs or when it ran out of time."""

    name: str
    begun: float
    limit: float
    seconds: float = 0.0
    code: int | None = None
    ended: str = "running"
    last_lines: list[str] = field(default_factory=list)


class Drive:
    """One drive; ``work`` is on this machine alone, ``out`` is what comes home."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options, self.work, self.out = options, work, options.out
        self.start = time.monotonic()
        self.pieces: list[Piece] = []
        self.site = work / "site"
        self.copying = threading.Lock()

    def left(self) -> float:
        """Seconds until the drive must be over."""
        return float(self.options.until - TO_END - (time.monotonic() - self.start))

    def run(self) -> int:
        """All pieces in order; 0 when each ended well."""
        self.out.mkdir(parents=True, exist_ok=True)
        over = threading.Event()
        copier = threading.Thread(target=self._keep_copying, args=(over,), daemon=True)
        copier.start()
        for number, name in enumerate(self.options.pieces):
            later = self.options.pieces[number + 1 :]
            self._run(name, self.limit(name, later))
            if name == "train" and self.broken_training():
                shutil.rmtree(self.work / "run", ignore_errors=True)
                self._run(AGAIN, self.limit("train", later))
        over.set()
        copier.join()
        self.copy()
        print("\n".join(f"{p.begun:6.0f} s  {p.name:10} {p.seconds:6.0f} s  {p.ended}" for p in self.pieces))
        return int(any(piece.ended != "well" for piece in self.pieces))

    def broken_training(self) -> bool:
        """True when training ended by itself, badly, and left no weights."""
        return self.pieces[-1].code not in (0, None) and not (self.work / "run" / "average" / "model.json").exists()

    def limit(self, name: str, later: list[str]) -> float:
        """Seconds that a piece may take now, when ``later`` are still to come."""
        if name == "train":
            return self.left() - sum(LIMITS[one] for one in later)
        return min(LIMITS[name] * (SLOWER if self.options.small else 1), self.left())

    def _run(self, name: str, limit: float) -> None:
        piece = Piece(name, round(time.monotonic() - self.start, 1), round(limit, 1))
        self.pieces.append(piece)
        begun = time.monotonic()
        try:
            if limit < SHORTEST:
                piece.ended = "not begun: no time was left"
                return
            if name == "imports":
                unpack(self.options.pack / "wheels", self.site)
            self._call(piece, self.command(name, limit), begun + limit)
        except Exception as error:  # a piece that cannot even begin costs only itself
            piece.ended = f"broke: {type(error).__name__}: {error}"
        finally:
            piece.seconds = round(time.monotonic() - begun, 1)
            print(f"{name}: {piece.ended} after {piece.seconds:.0f} s", flush=True)

    def _call(self, piece: Piece, words: list[str], until: float) -> None:
        """Run a command in a session of its own, so that its workers end with it."""
        path = os.pathsep.join([str(self.site), str(ROOT)])
        surroundings = os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        with (self.work / f"{piece.name}.txt").open("wb") as log:
            log.write(f"=== {piece.name}: {' '.join(words)}\n".encode())
            log.flush()
            process = subprocess.Popen(
                words, cwd=ROOT, env=surroundings, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            try:
                piece.code = process.wait(max(until - time.monotonic(), 0.1))
                piece.ended = "well" if piece.code == 0 else f"exit code {piece.code}"
            except subprocess.TimeoutExpired:
                piece.ended = "stopped: its time was over"
            finally:
                end(process)

    def command(self, name: str, limit: float) -> list[str]:
        """The command line of a piece."""
        python, device, small = sys.executable, self.options.device, self.options.small
        scripts, config = ROOT / "scripts", "configs/training/default_3d.yaml"
        if name == "imports":
            return [python, "-c", IMPORTS]
        if name == "selftest":
            return [python, "-m", "bratsseg", "selftest", "--quick", "--device", device]
        if name == "making":
            words = [python, str(scripts / "bench_making.py"), config, *(MINIATURE if small else ())]
            words += ["--device", device, "--quick", "--seconds", "1" if small else "3"]
            return [*words, "--json", str(self.work / "making.json")]
        if name == "bench":
            words = [python, str(scripts / "bench_gpu.py"), "--device", device]
            words += ["--json", str(self.work / "bench.json")]
            return [*words, *(SMALL_BENCH if small else ())]
        if name in ("train", AGAIN):
            keys = self._training(limit, careful=name == AGAIN)
            return [python, "-m", "bratsseg", "train", config, *keys, "--out", str(self.work / "run")]
        average = self.work / "run" / "average"
        words = [python, str(scripts / "gpu_cases.py"), str(average), str(self.options.pack / "cases")]
        return [*words, "--device", device, "--json", str(self.work / "scores.json")]

    def _training(self, limit: float, *, careful: bool) -> list[str]:
        """The keys of the training: its minutes, who makes the patients, where it starts from."""
        seconds = SMALL_TRAINING if self.options.small else max(limit - TO_BEGIN_AND_END, 0.25 * limit)
        words = [f"trainer.max_minutes={seconds / 60:.2f}"]
        if self.options.small:
            words += [*MINIATURE, "trainer.accelerator=cpu", "data.synthetic.makers=1"]
        elif careful:
            words += CAREFUL
        elif (self.work / "making.json").exists():
            words += json.loads((self.work / "making.json").read_text())["overrides"]
        else:
            words += [f"data.synthetic.makers={max(1, (os.cpu_count() or 2) - 1)}", "trainer.threads=1"]
        if (self.options.pack / "model").is_dir():
            words.append(f"trainer.init_from={self.options.pack / 'model'}")
        if (self.options.pack / "shapes.npz").is_file():
            words.append(f"synthesis.tumour.shapes={self.options.pack / 'shapes.npz'}")
        return words

    def _keep_copying(self, over: threading.Event) -> None:
        while not over.wait(COPIED_EVERY):
            self.copy()

    def copy(self) -> None:
        """Bring what is there to OUT; what cannot be copied now is copied the next time."""
        with self.copying:
            for step in (self._copy_log, self._copy_figures, self._copy_model):
                try:
                    step()
                except (OSError, ValueError) as error:
                    print(f"not copied: {error}", flush=True)

    def _copy_log(self) -> None:
        texts = []
        for piece in self.pieces:
            path = self.work / f"{piece.name}.txt"
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            piece.last_lines = text.splitlines()[-LAST_LINES:]
            texts.append(text)
        replace(self.out / "drive.log", "\n".join(texts).encode())

    def _copy_figures(self) -> None:
        told: dict[str, Any] = {"schema": 1, "pieces": [vars(piece) for piece in self.pieces]}
        for name in ("making", "bench", "scores"):
            path = self.work / f"{name}.json"
            if path.exists():
                told[name] = json.loads(path.read_text())
        log = self.work / "run" / "log.csv"
        if log.exists():
            told["training"] = log.read_text().splitlines()
        replace(self.out / "drive.json", json.dumps(told, indent=1).encode())

    def _copy_model(self) -> None:
        """Weights first, then the description that names them, then the older weights go: OUT/model is always whole."""
        average, model = self.work / "run" / "average", self.out / "model"
        if not (average / "model.json").exists():
            return
        described = (average / "model.json").read_bytes()
        (name,) = [file["file"] for file in json.loads(described)["weights"]]
        if (model / "model.json").exists() and (model / "model.json").read_bytes() == described:
            return
        model.mkdir(exist_ok=True)
        replace(model / name, (average / name).read_bytes())
        replace(model / "model.json", described)
        for path in model.glob("weights-*"):
            if path.name != name:
                path.unlink()


IMPORTS = """
import importlib, sys, time
import torch
failed = []
names = "monai nibabel isal cc3d pydantic einops reportlab scipy safetensors typer yaml PIL lightning bratsseg"
for name in names.split():
    try:
        found = importlib.import_module(name)
        print(name, getattr(found, "__version__", ""))
    except Exception as error:
        failed.append(name)
        print(name, "FAILED:", error)
print("Python", sys.version.split()[0], "torch", torch.__version__, "GPUs", torch.cuda.device_count())
sys.exit(bool(failed))
"""


def unpack(wheels: Path, site: Path) -> None:
    """Unpack every wheel by itself; one that is damaged is told and left out."""
    site.mkdir(parents=True, exist_ok=True)
    for wheel in sorted(wheels.glob("*.whl")):
        try:
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(site)
        except (zipfile.BadZipFile, OSError) as error:
            print(f"{wheel.name}: {error}", flush=True)


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    beside.replace(path)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: asked first, so that training writes its last weights."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(4.0)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def plan(until: float, pieces: list[str]) -> str:
    """The plan second by second, when every piece takes all of its time."""
    lines, at = [], 0.0
    others = sum(LIMITS[name] for name in pieces)
    for name in pieces:
        seconds = LIMITS[name] or until - TO_END - others
        lines.append(f"{at:6.0f} s  {name:10} {seconds:6.0f} s at most{'' if LIMITS[name] else ', or what is left'}")
        at += seconds
    return "\n".join([*lines, f"{at:6.0f} s  the last copies"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", type=float, required=True, metavar="SECONDS", help="when all must be over")
    parser.add_argument("--pack", type=Path, default=ROOT / "gpu-pack")
    parser.add_argument("--out", type=Path, default=Path("gpu-drive"))
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--pieces", default=",".join(LIMITS), help="some of these, in this order; imports always")
    parser.add_argument("--plan", action="store_true", help="print the plan second by second, and do nothing")
    parser.add_argument("--small", action="store_true", help="in miniature, for a rehearsal on a CPU")
    options = parser.parse_args()
    wanted = options.pieces.split(",")
    if strange := set(wanted) - LIMITS.keys():
        parser.error(f"--pieces must be some of {', '.join(LIMITS)}, was {', '.join(sorted(strange))}")
    options.pieces = [name for name in LIMITS if name == "imports" or name in wanted]
    if not (options.pack / "cases").is_dir() and "score" in options.pieces:
        options.pieces.remove("score")
    least = sum(LIMITS[name] for name in options.pieces) + TO_END + LEAST_TRAINING * ("train" in options.pieces)
    if options.until < least and not options.small:
        parser.error(f"--until must be at least {least:.0f} for {', '.join(options.pieces)}; name fewer with --pieces")
    if not (options.pack / "wheels").is_dir():
        parser.error(f"--pack {options.pack}: must be what scripts/gpu pack made, there is none")
    options.pack, options.out = options.pack.resolve(), options.out.resolve()
    print(plan(options.until, options.pieces), flush=True)
    if options.plan:
        return
    with tempfile.TemporaryDirectory(prefix="gpu-drive-", ignore_cleanup_errors=True) as work:
        code = Drive(options, Path(work)).run()
    sys.exit(code)


if __name__ == "__main__":
    main()
