"""A run goes on while its database is away; nothing is lost, and nothing arrives twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.check import problems
from kdevops.results.listing import listed
from kdevops.results.model import Counts, Outcome, RunState, Status, Subtest
from kdevops.results.store import Kind, Store
from kdevops.results.team import routing
from kdevops.results.team.mirror import Mirror
from kdevops.results.team.trouble import UnreachableError
from tests.results.stored import change, report, rows, tid
from tests.support.postgresql import Cluster

BASELINE = zlib.compress(b"{}")
CRASH = Outcome(
    Status.CRASH,
    1.5,
    "panic",
    (Subtest("one", Status.FAIL, "x"),),
    oops="BUG: y\n" * 300,
    guest="demo-1",
    reports=(report("z", text="w" * 2000), report("n", gates=False)),
)


@pytest.fixture
def url(postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    found = postgres.fresh()
    monkeypatch.setenv("KDEVOPS_STORE", found)
    monkeypatch.setattr(routing, "PAUSE", 0.0)
    yield found
    postgres.used(found)


@contextlib.contextmanager
def away(postgres: Cluster) -> Iterator[None]:
    """The server is killed, and starts again at the end."""
    postgres.kill()
    try:
        yield
    finally:
        postgres.start()


def told(store: Store, run: int) -> list[tuple[Kind, str]]:
    return [(entry.kind, str(entry.test.name) if entry.test else entry.text) for entry in store.journal(run)]


def test_a_run_goes_on_without_its_database(postgres: Cluster, url: str, tmp_path: Path) -> None:
    with Store(tmp_path / "here") as store:
        run = store.create_run("demo", rows(*"abcd"), {"kernel": {"release": "6.1"}})
        store.started(run, tid("a"), "demo-1")
        store.ended(run, tid("a"), CRASH)
        with away(postgres):
            store.started(run, tid("b"), "demo-1")
            assert store.in_flight(run) == (tid("b"),)
            store.infrastructure(run, "demo-1", "no ssh")
            store.ended(run, tid("b"), CRASH)
            store.left_out(run, {tid("c"): "known"})
            store.keep_evidence(run, "baselines", BASELINE)
            store.update_record(run, {"guests": ["demo-1"]})
            assert store.finish(run) is RunState.INCOMPLETE
            store.keep_verdict(run, 4, "missing 1")
            here = store.run(run), store.outcomes(run), store.evidence(run), store.deciding(run)
            assert here[0].record == {"kernel": {"release": "6.1"}, "guests": ["demo-1"]}
            assert [each.status for each in here[1].values()] == ["crash", "crash", "skip", "missing"]
            assert store.waiting() == {run: 3}
            with Store(tmp_path / "here") as later:  # as another command would
                assert later.outcomes(run) == here[1]
                with pytest.raises(UnreachableError, match="cannot be reached") as caught:
                    listed(later)
                assert f"3 results of run {run} wait for the database, in {tmp_path}/here/stores/" in str(
                    caught.value.hint
                )
                with pytest.raises(UnreachableError):
                    later.create_run("demo", rows("a"), {})
            with pytest.raises(UnreachableError):  # which has nothing that it could show
                Store(tmp_path / "elsewhere")
    with Store(tmp_path / "here") as store:
        assert store.waiting() == {}
    with Store(tmp_path / "elsewhere") as other:
        assert (other.run(run), other.outcomes(run), other.evidence(run), other.deciding(run)) == here
        (line,) = listed(other)
        assert (line.exit_code, line.verdict, line.state) == (4, "missing 1", RunState.INCOMPLETE)
        assert line.counts == Counts({Status.CRASH: 2, Status.SKIP: 1, Status.MISSING: 1})
        assert problems(other) == []
        assert told(other, run) == [
            (Kind.CREATED, "4 tests planned"),
            (Kind.STARTED, "a"),
            (Kind.ENDED, "a"),
            (Kind.STARTED, "b"),
            (Kind.INFRASTRUCTURE, "no ssh"),
            (Kind.ENDED, "b"),
            (Kind.ENDED, "c"),
            (Kind.ENDED, "d"),
            (Kind.FINISHED, "incomplete"),
        ]


def test_a_database_that_comes_back_gets_the_rest_with_the_next_result(
    postgres: Cluster, url: str, tmp_path: Path
) -> None:
    with Store(tmp_path / "here") as store:
        first, second = (store.create_run("demo", rows("a", "b"), {}) for _ in "12")
        with away(postgres):
            store.started(first, tid("a"), "g")
            store.ended(first, tid("a"), CRASH)
            store.ended(second, tid("a"), CRASH)
            assert store.waiting() == {first: 1, second: 1}
        store.infrastructure(second, "", "the database is back")
        assert store.waiting() == {}
        with Store(tmp_path / "elsewhere") as other:
            assert other.outcomes(first) == other.outcomes(second) == {tid("a"): CRASH}


WRITER = """
import sys
from pathlib import Path
from kdevops.results.model import Outcome, Status, Subtest, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.results.team import routing
routing.PAUSE = 0.05
tests = [TestId("s", "p", f"t{n}") for n in range(int(sys.argv[2]))]
with Store(Path(sys.argv[1])) as store:
    run = store.create_run("demo", [PlannedRow(test, 1.0) for test in tests], {})
    store.infrastructure(run, "", "begins")
    print(run, flush=True)
    for test in tests:
        store.started(run, test, "g")
        store.ended(run, test, Outcome(Status.FAIL, subtests=(Subtest(test.name, Status.FAIL),)))
        print(test.name, flush=True)
    store.finish(run)
