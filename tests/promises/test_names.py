"""The door, the vocabulary, and what no file of the project may hold."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bratsseg

ROOT = Path(__file__).resolve().parents[2]
UNWANTED = {"util", "utils", "helper", "helpers", "manager", "core", "common", "misc"}
# Participles without "-ed" that once were names of classes: a reader cannot guess what such a thing is.
PARTICIPLES = {
    "Built",
    "Done",
    "Found",
    "Given",
    "Known",
    "Kept",
    "LeftOut",
    "Made",
    "Read",
    "Seen",
    "Shown",
    "Taken",
    "Told",
    "Written",
}
LONGEST_TEST_NAME = 60
MODULES = sorted(path for folder in ("bratsseg", "tests") for path in (ROOT / folder).rglob("*.py"))
# Written so that this file does not hold them itself.
_DOT, _SLASH = re.escape("."), "/"
HOSTS = ("pypi" + _DOT + "org", "pythonhosted" + _DOT, "npmjs" + _DOT, "anaconda" + _DOT, "download" + _DOT + "pytorch")
PLACES = tuple(_SLASH + name + _SLASH for name in ("work", "root", "opt", "mnt", r"home/\w+", r"Users/\w+"))
FOREIGN = re.compile("|".join((*HOSTS, *(rf"(?<![\w.~*)}}\]-]){place}" for place in PLACES))))


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def classes_of(path: Path) -> list[str]:
    """The public classes of a module."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [node.name for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("git: not a checkout, so nobody knows which files are the project's")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_every_public_name_is_there():
    assert sorted(bratsseg.__all__) == bratsseg.__all__
    assert {*bratsseg._HOMES, "__version__"} == set(bratsseg.__all__)
    for name in bratsseg.__all__:
        assert getattr(bratsseg, name) is not None
    with pytest.raises(AttributeError):
        bratsseg.nothing  # noqa: B018


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "bratsseg" / "__init__.py").read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name: node.module
        for block in guarded
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == bratsseg._HOMES


def test_importing_the_package_imports_no_torch():
    code = "import sys, bratsseg; sys.exit(bool({'torch', 'monai', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_room_leans_on_the_door():
    """The door stands on the rooms; one that imported from it would stand on itself."""
    leaning = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "bratsseg").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "bratsseg" and not node.level
        if {alias.name for alias in node.names} & set(bratsseg.__all__)
    ]
    assert not leaning


def test_no_file_or_class_has_a_name_that_says_nothing():
    files = [path for path in MODULES if words(path.stem) & UNWANTED or words(path.parent.name) & UNWANTED]
    classes = [
        f"{path.name}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and words(node.name) & UNWANTED
    ]
    assert not files
    assert not classes


def test_a_class_name_has_one_owner():
    owners: dict[str, list[str]] = {}
    for path in MODULES:
        if path.is_relative_to(ROOT / "bratsseg"):
            for name in classes_of(path):
                owners.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert not {name: places for name, places in owners.items() if len(places) > 1}


def test_a_class_is_called_by_a_noun():
    participles = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in MODULES
        for name in classes_of(path)
        if name in PARTICIPLES or re.fullmatch(r"[A-Z][a-z]+(?<!e)ed", name)
    ]
    assert not participles


def test_names_of_tests_are_short_enough_to_read():
    """Why a thing is so belongs into the body of a test."""
    long = [
        f"{path.relative_to(ROOT)}: {node.name} ({len(node.name)})"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and len(node.name) > LONGEST_TEST_NAME
    ]
    assert not long


@pytest.mark.parametrize(
    ("text", "foreign"),
    [
        ("see " + "https://" + "pypi" + ".org/simple", True),
        ("cd " + "/work" + "/main", True),
        ("open('" + "/home" + "/anna/x')", True),
        ("data/work/x", False),
        ("https://example.org/root/x", False),
    ],
)
def test_the_pattern_finds_what_it_should(text, foreign):
    assert bool(FOREIGN.search(text)) is foreign


def test_no_file_names_a_registry_or_a_place_on_one_machine():
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{at}: {line.strip()[:80]}"
            for at, line in enumerate(lines, 1)
            if FOREIGN.search(line)
        ]
    assert not found, "\n".join(found)


def test_every_script_and_client_test_imports_what_exists():
    """They run seldom, so that a name that was moved away would be missed only then."""
    missing = []
    for path in (*(ROOT / "scripts").glob("*.py"), *(ROOT / "tests" / "clients").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("bratsseg"):
                continue
            module = importlib.import_module(node.module)
            missing += [f"{path.name}: {node.module}.{a.name}" for a in node.names if not has(module, a.name)]
    assert not missing


def has(module: object, name: str) -> bool:
    return hasattr(module, name) or importlib.util.find_spec(f"{module.__name__}.{name}") is not None
