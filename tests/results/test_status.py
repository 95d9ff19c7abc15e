"""The facts of a status are said once, and whoever asks gets the same answer as whoever listed statuses before."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
import re
from pathlib import Path

import pytest

from kdevops.results import database, model
from kdevops.results.model import Counts, Ending, Status

PACKAGE = Path(__file__).parents[2] / "kdevops"
P, F, S, C, H, M = Status.PASS, Status.FAIL, Status.SKIP, Status.CRASH, Status.HANG, Status.MISSING


@pytest.mark.parametrize(
    ("fact", "those"),
    [
        ("is_bad", {F, C, H}), ("is_well", {P, S}), ("ran", {P, F, C, H}), ("ended_by_itself", {P, F, S}),
        ("ran_to_its_end", {P, F}), ("took_the_guest", {C, H}),
    ],
)  # fmt: skip
def test_which_statuses_are_what(fact: str, those: set[Status]) -> None:
    assert {status for status in Status if getattr(status, fact)} == those


def test_the_order_is_from_no_result_to_a_crash() -> None:
    assert sorted(Status, key=lambda status: status.ending.severity) == [M, S, P, F, H, C]
    assert len({status.ending.severity for status in Status}) == len(Status)


def test_a_member_without_facts_cannot_be_made() -> None:
    source = inspect.getsource(Status)
    exec(source, names := dict(vars(model)))
    assert list(names["Status"]) == list(Status)
    with pytest.raises(TypeError, match="ending"):
        exec(f'{source}\n    OTHER = "other"\n', dict(vars(model)))
    with pytest.raises(TypeError, match="missing 8 required"):
        Ending(severity=9)  # type: ignore[call-arg]


def test_it_is_a_word_like_any_other() -> None:
    for status in Status:
        assert status == status.value == f"{status}" == Status.read(status.value)
        assert copy.deepcopy(status) is pickle.loads(pickle.dumps(status)) is status
    with pytest.raises(ValueError, match="broken"):
        Status.read("broken")


def test_the_database_takes_every_status() -> None:
    (listed,) = re.findall(r"status IN \((.*?)\)", Path(database.__file__).read_text())
    assert set(re.findall(r"'(\w+)'", listed)) == set(Status), "a new status needs a migration"


def test_bad_ones_are_counted() -> None:
    assert Counts.of(list(Status)).bad == 3


def sets_of(tree: ast.AST) -> list[int]:
    """Lines of lists, sets and tables that hold several statuses."""
    found = []
    for node in ast.walk(tree):
        each = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", ())
        named = [it for it in each if isinstance(it, ast.Attribute) and ast.unparse(it.value) == "Status"]
        if len(named) > 1:
            found.append(node.lineno)  # type: ignore[attr-defined]
    return found


def test_nobody_else_lists_statuses() -> None:
    """Where a set of statuses is meant, it has a name on Status: a new one is then asked for everywhere."""
    # Statuses that a heading names already, or that need no explanation of their own: choices of one place each.
    told = {
        "kdevops/report/summary.py",
        "kdevops/results/verdict.py",
        "kdevops/results/rate.py",
        "kdevops/results/compare.py",
    }
    lists = {
        str(path.relative_to(PACKAGE.parent)): lines
        for path in PACKAGE.rglob("*.py")
        if (lines := sets_of(ast.parse(path.read_text())))
    }
    assert {path: lines for path, lines in lists.items() if path not in told} == {}
    assert sets_of(
        ast.parse("x = {Status.PASS, Status.FAIL}\ny = {Status.PASS: 1, Status.SKIP: 2}\nz = (Status.PASS, 1)")
    ) == [1, 2]