"""


def writer(directory: Path, number: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, directory, str(number)], stdout=subprocess.PIPE, text=True, bufsize=1
    )


def check_whole(store: Store, run: int, number: int) -> None:
    outcomes = store.outcomes(run)
    assert len(outcomes) == number
    assert {tuple(each.name for each in outcome.subtests) for outcome in outcomes.values()} == {
        (f"t{n}",) for n in range(number)
    }
    assert store.counts()[run][Status.FAIL] == number
    lines = told(store, run)
    assert len(lines) == len(set(lines)) == 3 + 2 * number


def test_a_server_killed_again_and_again_loses_and_doubles_nothing(postgres: Cluster, url: str, tmp_path: Path) -> None:
    dice = random.Random(3)
    with writer(tmp_path / "here", 150) as child:
        assert child.stdout is not None
        run = int(child.stdout.readline())
        for _ in range(4):
            for _ in range(dice.randrange(5, 30)):
                child.stdout.readline()
            with away(postgres):
                time.sleep(dice.random() / 5)
        child.stdout.read()
    assert child.returncode == 0
    Store(tmp_path / "here").close()
    with Store(tmp_path / "elsewhere") as other:
        check_whole(other, run, 150)
        assert other.run(run).state is RunState.COMPLETE
        assert problems(other) == []


def test_a_controller_killed_while_its_database_is_away_loses_nothing_it_told(
    postgres: Cluster, url: str, tmp_path: Path
) -> None:
    with writer(tmp_path / "here", 1000) as child:
        assert child.stdout is not None
        run = int(child.stdout.readline())
        said = [child.stdout.readline().strip() for _ in range(20)]
        with away(postgres):
            said += [child.stdout.readline().strip() for _ in range(20)]
            os.kill(child.pid, signal.SIGKILL)
            said += child.stdout.read().split()
    with Store(tmp_path / "here") as store:
        assert store.waiting() == {}
    with Store(tmp_path / "elsewhere") as other:
        names = {test.name for test in other.outcomes(run)}
        assert names >= set(said)
        assert len(names - set(said)) <= 1
        assert other.counts()[run].total == len(names)
        lines = told(other, run)
        assert len(lines) == len(set(lines))


def test_what_was_delivered_without_our_knowing_is_not_delivered_again(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "here") as store:
        run = store.create_run("demo", rows("a", "b"), {})
        store.started(run, tid("a"), "g")
        with monkeypatch.context() as patch:
            patch.setattr(Mirror, "note_sent", lambda *_: None)  # as if the connection was lost after COMMIT
            store.ended(run, tid("a"), CRASH)
            assert store.waiting() == {run: 1}
    with Store(tmp_path / "here") as store:
        assert store.waiting() == {}
        assert told(store, run) == [(Kind.CREATED, "2 tests planned"), (Kind.STARTED, "a"), (Kind.ENDED, "a")]
        assert store.counts()[run].total == 1


def test_a_result_that_somebody_else_gave_meanwhile_stays(postgres: Cluster, url: str, tmp_path: Path) -> None:
    with Store(tmp_path / "here") as store:
        run = store.create_run("demo", rows("a", "b", "c"), {})
        store.ended(run, tid("a"), CRASH)
        with away(postgres):
            store.ended(run, tid("b"), CRASH)
            store._sql.close = lambda: None  # type: ignore[method-assign]
    with Store(tmp_path / "elsewhere") as other:  # resumes it, and runs what it does not know
        assert other.pending(run) == (tid("b"), tid("c"))
        other.ended(run, tid("b"), Outcome(Status.PASS))
        other.ended(run, tid("c"), Outcome(Status.PASS))
        assert other.finish(run) is RunState.COMPLETE
    with Store(tmp_path / "here") as store:
        assert [outcome.status for outcome in store.outcomes(run).values()] == ["crash", "pass", "pass"]
        assert store.run(run).state is RunState.COMPLETE
        late = [entry for entry in store.journal(run) if entry.kind is Kind.INFRASTRUCTURE]
        assert [(entry.test, entry.text) for entry in late] == [
            (tid("b"), "came late, and is left out, because the test has a status already: crash")
        ]
        assert problems(store) == []


def test_whoever_resumes_knows_what_others_did(url: str, tmp_path: Path) -> None:
    with Store(tmp_path / "here") as store:
        run = store.create_run("demo", rows("a", "b", "c"), {})
        store.ended(run, tid("a"), CRASH)
        store.interrupt(run)
    with Store(tmp_path / "elsewhere") as other:
        other.started(run, tid("b"), "g")
        other.ended(run, tid("b"), CRASH)
        other.update_record(run, {"guests": 2})
        other.interrupt(run)
    with Store(tmp_path / "here") as store:
        store.infrastructure(run, "", "goes on")
        assert store.pending(run) == (tid("c"),)
        assert store.outcomes(run) == {tid("a"): CRASH, tid("b"): CRASH}
        assert store.run(run).record == {"guests": 2}
        store.ended(run, tid("c"), CRASH)
        assert store.finish(run) is RunState.COMPLETE
        assert problems(store) == []


def test_what_is_written_together_is_not_kept_in_part(postgres: Cluster, url: str, tmp_path: Path) -> None:
    with Store(tmp_path) as store:

        def imported() -> None:
            with store.together():
                run = store.create_run("demo", rows("a", "b"), {})
                store.ended(run, tid("a"), CRASH)
                postgres.kill()
                store.ended(run, tid("b"), CRASH)

        with pytest.raises(UnreachableError):
            imported()
        postgres.start()
        assert store.runs() == ()


def test_runs_that_are_stored_together_do_not_need_the_database_to_begin(
    postgres: Cluster, url: str, tmp_path: Path
) -> None:
    with Store(tmp_path) as store:
        with store.together():
            first, second = (store.create_run("demo", rows("a"), {}) for _ in "12")
        with away(postgres):
            for run in (first, second):
                store.started(run, tid("a"), "g")
                with store.together(run):
                    store.ended(run, tid("a"), CRASH)
                    store.finish(run)
                assert store.run(run).state is RunState.COMPLETE
    with Store(tmp_path / "elsewhere") as other:
        assert [line.state for line in listed(other)] == [RunState.COMPLETE] * 2


def test_a_transaction_of_all_runs_may_write_to_one_that_goes_on(url: str, tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        run = store.create_run("demo", rows("a", "b"), {})
        store.ended(run, tid("a"), CRASH)
        with store.together():
            store.ended(run, tid("b"), CRASH)
            store.update_record(run, {"x": 1})
        assert store.pending(run) == ()
        assert store.finish(run) is RunState.COMPLETE
        assert store.run(run).record == {"x": 1}
        assert problems(store) == []


def test_a_store_that_lost_the_run_is_told_and_gets_nothing_of_it(
    postgres: Cluster, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
        run = store.create_run("demo", rows("a"), {})
        store.started(run, tid("a"), "g")
        with away(postgres):
            store.ended(run, tid("a"), CRASH)
        change(store, url, "UPDATE run SET created = '2020'")  # restored from an older copy, and the number given again
    with Store(tmp_path) as store:
        assert store.waiting() == {run: 1}
        assert store._sql._postgres.rows("SELECT count(*) FROM outcome", {}) == [(0,)]  # type: ignore[attr-defined]


def test_mirrors_of_runs_that_ended_go_after_a_day(url: str, tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        over, goes_on = (store.create_run("demo", rows("a"), {}) for _ in "12")
        for run in (over, goes_on):
            store.started(run, tid("a"), "g")
        store.finish(over)
    there = sorted(tmp_path.glob("stores/*/spool/*.sqlite"))
    assert [path.stem for path in there] == [str(over), str(goes_on)]
    Store(tmp_path).close()
    assert sorted(tmp_path.glob("stores/*/spool/*.sqlite")) == there
    for path in there:
        os.utime(path, (0, 0))
    with Store(tmp_path) as store:
        assert sorted(tmp_path.glob("stores/*/spool/*.sqlite")) == there[1:]
        assert store.run(over).state is RunState.INCOMPLETE
        with pytest.raises(UserError, match="no run 99 in postgresql://tests@/"):
            store.run(99)
        with pytest.raises(InfrastructureError, match="has ended"):
            store.started(over, tid("a"), "g")
