"""What is put into the store comes back, and nothing else."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.results import rows as limits
from kdevops.results.model import Counts, KernelReport, Outcome, RunState, Status, Subtest
from kdevops.results.store import Kind, PlannedRow, Store
from tests.results import stored
from tests.results.stored import report, rows, tid

db = stored.db  # the fixture


def test_a_run_is_stored_with_its_plan(db: Store, tmp_path: Path) -> None:
    plan = [PlannedRow(tid("b"), 45.0, 1.5), PlannedRow(tid("a"), 30.0)]
    run_id = db.create_run("demo", plan, {"kernel": {"ref": "v6.1"}})
    with Store(tmp_path) as other:
        run = other.run(run_id)
        assert (run.lab, run.state, run.ended) == ("demo", RunState.PLANNED, None)
        assert run.record == {"kernel": {"ref": "v6.1"}}
        assert run.created.endswith("+00:00")
        assert other.plan(run_id) == tuple(plan)
        assert other.pending(run_id) == (tid("b"), tid("a"))
        assert other.outcomes(run_id) == {}


def test_runs_are_listed_newest_first(db: Store) -> None:
    first, second, third = (db.create_run(lab, rows("a"), {}) for lab in ("x", "y", "x"))
    assert [run.id for run in db.runs()] == [third, second, first]
    assert [run.id for run in db.runs("x")] == [third, first]


def test_what_is_written_together_is_kept_together_or_not_at_all(db: Store, tmp_path: Path) -> None:
    with db.together():
        run_id = db.create_run("demo", rows("a"), {})
        db.ended(run_id, tid("a"), Outcome(Status.PASS))
        with Store(tmp_path) as other:
            assert other.runs() == ()
        db.finish(run_id)
    assert db.run(run_id).state is RunState.COMPLETE

    def fail_halfway() -> None:
        with db.together():
            db.ended(db.create_run("demo", rows("a"), {}), tid("b"), Outcome(Status.PASS))

    with pytest.raises(InfrastructureError, match="not in the plan"):
        fail_halfway()
    assert [run.id for run in db.runs()] == [run_id]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ([], "no tests to run"),
        (rows("a", "b", "a"), "selftests/default/a is planned twice"),
        (rows("a\x1b[2J"), "not printable"),
        (rows("x" * 501), "longer than 500"),
        (rows(""), "empty"),
    ],
)
def test_a_bad_plan_is_refused_and_leaves_nothing(db: Store, plan: list[PlannedRow], message: str) -> None:
    with pytest.raises(UserError, match=message):
        db.create_run("demo", plan, {})
    assert db.runs() == ()


def test_an_outcome_comes_back_as_it_went_in(db: Store) -> None:
    run_id = db.create_run("demo", rows("a", "b"), {})
    outcome = Outcome(
        Status.CRASH,
        seconds=1.25,
        reason="kernel panic",
        subtests=(Subtest("one / two", Status.PASS), Subtest("three", Status.FAIL, "4 != 5")),
        output="tests/a.txt",
        oops="BUG: null\n RIP: 0010:x\n",
        guest="demo-1",
        subtests_cut=3,
        reports=(
            KernelReport(
                "kasan", "KASAN: use-after-free in foo", "BUG: KASAN: use-after-free in foo+0x1", True, "a\nb"
            ),
            KernelReport("ext4 error", "EXT4-fs error", "EXT4-fs error (device vdb)", False, "c"),
        ),
        reports_cut=2,
    )
    db.started(run_id, tid("a"), "demo-1")
    assert db.run(run_id).state is RunState.RUNNING
    assert db.in_flight(run_id) == (tid("a"),)
    db.ended(run_id, tid("a"), outcome)
    assert db.outcomes(run_id) == {tid("a"): outcome}
    assert db.pending(run_id) == (tid("b"),)
    assert db.in_flight(run_id) == ()


def test_counts_of_all_runs_are_those_of_their_outcomes(db: Store) -> None:
    first, second, _ = (db.create_run("demo", rows("a", "b", "c", "d"), {}) for _ in range(3))
    for run, statuses in ((first, "pass fail pass"), (second, "crash skip hang missing")):
        for name, status in zip("abcd", statuses.split(), strict=False):
            db.ended(run, tid(name), Outcome(Status.read(status)))
    found = db.counts()
    assert found.keys() == {first, second}
    for run in found:
        assert found[run] == Counts.of(outcome.status for outcome in db.outcomes(run).values())


def test_planned_tests_come_with_their_outcomes_or_none(db: Store) -> None:
    run = db.create_run("demo", rows("c", "a", "b"), {})
    db.ended(run, tid("a"), Outcome(Status.PASS, 1.0, guest="g"))
    assert list(db.planned_outcomes(run).items()) == [
        (tid("c"), None),
        (tid("a"), Outcome(Status.PASS, 1.0, guest="g")),
        (tid("b"), None),
    ]


def test_a_second_status_is_refused(db: Store) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    db.ended(run_id, tid("a"), Outcome(Status.FAIL))
    with pytest.raises(InfrastructureError, match="already has a status"):
        db.ended(run_id, tid("a"), Outcome(Status.PASS))
    assert db.outcomes(run_id)[tid("a")].status is Status.FAIL
    assert [entry.kind for entry in db.journal(run_id)] == [Kind.CREATED, Kind.ENDED]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE outcome SET status = 'pass'", "DELETE FROM journal", "DELETE FROM planned", "DELETE FROM report"],
)
def test_the_schema_itself_keeps_what_was_written(db: Store, store_url: str, statement: str) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    db.ended(run_id, tid("a"), Outcome(Status.FAIL, reports=(report("x"),)))
    if store_url:
        with psycopg.connect(store_url) as raw, pytest.raises(psycopg.IntegrityError, match="append-only"):
            raw.execute(statement)
    else:
        with sqlite3.connect(db.path) as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)


def test_what_nobody_planned_is_refused(db: Store) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    with pytest.raises(InfrastructureError, match="not in the plan of run 1"):
        db.ended(run_id, tid("b"), Outcome(Status.PASS))
    with pytest.raises(UserError, match="no run 99"):
        db.run(99)


def test_finish_gives_every_test_a_status(db: Store) -> None:
    run_id = db.create_run("demo", rows("a", "b", "c"), {})
    db.ended(run_id, tid("a"), Outcome(Status.PASS))
    db.started(run_id, tid("b"), "demo-2")
    assert db.finish(run_id) is RunState.INCOMPLETE
    outcomes = db.outcomes(run_id)
    assert outcomes[tid("b")].reason == "given to demo-2, but its end was not seen"
    assert outcomes[tid("c")].reason == "never given to a guest"
    assert outcomes[tid("c")].status is Status.MISSING
    assert db.pending(run_id) == ()
    ended = db.run(run_id).ended
    assert ended is not None
    assert db.finish(run_id) is RunState.INCOMPLETE
    assert db.run(run_id).ended == ended
    with pytest.raises(InfrastructureError, match="has ended"):
        db.started(run_id, tid("b"), "demo-1")


def test_a_run_with_every_status_is_complete(db: Store) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    db.ended(run_id, tid("a"), Outcome(Status.HANG))
    assert db.finish(run_id) is RunState.COMPLETE


def test_an_interrupted_run_goes_on_and_an_ended_one_stays_ended(db: Store) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    db.started(run_id, tid("a"), "demo-1")
    db.interrupt(run_id)
    assert db.run(run_id).state is RunState.INTERRUPTED
    assert db.in_flight(run_id) == (tid("a"),)
    db.started(run_id, tid("a"), "demo-2")
    assert db.run(run_id).state is RunState.RUNNING
    db.ended(run_id, tid("a"), Outcome(Status.PASS))
    db.finish(run_id)
    db.interrupt(run_id)
    assert db.run(run_id).state is RunState.COMPLETE


def test_the_journal_tells_everything_in_order(db: Store) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    db.started(run_id, tid("a"), "demo-1")
    db.infrastructure(run_id, "demo-1", "no ssh\x1b[2J within 60 s")
    db.interrupt(run_id)
    db.ended(run_id, tid("a"), Outcome(Status.PASS, guest="demo-1"))
    db.finish(run_id)
    told = [(entry.kind, entry.test, entry.guest, entry.text) for entry in db.journal(run_id)]
    assert told == [
        (Kind.CREATED, None, "", "1 tests planned"),
        (Kind.STARTED, tid("a"), "demo-1", ""),
        (Kind.INFRASTRUCTURE, None, "demo-1", "no ssh within 60 s"),
        (Kind.INTERRUPTED, None, "", ""),
        (Kind.ENDED, tid("a"), "demo-1", "pass"),
        (Kind.FINISHED, None, "", "complete"),
    ]


def test_the_record_is_updated_key_by_key(db: Store) -> None:
    run_id = db.create_run("demo", rows("a"), {"image": "abc", "kernel": None})
    db.update_record(run_id, {"kernel": {"release": "6.1.0"}, "qemu": ["-m", "1G"]})
    assert db.run(run_id).record == {"image": "abc", "kernel": {"release": "6.1.0"}, "qemu": ["-m", "1G"]}


def test_guests_cannot_flood_or_dirty_the_store(db: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SUBTESTS", 3)
    run_id = db.create_run("demo", rows("a"), {})
    subtests = (*(Subtest(f"s{n}", Status.PASS) for n in range(6)), Subtest("bad\n\x1b[31m", Status.FAIL, "y" * 9999))
    flood = Outcome(
        Status.FAIL, seconds=float("nan"), reason="x" * 9999, subtests=subtests, oops="z\n" * 99_999, guest="g\x00"
    )
    db.ended(run_id, tid("a"), flood)
    kept = db.outcomes(run_id)[tid("a")]
    assert [each.name for each in kept.subtests] == ["s0", "s1", "bad"]
    assert kept.subtests_cut == 4
    assert len(kept.reason) == len(kept.subtests[-1].reason) == limits.MAX_LINE
    assert len(kept.oops) == limits.MAX_OOPS
    assert (kept.guest, kept.seconds) == ("g", 0.0)


def test_of_a_flood_of_kernel_reports_the_first_of_each_trouble_is_kept(
    db: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_REPORTS", 3)
    run_id = db.create_run("demo", rows("a"), {})
    notices = [report(f"notice {n}", gates=False) for n in range(4)]
    flood = [*notices, report("one", text="first"), *(report("one", text="again") for _ in range(9)), report("two")]
    db.ended(run_id, tid("a"), Outcome(Status.PASS, reports=tuple(flood), reports_cut=5))
    kept = db.outcomes(run_id)[tid("a")]
    assert [each.signature for each in kept.reports] == ["notice 0", "one", "two"]
    assert kept.reports[1].text == "first"
    assert kept.reports_cut == len(flood) - 3 + 5


def test_kernel_reports_are_cleaned_and_cut(db: Store) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    dirty = KernelReport("k\x00", "WARNING in \x1b[31mx\n", "t" * 9999, gates=True, text="z\x07\n" * 99_999)
    nameless = KernelReport("bug", "\x1b[0m", "BUG: it\n", gates=True, text="")
    db.ended(run_id, tid("a"), Outcome(Status.PASS, reports=(dirty, nameless)))
    first, second = db.outcomes(run_id)[tid("a")].reports
    assert (first.kind, first.signature, len(first.title), len(first.text)) == (
        "k",
        "WARNING in x",
        limits.MAX_LINE,
        limits.MAX_OOPS,
    )
    assert second.signature == "BUG: it"  # what has no name of its own has that of its title
