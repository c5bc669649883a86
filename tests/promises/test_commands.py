"""What the documents say to type exists: scripts, verbs, options, and the files they name."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import typer.main

from bratsseg.cli.main import app
from bratsseg.inference.model import released_models
from tests.flows.conftest import bratsseg

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")))
BLOCK = re.compile(r"^```(?:bash|sh|console|shell)\s*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:bratsseg|scripts/)[^`\n]*)`")
PLACEHOLDER = re.compile(r"[A-Z]{2,}|…|\.\.\.|[\[\]|<>]")


def commands(*, blocks: bool) -> list[tuple[str, tuple[str, ...]]]:
    """(document, words) of every command of ours, in order; from fenced blocks, or from the running text."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        lines = BLOCK.findall(text) if blocks else INLINE.findall(BLOCK.sub("", text))
        for line in "\n".join(lines).replace("\\\n", " ").splitlines():
            words = tuple(shlex.split(line.removeprefix("$ "), comments=True))
            if words and (Path(words[0]).name == "bratsseg" or words[0].startswith("scripts/")):
                found.append((document.name, words))
    return found


def label(value: object) -> str | None:
    return " ".join(value) if isinstance(value, tuple) else None


def verbs() -> dict[str, click.Command]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_the_readme_has_commands():
    names = [Path(words[0]).name for document, words in commands(blocks=True) if document == "README.md"]
    assert {"demo", "test", "bratsseg"} <= set(names)


@pytest.mark.parametrize(("document", "words"), commands(blocks=True), ids=label)
def test_a_command_in_a_block_is_understood(document, words, tmp_path, monkeypatch):
    for word in words[1:]:
        assert not word.startswith(("configs/", "scripts/", "data/")) or (ROOT / word).exists(), f"{word} is missing"
    if words[0].startswith("scripts/"):
        assert os.access(ROOT / words[0], os.X_OK), f"{document}: {words[0]} cannot be run"
        return
    monkeypatch.chdir(tmp_path)
    if words[1].isupper():  # bratsseg VERB --help
        return
    if words[1].startswith("-"):
        assert bratsseg(*words[1:]).code == 0
        return
    assert words[1] in verbs(), f"{document}: there is no verb {words[1]}"
    try:
        verbs()[words[1]].make_context(words[1], list(words[2:]))
    except click.exceptions.Exit:  # --help
        pass
    except click.UsageError as error:
        pytest.fail(f"{document}: {' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize(("document", "words"), commands(blocks=False), ids=label)
def test_a_command_in_the_text_names_what_exists(document, words):
    if words[0].startswith("scripts/"):
        assert (ROOT / words[0]).exists(), f"{document}: {words[0]} is missing"
        return
    if len(words) < 2 or PLACEHOLDER.search(words[1]) or words[1].startswith("-"):
        return
    assert words[1] in verbs(), f"{document}: there is no verb {words[1]}"
    options = {name for parameter in verbs()[words[1]].params for name in (*parameter.opts, *parameter.secondary_opts)}
    named = {word.strip("[]").partition("=")[0] for word in words[2:] if word.strip("[]").startswith("--")}
    assert named <= options | {"--help"}, f"{document}: {words[1]} has no {named - options}"


def test_the_commands_of_the_readme_run_in_a_row(tmp_path, monkeypatch):
    """Synthesise, check, segment, evaluate, list: as the README has them, but for one patient."""
    if "default" not in [model.description.name for model in released_models()]:
        pytest.skip("model default: not shipped yet")
    monkeypatch.chdir(tmp_path)
    lines = [
        words[1:] for document, words in commands(blocks=True) if document == "README.md" and words[0] == "bratsseg"
    ]
    chosen = {line[0]: line for line in reversed(lines) if "--flair" not in line and "--help" not in line}
    synthesize = [
        "1" if before == "--cases" else word
        for before, word in zip(("", *chosen["synthesize"]), chosen["synthesize"], strict=False)
    ]
    assert bratsseg(*synthesize).code == 0
    for name in ("scans", "reference"):
        (tmp_path / name).symlink_to(tmp_path / synthesize[1])
    for verb in ("check", "segment", "evaluate", "models"):
        ended = bratsseg(*chosen[verb])
        assert ended.code == 0, f"{verb}: {ended}"


@pytest.mark.parametrize(
    "script",
    [*sorted(path for path in (ROOT / "scripts").rglob("*") if path.is_file()), ROOT / ".ci" / "run"],
    ids=lambda path: path.name,
)
def test_a_script_of_the_shell_can_be_run(script):
    text = script.read_bytes()
    if text.startswith(b"#!") and b"bash" in text.splitlines()[0]:
        assert os.access(script, os.X_OK)
        assert b"set -euo pipefail" in text
        subprocess.run(["bash", "-n", str(script)], check=True)
