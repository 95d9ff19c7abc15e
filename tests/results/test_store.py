import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.results import database
from kdevops.results import rows as limits
from kdevops.results.model import KernelReport, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.store import Kind, PlannedRow, Store


def tid(name: str) -> TestId:
    return TestId("selftests", "default", name)


def rows(*names: str) -> list[PlannedRow]:
    return [PlannedRow(tid(name), 45.0) for name in names]


@pytest.fixture
def db(tmp_path: Path):
    with Store(tmp_path) as opened:
        yield opened


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
        ([], "no test to run"),
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
def test_the_schema_itself_keeps_what_was_written(db: Store, statement: str) -> None:
    run_id = db.create_run("demo", rows("a"), {})
    db.ended(run_id, tid("a"), Outcome(Status.FAIL, reports=(report("x"),)))
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
    assert outcomes[tid("b")].reason == "given to demo-2, and no end of it was seen"
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


def report(signature: str, *, gates: bool = True, text: str = "") -> KernelReport:
    return KernelReport("warning", signature, f"WARNING: {signature}", gates, text)


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


def test_a_store_of_the_first_schema_is_opened_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", database.MIGRATIONS[:1])
        with Store(tmp_path) as db:
            run_id = db.create_run("demo", rows("a", "b"), {})
    with sqlite3.connect(tmp_path / database.FILE_NAME) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (1,)
        raw.execute(
            "INSERT INTO outcome (planned, status, seconds, reason, output, oops, guest, subtests_cut)"
            " VALUES (1, 'pass', 2.5, '', 'a.log', 'WARNING: x', 'demo-1', 3)"
        )
    with Store(tmp_path) as db:
        old = Outcome(Status.PASS, 2.5, output="a.log", oops="WARNING: x", guest="demo-1", subtests_cut=3)
        assert db.outcomes(run_id) == {tid("a"): old}
        new = Outcome(Status.PASS, reports=(report("x"),), reports_cut=1)
        db.ended(run_id, tid("b"), new)
        assert db.outcomes(run_id)[tid("b")] == new
        assert db.finish(run_id) is RunState.COMPLETE


def test_history_is_the_median_of_what_ran_to_its_end(db: Store) -> None:
    for lab, status, seconds in [
        ("x", Status.PASS, 2.0),
        ("x", Status.FAIL, 4.0),
        ("x", Status.PASS, 9.0),
        ("x", Status.HANG, 900.0),
        ("x", Status.SKIP, 0.1),
        ("y", Status.PASS, 100.0),
    ]:
        db.ended(db.create_run(lab, rows("a", "b"), {}), tid("a"), Outcome(status, seconds=seconds))
    assert db.history("x", [tid("a"), tid("b")]) == {tid("a"): 4.0}
    assert db.history(None, [tid("a")]) == {tid("a"): 6.5}
    assert db.history("x", [tid("b")]) == {}


KILLED = """
import sys
from pathlib import Path
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
tests = [TestId("s", "default", f"t{n}") for n in range(20000)]
db = Store(Path(sys.argv[1]))
run = db.create_run("demo", [PlannedRow(test, 1.0) for test in tests], {})
for test in tests:
    db.started(run, test, "g")
    db.ended(run, test, Outcome(Status.PASS, reason="r" * 400))
    print(test.name, flush=True)
"""


def test_sigkill_in_the_middle_of_writing_loses_nothing_committed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline().strip() for _ in range(300)]
    os.kill(child.pid, signal.SIGKILL)
    told += child.stdout.read().split()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    with Store(tmp_path) as db:
        outcomes = db.outcomes(1)
        assert {tid.name for tid in outcomes} >= set(told)
        assert len(outcomes) - len(told) in {0, 1}
        assert len(db.in_flight(1)) <= 1
        assert len(outcomes) + len(db.pending(1)) == 20000
        db.started(1, db.pending(1)[0], "g")


WRITER = """
import sys
from pathlib import Path
from kdevops.results.model import Outcome, Status
from kdevops.results.store import Store
db = Store(Path(sys.argv[1]))
for test in db.pending(1):
    db.ended(1, test, Outcome(Status.PASS))
"""
READER = """
import sys
from pathlib import Path
from kdevops.results.store import Store
db, seen = Store(Path(sys.argv[1])), 0
while seen < 200:
    now = len(db.outcomes(1))
    assert now >= seen
    seen = now
"""


def test_others_read_while_one_writes(db: Store, tmp_path: Path) -> None:
    db.create_run("demo", rows(*(f"t{n}" for n in range(200))), {})
    children = [subprocess.Popen([sys.executable, "-c", code, tmp_path]) for code in (READER, READER, WRITER)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]


def test_a_full_disk_is_told_in_prose_and_loses_nothing_written(db: Store) -> None:
    run_id = db.create_run("demo", rows("a", "b"), {})
    db.ended(run_id, tid("a"), Outcome(Status.PASS))
    (pages,) = db._connection.execute("PRAGMA page_count").fetchone()
    db._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(InfrastructureError, match="disk is full") as caught:
        db.ended(run_id, tid("b"), Outcome(Status.FAIL, oops="x" * 60_000))
    assert "kdevops resume" in str(caught.value.hint)
    assert list(db.outcomes(run_id)) == [tid("a")]
    db._connection.execute("PRAGMA max_page_count = 100000")
    db.ended(run_id, tid("b"), Outcome(Status.FAIL))


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / database.FILE_NAME).write_bytes(b"not a database at all" * 500)
    with pytest.raises(InfrastructureError, match="is damaged") as caught:
        Store(tmp_path)
    assert "move the file away" in str(caught.value.hint)


def test_a_database_damaged_inside_is_named(tmp_path: Path) -> None:
    with Store(tmp_path) as db:
        db.create_run("demo", rows(*(f"t{n}" for n in range(500))), {})
    path = tmp_path / database.FILE_NAME
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with pytest.raises(InfrastructureError, match="is damaged"), Store(tmp_path) as db:
        db.pending(1)


def test_a_store_of_a_newer_kdevops_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / database.FILE_NAME) as raw:
        raw.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="newer kdevops"):
        Store(tmp_path)


def test_an_old_store_is_migrated_and_keeps_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path) as db:
        db.create_run("demo", rows("a"), {})
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, ("ALTER TABLE run ADD COLUMN note TEXT",)))
    with Store(tmp_path) as db:
        assert db._query("SELECT note FROM run") == [(None,)]
        assert db._query("PRAGMA user_version") == [(len(database.MIGRATIONS),)]


def test_a_migration_that_fails_leaves_the_old_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).close()
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, ("DROP TABLE journal", "NO SQL")))
        with pytest.raises(InfrastructureError):
            Store(tmp_path)
    with Store(tmp_path) as db:
        assert db._query("PRAGMA user_version") == [(len(database.MIGRATIONS),)]
        db.create_run("demo", rows("a"), {})


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InfrastructureError, match="cannot be made"):
        Store(tmp_path / "file" / "state")


def test_every_commit_waits_for_the_disk(db: Store) -> None:
    assert db._query("PRAGMA journal_mode") == [("wal",)]
    assert db._query("PRAGMA synchronous") == [(len(database.MIGRATIONS),)]
