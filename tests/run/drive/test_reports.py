"""What a kernel says of its own trouble is told with the test under which it said it, whatever the test says of itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kdevops.guest.execute import Execution, execute
from kdevops.results.complaints import complaints, signatures
from kdevops.results.model import Outcome, Status, TestId
from kdevops.run.drive.kernel_log import MAX_SLICE
from kdevops.run.drive.reports import doubt, with_reports
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import LocalTarget, ShellSuite
from tests.support.toy_run import PANIC, ToyRun

KASAN = "[    3.000000] BUG: KASAN: use-after-free in xfs_foo+0x1/0x2"
WARNING = "[    3.000000] WARNING: CPU: 0 PID: 1 at fs/xfs/xfs_foo.c:1 xfs_foo+0x1/0x2"
DEADLOCK = "[    3.000000] WARNING: possible circular locking dependency detected"
UBSAN = "[    3.000000] UBSAN: shift-out-of-bounds in lib/foo.c:12:3"
EXT4 = "[    3.000000] EXT4-fs error (device vdb): ext4_lookup:1849: inode #2: comm ls: deleted inode referenced: 12"


class Bench(ToyRun):
    def run(self, scripts: dict[str, str]) -> None:
        """Scripts whose standard output is the kernel's log."""
        self.drive(self.job(ShellSuite({name: f"( {script} ) >>/dev/kmsg" for name, script in scripts.items()})))

    def reports(self, name: str) -> list[str]:
        return [report.kind for report in self.outcome(name).reports]

    @property
    def strays(self) -> list[tuple[str, str]]:
        found = self.store.run(self.run_id).record.get("stray_reports", [])
        return [(report["kind"], report["when"]) for report in found]

    def kept(self, name: str) -> str:
        return (self.path / "run/shell/default" / f"{name}.console").read_text()


@pytest.fixture(params=["a console", "no console"])
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    made = Bench(tmp_path)
    made.provider.mute = request.param == "no console"
    return made


@pytest.mark.parametrize(
    ("line", "kind", "gates", "boots"),
    [
        (WARNING, "warning", True, 1),
        (DEADLOCK, "lockdep", True, 2),
        (UBSAN, "ubsan", True, 1),
        (KASAN, "kasan", True, 2),
        (EXT4, "ext4 error", False, 1),
    ],
)
def test_a_report_under_a_passing_test(bench: Bench, line: str, kind: str, gates: bool, boots: int) -> None:
    bench.run({"a": f"echo '{line}'", "b": "true"})
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert bench.reports("a") == [kind]
    assert [report.gates for report in bench.outcome("a").reports] == [gates]
    assert bench.reports("b") == []
    assert line in bench.kept("a")
    assert bench.boots() == boots


def test_each_test_has_its_own(bench: Bench) -> None:
    bench.run({name: f"echo '{line}'" for name, line in {"a": WARNING, "b": UBSAN, "c": WARNING}.items()})
    assert [bench.reports(name) for name in "abc"] == [["warning"], ["ubsan"], ["warning"]]
    assert bench.strays == []


def test_a_test_that_skips_or_fails_keeps_its_reports(bench: Bench) -> None:
    bench.run({"skips": f"echo '{WARNING}'; exit 4", "fails": f"echo '{UBSAN}'; exit 1"})
    assert bench.statuses() == {"skips": Status.SKIP, "fails": Status.FAIL}
    assert bench.reports("skips") == ["warning"]
    assert bench.reports("fails") == ["ubsan"]


@pytest.mark.parametrize(("before", "after"), [(0, 9_000), (5_000, 5_000)])
def test_a_report_in_a_flood_of_other_messages(bench: Bench, before: int, after: int) -> None:
    said = "a message of some driver that says it again and again, " * 3
    noise = f"yes '[    2.000000] foo: {said}' | head -{{}}"
    bench.run({"a": f"{noise.format(before)}; echo '{KASAN}'; {noise.format(after)}", "b": "true"})
    assert bench.reports("a") == ["kasan"]
    assert bench.boots() == 2
    assert len(bench.kept("a")) < 3 * MAX_SLICE


