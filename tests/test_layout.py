"""The house keeps its shape: small modules, no circles, and tests that stand where what they test stands."""

from __future__ import annotations

import ast
import graphlib
import statistics
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "kdevops"
MODULES = {".".join(path.relative_to(TESTS.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
ELSEWHERE = {"bench", "e2e", "fakefstests", "fakelinux", "faults", "roles", "support", "terraform"}
"""What is tested or helps there is not a room of the package."""


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere: in functions and for types, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names} | {node.module}
    return found & MODULES.keys()


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {name: imported(path) - {name} for name, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 500
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(MODULES)


def test_a_circle_would_be_seen() -> None:
    with pytest.raises(graphlib.CycleError):
        list(graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


def test_modules_are_small() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name for name, length in lengths.items() if length > 400} == set()
    assert statistics.median(lengths.values()) < 110


def test_test_files_are_small_enough_to_find_something_in_them() -> None:
    assert {str(path) for path in TESTS.rglob("test_*.py") if len(path.read_text().splitlines()) > 400} == set()


def test_tests_stand_in_the_room_and_wing_that_they_test() -> None:
    rooms = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    strange = {
        str(room) for room in rooms if room.parts and room.parts[0] not in ELSEWHERE and not (PACKAGE / room).is_dir()
    }
    assert strange == set()


def test_a_wing_gives_nothing_on() -> None:
    """Its parts are imported from where they stand, so that whoever reads an import knows the file."""
    faces = {name: ast.parse(path.read_text()).body for name, path in MODULES.items() if path.name == "__init__.py"}
    del faces["kdevops.__init__"]  # which has the version
    assert {name for name, body in faces.items() if len(body) != 1 or not isinstance(body[0], ast.Expr)} == set()
