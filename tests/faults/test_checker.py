"""The checker finds each thing that is wrong, and nothing in a round where all is well."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kdevops.results.model import KernelReport, Outcome, Status, TestId
from kdevops.results.store import PlannedRow, Store
from tests.faults import store as fault_store
from tests.faults.checker import Finding, Seen, Sin, check
from tests.faults.control import Answer
from tests.faults.lab import GREEN, Known
from tests.faults.processes import Process, processes, wait_until
from tests.faults.rounds import Plan, Verdict
from tests.faults.store import Execution, Record
from tests.support.fault_summary import summary

KNOWN = {
    "passes": Known("pass", ""),
    "warns": Known("pass", "", report=True),
    "fails": Known("fail", ""),
    "skips": Known("skip", ""),
    "panics": Known("crash", ""),
}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ran(pid: int, first: float, last: float, boot: str = "boot") -> Execution:
    return Execution(boot, pid, NOON + timedelta(seconds=first), NOON + timedelta(seconds=last))


def told(record: Record, code: int, verb: str) -> Answer:
    counts = Counter(record.statuses.values())
    data = {
        "tests": [{"name": name, "status": status} for name, status in record.statuses.items()],
        "counts": {status.value: counts[status.value] for status in Status},
        "planned": len(record.planned),
        "complete": not counts["missing"],
    }
    return Answer(verb, code, data, "")


def seen_of(directory: Path, known: dict[str, Known], code: int, **statuses: str) -> Seen:
    record = Record(1, "complete", ended=True, planned=list(known))
    record.statuses = {name: each.answer for name, each in known.items()} | statuses
    record.reasons = dict.fromkeys(known, "")
    record.outputs = {name: f"{name}.log" for name in known}
    record.ends = Counter(known.keys())
    record.gating = {name for name, each in known.items() if each.report}
    for name in known:
        (directory / f"{name}.log").write_text(f"faults: begin {name} b/1\nfaults: end {name} b/1\n")
    runs = [told(record, code, "run")]
    return Seen(record, {}, runs, told(record, code, "results"), Answer("down", 0, [], ""), (), (), directory)


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return seen_of(tmp_path, KNOWN, 1)


def test_a_sound_round(seen: Seen, tmp_path: Path) -> None:
    assert not check(seen, KNOWN)
    green = {"passes": KNOWN["passes"], "skips": KNOWN["skips"]}
    assert not check(seen_of(tmp_path, green, 0), green)


def unplan(seen: Seen) -> None:
    seen.record.planned.remove("skips")


def lose_status(seen: Seen) -> None:
    del seen.record.statuses["passes"]


def end_twice(seen: Seen) -> None:
    seen.record.ends["passes"] = 2


def run_again(seen: Seen) -> None:
    seen.record.runs = 2


def lose_output(seen: Seen) -> None:
    (seen.directory / "passes.log").write_text("faults: begin passes b/1\n")


def lose_report(seen: Seen) -> None:
    seen.record.gating.clear()


def charge_report(seen: Seen) -> None:
    seen.record.gating.add("passes")


@pytest.mark.parametrize(
    ("change", "sin"),
    [
        (unplan, Sin.LOST),
        (lose_status, Sin.LOST),
        (end_twice, Sin.INCONSISTENT),
        (run_again, Sin.INCONSISTENT),
        (lose_output, Sin.LOST),
        (lose_report, Sin.HIDDEN),
        (charge_report, Sin.WRONGLY_CHARGED),
    ],
)
def test_what_the_store_lacks(seen: Seen, change: Callable[[Seen], None], sin: Sin) -> None:
    change(seen)
    assert sin in {each.sin for each in check(seen, KNOWN)}


@pytest.mark.parametrize(
    ("name", "status", "sin"),
    [
        ("passes", "hang", Sin.WRONGLY_CHARGED),
        ("passes", "crash", Sin.WRONGLY_CHARGED),
        ("skips", "fail", Sin.WRONGLY_CHARGED),
        ("fails", "hang", Sin.WRONGLY_CHARGED),
        ("passes", "skip", Sin.WRONGLY_CHARGED),
        ("fails", "pass", Sin.HIDDEN),
        ("panics", "pass", Sin.HIDDEN),
        ("panics", "skip", Sin.HIDDEN),
        ("passes", "missing", Sin.LOST),
    ],
)
def test_wrong_statuses(tmp_path: Path, name: str, status: str, sin: Sin) -> None:
    found = check(seen_of(tmp_path, KNOWN, 1, **{name: status}), KNOWN)
    assert [each.sin for each in found] == [sin]


def test_a_missing_test_of_which_trouble_was_told_is_sound(tmp_path: Path) -> None:
    seen = seen_of(tmp_path, KNOWN, 1, passes="missing")
    seen.record.trouble.append("faults-1: the disk is full")
    assert not check(seen, KNOWN)
    green = {"passes": KNOWN["passes"], "skips": KNOWN["skips"]}
    for code, sins in ((0, {Sin.INCONSISTENT, Sin.LOST}), (1, {Sin.INCONSISTENT}), (3, set()), (4, set())):
        seen = seen_of(tmp_path, green, code, passes="missing")
        seen.record.trouble.append("faults-1: the disk is full")
        assert {each.sin for each in check(seen, green)} == sins, code


def test_a_failure_on_which_nothing_has_decided_is_open(tmp_path: Path) -> None:
    failing = {"passes": KNOWN["passes"], "fails": KNOWN["fails"]}
    for code, sins in ((4, set()), (0, {Sin.INCONSISTENT}), (1, {Sin.INCONSISTENT}), (3, {Sin.INCONSISTENT})):
        assert {each.sin for each in check(seen_of(tmp_path, failing, code), failing)} == sins, code


def test_running_twice_at_once(seen: Seen) -> None:
    one_after_the_other = {"passes": [ran(1, 5, 9), ran(2, 0, 4)]}
    assert not check(replace(seen, executions=one_after_the_other), KNOWN)
    for at_once in ([ran(1, 0, 4), ran(2, 3, 5)], [ran(1, 0, 9), ran(1, 2, 3, "another")]):
        (found,) = check(replace(seen, executions={"passes": at_once}), KNOWN)
        assert found.sin is Sin.AT_ONCE


def test_what_commands_say_must_be_what_the_store_has(seen: Seen) -> None:
    def changed(**data: Any) -> Seen:
        return replace(seen, results=replace(seen.results, data={**seen.results.data, **data}))

    wrong = [
        changed(tests=[]),
        changed(counts={**seen.results.data["counts"], "pass": 7}),
        changed(planned=4),
        changed(complete=False),
        replace(seen, results=replace(seen.results, code=0)),
        replace(seen, results=replace(seen.results, data=None)),
        replace(seen, down=replace(seen.down, code=3)),
        replace(seen, answers=[replace(seen.answers[0], code=3), replace(seen.answers[0], verb="resume", code=0)]),
        replace(seen, answers=[replace(seen.answers[0], stderr="this is a bug in kdevops: KeyError")]),
    ]
    assert all({each.sin for each in check(one, KNOWN)} == {Sin.INCONSISTENT} for one in wrong)


def test_a_controller_that_was_killed_after_the_end_need_not_have_spoken(seen: Seen) -> None:
    for code in (-9, 130):
        assert not check(replace(seen, answers=[Answer("resume", code, None, "")]), KNOWN)


def test_processes_that_are_left(seen: Seen) -> None:
    rest = (Process(77, "qemu", "faults-1", "qemu-system-x86_64"),)
    for left in (replace(seen, after_run=rest), replace(seen, after_down=rest)):
        assert [each.sin for each in check(left, KNOWN)] == [Sin.LEFT_OVER]


def test_processes_are_found_by_their_environment(tmp_path: Path) -> None:
    environment = {"KDEVOPS_STATE": str(tmp_path / "state")}
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment)
    try:
        wait_until(lambda: processes(tmp_path / "state"), 30)
        (found,) = processes(tmp_path / "state")
        assert (found.pid, found.kind) == (process.pid, "other")
        found.end()
    finally:
        process.communicate()
    assert not processes(tmp_path / "state")


def test_the_store_and_the_consoles_are_read(tmp_path: Path) -> None:
    assert fault_store.read(tmp_path) is None
    tests = {name: TestId("commands", "default", name) for name in ("a", "b", "c")}
    with Store(tmp_path) as store:
        run = store.create_run("faults", [PlannedRow(test, 1.5) for test in tests.values()], {})
        store.started(run, tests["a"], "faults-1")
        warning = KernelReport("warning", "WARNING in f", "WARNING: at f", gates=True, text="")
        store.ended(run, tests["a"], Outcome(Status.PASS, output="a.log", reports=(warning,)))
        store.started(run, tests["b"], "faults-1")
        store.started(run, tests["b"], "faults-2")
        store.infrastructure(run, "faults-1", "lost")
        record = fault_store.read(tmp_path)  # while others have it open
        assert record
        assert record.in_flight == [fault_store.Started("b", "faults-2")]
        store.finish(run)
    record = fault_store.read(tmp_path)
    assert record
    assert record.ended
    assert record.planned == ["a", "b", "c"]
    assert record.statuses == {"a": "pass", "b": "missing", "c": "missing"}
    assert (record.gating, record.trouble, record.outputs["a"]) == ({"a"}, ["faults-1: lost"], "a.log")
    assert record.ends == {"a": 1, "b": 1, "c": 1}

    (guest := tmp_path / "labs/faults/guests/faults-1").mkdir(parents=True)
    boot = "6e52e57d-4b8b-4a8d-9f0e-0a3b0c1d2e3f"
    (guest / "console.log").write_text(f"2026-01-01T12:00:03.000Z [    4.000000] faults: end a {boot}/99\nother\n")
    (guest / "console.log.old").write_text(f"2026-01-01T12:00:01.500Z [    1.000000] faults: begin a {boot}/99\n")
    assert fault_store.executions(tmp_path) == {"a": [ran(99, 1.5, 3, boot)]}


def test_a_seed_stands_for_the_same_round_each_time() -> None:
    assert Plan.of(7) == Plan.of(7)
    plans = [Plan.of(seed) for seed in range(50)]
    assert {len(plan.faults) for plan in plans} == {1, 2, 3}
    assert {plan.keep for plan in plans} == {True, False}
    assert any(plan.known is GREEN for plan in plans)


def test_the_figures_of_all_rounds_are_a_line() -> None:
    sound = Verdict(1, injected=["kill-qemu"], missing=2)
    bad = Verdict(2, injected=["kill-ssh", "kill-qemu"], skipped=["fill-disk"], late=["kill-ssh"])
    bad.findings = [Finding(Sin.HIDDEN, "x"), Finding(Sin.HIDDEN, "y"), Finding(Sin.LOST, "z")]
    assert summary([sound.plain(), bad.plain()]) == (
        "2 rounds: 1 lost, 2 hidden, 0 stuck, 0 wrongly charged, 0 twice at once, 0 left over, 0 inconsistent;"
        " 2 told as missing; 3 faults: 2 kill-qemu, 1 kill-ssh; 1 came too late;"
        " SKIPPED, because this machine does not allow it: 1 fill-disk"
    )