@pytest.mark.parametrize(
    ("logged", "reports"),
    [("", ["the kernel is tainted by a warning, and its report was not seen"]), (WARNING, ["WARNING in xfs_foo"])],
)
def test_a_taint_whose_report_the_console_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: str, reports: list[str]
) -> None:
    bench, run, tainted = Bench(tmp_path), LocalTarget.argv, tmp_path / "tainted"

    def argv(self: LocalTarget, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        if list(command) == ["dmesg"]:  # the test had set `dmesg -n 1` for a moment
            return ["sed", rf"/kdevops: begin.*\/a / a\{logged or 'nothing'}", str(self.log)]
        return [word.replace("/proc/sys/kernel/tainted", str(tainted)) for word in run(self, command, tty=tty)]

    monkeypatch.setattr(LocalTarget, "argv", argv)
    tainted.write_text("0\n")
    bench.run({"a": f"echo 512 >{tainted}", "b": "true"})
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert [report.signature for report in bench.outcome("a").reports] == reports
    assert all(report.gates for report in bench.outcome("a").reports)
    assert bench.reports("b") == []


def test_what_is_said_after_a_test_has_ended_is_not_the_next_ones(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    late = f"( sleep 1; echo '{WARNING}' >>{bench.console()} ) &"
    bench.drive(bench.job(ShellSuite({"a": f"{late} true"})), persist=True)
    # Nothing runs when it comes; the next run finds it before its first test.
    while WARNING not in bench.console().read_text():
        time.sleep(0.1)
    bench.drive(bench.job(ShellSuite({"b": "true"})))
    assert bench.statuses() == {"b": Status.PASS}
    assert bench.reports("b") == []


def test_what_is_said_before_a_test_that_is_not_believed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    doubts = iter(["it was held up"])
    monkeypatch.setattr("kdevops.run.drive.lease.doubt", lambda *_, **__: next(doubts, ""))

    async def late(*args: Any, **options: Any) -> Execution:
        with bench.console().open("a") as console:
            console.write(f"{KASAN}\n" if bench.boots() == 1 else "")
        return await execute(*args, **options)

    monkeypatch.setattr("kdevops.run.drive.lease.execute", late)
    bench.run({"a": "true"})
    assert bench.statuses() == {"a": Status.PASS}
    assert bench.boots() == 2
    assert bench.strays == [("kasan", "before shell/default/a")]


def test_what_is_said_after_the_last_test_of_a_run_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    late = f"( sleep 2; echo '{WARNING}' >>{bench.console()} ) >/dev/null 2>&1 &"
    bench.drive(bench.job(ShellSuite({"a": f"{late} true", "b": "sleep 5"})), guests=2)
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert bench.reports("a") == []
    assert bench.strays == [("warning", "after the last test")]


def test_what_the_kernel_said_at_boot_is_no_tests(bench: Bench) -> None:
    bench.provider.at_boot = f"{WARNING}\n"
    bench.run({"a": "true", "b": f"echo '{UBSAN}'"})
    assert bench.strays == [("warning", "at boot")]
    assert bench.reports("a") == []
    assert bench.reports("b") == ["ubsan"]


def test_a_harness_that_has_told_of_a_test_does_not_take_the_next_ones_panic_for_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    scripts = {"a": "true", "b": f"{bench.dies(PANIC)}; sleep 60"}
    bench.drive(bench.job(ToySuite(scripts, tmp_path / "leftovers"), seconds=1.0))
    assert bench.statuses() == {"a": Status.PASS, "b": Status.CRASH}
    assert bench.outcome("a").reports == ()


def test_a_panic_after_the_last_test_of_a_harness_is_not_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    scripts = {"a": f"( sleep 1; {bench.dies(PANIC)} ) & true"}
    suite = ToySuite(scripts, tmp_path / "leftovers", before="", after="sleep 60")
    bench.drive(bench.job(suite, seconds=1.0))
    assert bench.statuses() == {"a": Status.PASS}
    assert [kind for kind, _ in bench.strays] == ["panic"]


def test_a_kernel_that_died_makes_a_crash_of_whatever_the_test_said() -> None:
    outcome, spoiled = with_reports(Outcome(Status.PASS), [PANIC])
    assert outcome.status is Status.CRASH
    assert "sysrq triggered crash" in outcome.reason
    assert spoiled
    hung, _ = with_reports(Outcome(Status.HANG, reason="not done"), [PANIC])
    assert (hung.status, hung.reason) == (Status.HANG, "not done")


def test_reports_that_were_too_many_to_keep_are_counted_and_not_taken_for_known() -> None:
    lines = [f"[ {n:>4}.000000] WARNING: CPU: 0 PID: {n} at fs/inode.c:{n} foo{n}+0x1/0x2" for n in range(100, 200)]
    outcome, _ = with_reports(Outcome(Status.PASS), lines)
    assert len(outcome.reports) + outcome.reports_cut == len(lines)
    known = signatures({TestId("s", "p", "x"): replace(outcome, reports_cut=0)})
    assert any(each.gates for each in complaints(outcome, known))


def test_more_reports_outside_of_tests_than_are_kept_are_not_forgotten(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    warning = "[    1.000000] WARNING: CPU: 0 PID: 1 at lib/foo.c:1 foo_{}x+0x1/0x2\n"
    letters = [chr(ord("a") + number // 26) + chr(ord("a") + number % 26) for number in range(100)]
    bench.provider.at_boot = "".join(map(warning.format, letters))
    bench.run({"a": "true"})
    kinds = [kind for kind, _ in bench.strays]
    assert kinds.count("flood") == 1
    assert kinds[-1] == "flood"


@pytest.mark.parametrize(
    ("status", "line", "last", "doubted"),
    [
        (Status.FAIL, "", False, True),
        (Status.FAIL, "", True, False),
        (Status.HANG, "", True, True),
        (Status.PASS, "[  9.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]", True, True),
        (Status.PASS, "", False, False),
        (Status.HANG, KASAN, True, False),
    ],
)
def test_what_a_hold_explains_is_not_believed_either_in_the_last_try(
    status: Status, line: str, last: bool, doubted: bool
) -> None:
    said = [line] if line else []
    assert bool(doubt(Outcome(status), said, 30.0, "kdevops was stopped", last=last)) == doubted
    assert not doubt(Outcome(status), said, 0.0, "", last=last)
