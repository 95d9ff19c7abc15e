"""A test is found in all runs without reading the plans."""

from __future__ import annotations

from kdevops.results.model import Outcome, Status
from kdevops.results.occurrences import Occurrence, known_tests, occurrences
from kdevops.results.store import Store
from tests.results import stored
from tests.results.stored import rows, tid

db = stored.db  # the fixtures
file_db = stored.file_db


def test_the_results_of_a_test_and_of_its_repeats_come_by_run(db: Store) -> None:
    for number, (lab, status) in enumerate([("x", Status.PASS), ("y", Status.FAIL), ("x", Status.SKIP)], 1):
        run = db.create_run(lab, rows("a", "a#2", f"b{number}"), {"kernel": {"release": "6.1"}})
        db.ended(run, tid("a"), Outcome(status, reason="why"))
        if number == 1:
            db.ended(run, tid("a#2"), Outcome(Status.HANG))
    again = db.create_run("x", rows("a"), {}, decides=3)
    db.ended(again, tid("a"), Outcome(Status.PASS))
    at = {run: db.run(run).created for run in range(1, 5)}
    found = occurrences(db, [tid("a"), tid("a#2")], "x")
    assert found == [
        Occurrence(1, "x", at[1], "6.1", Status.PASS, "why"),
        Occurrence(1, "x", at[1], "6.1", Status.HANG),
        Occurrence(3, "x", at[3], "6.1", Status.SKIP, "why"),
        Occurrence(4, "x", at[4], "", Status.PASS, "", 3),
    ]
    assert [each.run for each in occurrences(db, [tid("a")])] == [1, 2, 3, 4]
    assert occurrences(db, [tid("b1")]) == []
    assert known_tests(db) == tuple(map(tid, ["a", "a#2", "b1", "b2", "b3"]))


def test_no_scan_of_plans_or_outcomes(file_db: Store) -> None:
    from kdevops.results.occurrences import _OF_TEST

    steps = [
        row[-1] for row in file_db.query(f"EXPLAIN QUERY PLAN {_OF_TEST}", suite="s", profile="p", name="n", lab=None)
    ]
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN run"]
    assert any("planned USING COVERING INDEX" in step for step in steps)
