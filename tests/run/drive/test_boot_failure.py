"""A kernel that does not boot where another one did is a verdict; where none ever did, it is trouble that can be mended."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.errors import BootError, ExitCode, InfrastructureError, UserError
from kdevops.lab.model import Lab
from kdevops.providers.acceleration import Acceleration
from kdevops.results.imported import BUNDLED
from kdevops.results.model import RunState
from kdevops.results.store import Store
from kdevops.run.drive.boot_failure import FailedBoot, fault_of, proven
from kdevops.run.judging import trouble_behind
from kdevops.run.session import Ended
from tests.support.arms_bench import Bench, two_arms
from tests.support.local_guest import LocalGuest, LocalProvider

BUG = """\
[    0.412345] ------------[ cut here ]------------
[    0.412350] kernel BUG at kernel/futex/core.c:1150!
[    0.412360] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI
[    0.412370] CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.1.0 #1
[    0.412380] RIP: 0010:futex_init+0x42/0x50
[    0.412390] Call Trace:
[    0.412400]  do_one_initcall+0x59/0x220
[    0.412410] ---[ end trace 0000000000000000 ]---
[    0.412420] Kernel panic - not syncing: Fatal exception
"""
NO_ROOT = "[    0.9] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n"
STALL = "[   21.000000] rcu: INFO: rcu_sched self-detected stall on CPU\n[   21.000001] rcu: \t0-....: (20999 ticks)\n"
QUIET = "[    0.100000] APIC: disabled\n[    0.200000] Trying to unpack rootfs image as initramfs...\n"
TITLE = "kernel BUG at kernel/futex/core.c:1150! in futex_init"


@dataclass
class Booting(LocalProvider):
    """Boots fail with these consoles, one after the other, the last for ever; without any they succeed."""

    consoles: Sequence[str] = ()
    unanswered: bool = False
    kind: str = "none"
    failed: int = field(default=0)

    async def up(
        self, name: str, *, extra_cmdline: Sequence[str] = (), persist: bool = False, fresh: bool = False
    ) -> LocalGuest:
        if not self.consoles:
            (self.directory / name / "console.log").unlink(missing_ok=True)  # of this guest it is the kernel's log too
            return await super().up(name, extra_cmdline=extra_cmdline, persist=persist, fresh=fresh)
        self.boots.append((name, tuple(extra_cmdline)))
        path = self.directory / name / "console.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        offset = path.stat().st_size if path.exists() else 0
        said = self.consoles[min(self.failed, len(self.consoles) - 1)]
        self.failed += 1
        with path.open("a") as file:
            file.write(said)
        raise BootError(
            f"guest {name}: it did not come up",
            console=said,
            console_offset=offset,
            recorded=path,
            unanswered=self.unanswered,
        )

    @property
    def accel(self) -> Acceleration:
        return Acceleration(self.kind, "", self.slowdown)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "state"))
    return Bench(tmp_path, monkeypatch)


def lab(**changes: object) -> Lab:
    return two_arms({"good": "true", "fine": "true"}, **{"compare": None, **changes})


def fails(bench: Bench, *consoles: str, name: str = "ab", **how: object) -> Booting:
    """Have the boots of a lab fail from now on, or succeed again."""
    provider = Booting(bench.path / "guests" / name, consoles=consoles, **how)  # type: ignore[arg-type]
    bench.providers[name] = provider
    return provider


def exit_code(ended: Ended) -> int:
    return int((trouble_behind(ended.run, ended.verdict) or ended.verdict).exit_code)


def test_a_kernel_that_does_not_boot_where_an_earlier_one_did_is_a_verdict(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(bench)
    assert bench.start(lab()).verdict.complete
    provider = fails(bench, BUG)
    ended = bench.start(lab())
    assert len(provider.boots) == 2, "it is proven twice"
    assert exit_code(ended) == ExitCode.REGRESSION
    failure = ended.verdict.boot_failure
    assert failure
    assert (failure.title, failure.guest, failure.booted) == (TITLE, "ab-1", 1)
    assert "do_one_initcall" in failure.text
    assert "RIP: 0010:futex_init" in (bench.dirs.run(2) / failure.console).read_text()
    assert bench.runs()[1] == (2, "ab", RunState.INCOMPLETE)
    assert bench.statuses(2) == {"good": "missing", "fine": "missing"}
    with pytest.raises(UserError, match="run 2 has ended"):
        bench.resume(2)

    assert main(["results", "2"]) == ExitCode.REGRESSION
    told = capsys.readouterr().out
    assert told.startswith(f"Does not boot: {TITLE}\n")
    assert "do_one_initcall" in told
    assert failure.console in told
    assert main(["results", "2", "--json"]) == ExitCode.REGRESSION
    data = json.loads(capsys.readouterr().out)
    assert (data["verdict"], data["exit_code"]) == (f"Does not boot: {TITLE}", 1)
    assert data["boot_failure"]["console"] == failure.console
    assert {each["reason"] for each in data["tests"]} == {f"the kernel does not boot: {TITLE}"}
    assert main(["results", "2", "--format", "mail"]) == ExitCode.REGRESSION
    assert " ".join(capsys.readouterr().out.split()).startswith(f"Does not boot: {TITLE} ")
    assert main(["results", "2", "--format", "junit"]) == ExitCode.REGRESSION
    root = ET.fromstring(capsys.readouterr().out)
    assert {error.get("message") for error in root.iter("error")} == {f"the kernel does not boot: {TITLE}"}
    assert root.get("errors") == "2"


def test_where_nothing_ever_booted_it_is_trouble_and_the_run_can_be_resumed(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(bench, NO_ROOT)
    ended = bench.start(lab())
    assert exit_code(ended) == ExitCode.INFRASTRUCTURE
    assert ended.verdict.boot_failure is None
    assert bench.runs() == [(1, "ab", RunState.INTERRUPTED)]
    assert "VFS: Unable to mount" in (bench.dirs.run(1) / "boot-failure/ab-1.console").read_text()
    assert main(["results", "1"]) == ExitCode.INFRASTRUCTURE
    told = capsys.readouterr()
    assert "kdevops resume 1" in told.out
    assert "guest ab-1: it did not come up" in told.err
    assert "Unable to mount root fs" in told.err, "the end of the console is shown"
    assert "kdevops resume 1" in told.err
    assert main(["results", "1", "--json"]) == ExitCode.INFRASTRUCTURE
    data = json.loads(capsys.readouterr().out)
    assert (data["state"], data["error"]["exit_code"]) == ("interrupted", 3)
    assert main(["results", "--format", "junit"]) == ExitCode.INFRASTRUCTURE
    assert "ab run 1" in capsys.readouterr().out, "it is the last run, though it can be resumed"
    assert main(["baseline", "accept", "1"]) == ExitCode.USER

    fails(bench)
    resumed = bench.resume(1)
    assert bench.runs() == [(1, "ab", RunState.COMPLETE)]
    assert trouble_behind(resumed.run, resumed.verdict) is None
    assert main(["results", "1"]) == resumed.verdict.exit_code == ExitCode.OK


def test_a_run_some_of_whose_tests_are_done_when_its_guests_are_given_up_says_so_and_goes_on(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(bench)
    bench.start(lab())
    fails(bench)
    # Out of its connection, and the machine is gone: what comes next needs a boot.
    up = bench.path / "guests/ab/ab-1/up"
    provider = bench.providers["ab"]
    assert isinstance(provider, Booting)
    boots = provider.up

    async def once(name: str, **options: object) -> LocalGuest:
        provider.consoles = (NO_ROOT,) if provider.boots else ()
        return await boots(name, **options)  # type: ignore[arg-type]

    provider.up = once  # type: ignore[method-assign, assignment]
    dies = f"test -e {bench.path}/once && exit 0; touch {bench.path}/once; rm {up}; sleep 60"
    ended = bench.start(two_arms({"good": "true", "unlucky": dies}, compare=None))
    assert exit_code(ended) == ExitCode.INFRASTRUCTURE
    assert bench.runs()[1] == (2, "ab", RunState.INTERRUPTED)
    assert "unlucky" not in bench.statuses(2)
    assert ended.verdict.boot_failure is None, "its own kernel did boot, whichever test came first"
    fails(bench)
    bench.resume(2)
    assert bench.statuses(2) == {"good": "pass", "unlucky": "pass"}


def test_a_run_that_nobody_wants_to_go_on_with_can_be_ended(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    fails(bench, NO_ROOT)
    bench.start(lab())
    assert main(["resume", "--end"]) == ExitCode.INFRASTRUCTURE, "nothing ran, for the same reason as before"
    assert "it did not come up" in capsys.readouterr().err
    assert bench.runs() == [(1, "ab", RunState.INCOMPLETE)]
    assert bench.statuses(1) == {"good": "missing", "fine": "missing"}
    assert main(["results", "1"]) == ExitCode.INFRASTRUCTURE
    assert "kdevops resume" not in capsys.readouterr().out
    assert main(["resume", "1", "--end"]) == ExitCode.USER


def test_a_kernel_under_test_that_does_not_boot_beside_a_baseline_kernel_that_does_is_a_verdict(bench: Bench) -> None:
    fails(bench)
    fails(bench, BUG, name="ab-dev")
    ended = bench.start(two_arms({"good": "true"}))
    assert exit_code(ended) == ExitCode.REGRESSION
    assert ended.verdict.boot_failure
    assert (ended.verdict.boot_failure.title, ended.verdict.boot_failure.booted) == (TITLE, 1)
    assert [state for _, _, state in bench.runs()] == [RunState.COMPLETE, RunState.INCOMPLETE]


def test_what_became_of_a_run_is_not_said_of_the_one_that_does_it_again(bench: Bench) -> None:
    fails(bench)
    bench.start(lab())
    fails(bench, BUG)
    assert bench.start(lab()).verdict.boot_failure
    with Store(bench.dirs.state) as store:
        store.update_record(2, {"stray_reports": [{"title": "WARNING in foo"}]})
    fails(bench)
    again = bench.rerun(2)
    assert again.verdict.boot_failure is None
    assert exit_code(again) == ExitCode.OK
    assert again.run.record["rerun_of"] == 2
    assert not {"trouble", "stray_reports"} & {name for name, said in again.run.record.items() if said}


def test_neither_kernel_boots(bench: Bench) -> None:
    fails(bench, NO_ROOT)
    fails(bench, NO_ROOT, name="ab-dev")
    ended = bench.start(two_arms({"good": "true"}))
    assert exit_code(ended) == ExitCode.INFRASTRUCTURE
    assert [state for _, _, state in bench.runs()] == [RunState.INTERRUPTED] * 2
    fails(bench)
    fails(bench, name="ab-dev")
    assert exit_code(bench.resume(2)) == ExitCode.OK
    assert [state for _, _, state in bench.runs()] == [RunState.COMPLETE] * 2


def test_a_baseline_kernel_that_does_not_boot_is_told_and_can_be_gone_on_with(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(bench, BUG)
    fails(bench, name="ab-dev")
    ended = bench.start(two_arms({"good": "true"}))
    assert exit_code(ended) == ExitCode.INFRASTRUCTURE
    assert main(["results", "2"]) == ExitCode.INFRASTRUCTURE
    assert "kdevops resume 1" in capsys.readouterr().out
    fails(bench)
    again = bench.resume(2)
    assert (again.run.id, exit_code(again)) == (2, ExitCode.OK), "the end is that of the run under test"


@pytest.mark.parametrize(
    "consoles", [(QUIET,), (BUG, QUIET), (QUIET, BUG)], ids=["says nothing", "then says nothing", "said nothing first"]
)
def test_what_is_not_proven_twice_to_be_the_kernel_s_is_trouble(bench: Bench, consoles: tuple[str, ...]) -> None:
    fails(bench)
    bench.start(lab())
    fails(bench, *consoles)
    ended = bench.start(lab())
    assert exit_code(ended) == ExitCode.INFRASTRUCTURE
    assert bench.runs()[1][2] is RunState.INTERRUPTED


def test_that_one_booted_elsewhere_says_nothing_of_here(bench: Bench) -> None:
    fails(bench, kind="kvm")
    bench.start(lab())
    fails(bench, BUG, kind="tcg")
    assert exit_code(bench.start(lab())) == ExitCode.INFRASTRUCTURE


def test_that_one_of_another_machine_booted_says_nothing_of_here(bench: Bench) -> None:
    fails(bench)
    booted = bench.start(lab()).run.id
    with Store(bench.dirs.state) as store:
        store.update_record(booted, {BUNDLED: True})
    fails(bench, BUG)
    assert exit_code(bench.start(lab())) == ExitCode.INFRASTRUCTURE


def test_that_a_run_was_begun_does_not_say_that_its_kernel_booted(bench: Bench) -> None:
    fails(bench, BUG)
    bench.start(lab())
    assert exit_code(bench.start(lab())) == ExitCode.INFRASTRUCTURE


def test_one_guest_that_comes_up_is_enough(bench: Bench) -> None:
    fails(bench)
    bench.start(lab())
    provider = fails(bench, BUG)
    boots = provider.up

    async def all_but_the_first(name: str, **options: object) -> LocalGuest:
        provider.consoles = (BUG,) if name == "ab-1" else ()
        return await boots(name, **options)  # type: ignore[arg-type]

    provider.up = all_but_the_first  # type: ignore[method-assign, assignment]
    ended = bench.start(lab(guests={"count": 2}))
    assert ended.verdict.complete
    assert ended.verdict.boot_failure is None
    # But a kernel that dies in every other boot is not a good one.
    assert [(stray.guest, stray.when) for stray in ended.verdict.strays] == [("ab-1", "in a boot that failed")]
    assert exit_code(ended) == ExitCode.REGRESSION


@pytest.mark.parametrize(("said", "code"), [(BUG, 1), ("[    5.0] a slow machine\n", 0), (STALL, 0)])
def test_a_kernel_that_dies_in_the_first_boot_and_not_in_the_second(bench: Bench, said: str, code: int) -> None:
    provider = fails(bench, said, mute=True)  # its log is of the second boot alone, and its console of both
    boots = provider.up

    async def only_the_first(name: str, **options: object) -> LocalGuest:
        up = partial(LocalProvider.up, provider) if provider.failed else boots
        return await up(name, **options)  # type: ignore[arg-type]

    provider.up = only_the_first  # type: ignore[method-assign, assignment]
    ended = bench.start(lab())
    assert provider.failed == 1
    assert ended.verdict.complete
    assert exit_code(ended) == code
    assert [stray.when for stray in ended.verdict.strays] == ["in a boot that failed"] * code


def failed_boot(tmp_path: Path, said: str, *, unanswered: bool) -> FailedBoot:
    path = tmp_path / "console.log"
    path.write_text("[    5.0] Kernel panic - not syncing: of an earlier boot\n")
    offset = path.stat().st_size
    with path.open("a") as file:
        file.write(said)
    error = BootError("it did not come up", recorded=path, console_offset=offset, unanswered=unanswered)
    failed = FailedBoot.now(error)
    with path.open("a") as file:
        file.write("[    6.0] Kernel panic - not syncing: of a later boot\n")
    return failed


@pytest.mark.parametrize(
    ("said", "unanswered", "title"),
    [
        (BUG, False, TITLE),
        (NO_ROOT, False, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"),
        (STALL, True, "rcu: INFO: rcu_sched self-detected stall on CPU"),
        (STALL, False, None),
        (
            QUIET,
            True,
            "no answer; the last console line is: Trying to unpack rootfs image as initramfs...",
        ),
        (QUIET, False, None),
        ("", True, "no answer, and nothing on the console"),
        ("", False, None),
    ],
)
def test_what_is_the_kernel_s_own_fault(tmp_path: Path, said: str, unanswered: bool, title: str | None) -> None:
    fault = fault_of(failed_boot(tmp_path, said, unanswered=unanswered))
    assert (fault.title if fault else None) == title


def test_other_trouble_proves_nothing(tmp_path: Path) -> None:
    died = failed_boot(tmp_path, BUG, unanswered=True)
    missing = FailedBoot.now(InfrastructureError("qemu is not installed"))
    assert fault_of(missing) is None
    assert fault_of(FailedBoot.now(BootError("no free port was found"))) is None
    assert proven([died, died], times=2)
    assert proven([died], times=2) is None
    assert proven([died, missing], times=2) is None
