"""Decisions by reruns, for real: two kernels that differ in a parameter, tests that fail on one of them, or at random."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from kdevops.results.reruns import SIDE
from kdevops.results.store import Store
from tests.e2e.conftest import RUN_SECONDS, Kdevops, guests_of, wait_until

NEW = "grep -q kd.new /proc/cmdline"
PROVOKE = "d=/sys/kernel/debug; [ -e $d/kdevops-provoke ] || mount -t debugfs none $d; echo {} >$d/kdevops-provoke"
SCRIPTS = {
    "always": "true",
    "breaks": f"! {NEW}",
    "got-worse": f"! {NEW} && [ $(($(date +%N | tail -c 4 | sed 's/^0*//') % 3)) != 0 ]",
    "other-subtest": f"echo TAP version 13; echo 1..2; a='not ok' b=ok; {NEW} || {{ a=ok b='not ok'; }};"
    " echo $a 1 alpha; echo $b 2 beta; exit 1",
    "other-crash": f"{NEW} && {{ {PROVOKE.format('panic')}; }}; echo c >/proc/sysrq-trigger",
    "new-report": f"! {NEW} || {{ {PROVOKE.format('warning')}; }}",
    "skips-now": f"! {NEW} || exit 4",
}
ONLY = ("--only", "commands/*", "--json")


@pytest.fixture
def lab(write_compared: Callable[..., Path]) -> Path:
    return deciding(write_compared(SCRIPTS))


def deciding(path: Path, options: Sequence[str] = ()) -> Path:
    said = yaml.safe_load(path.read_text())
    del said["verdict"]  # deciding is what a lab does that says nothing of it
    said["guests"]["count"] = 2
    said["kernel"]["config"]["options"] += options
    path.write_text(yaml.safe_dump(said))
    return path


def reruns(kdevops: Kdevops, run: int) -> list[str]:
    with Store(kdevops.state) as store:
        return [each.record[SIDE] for each in store.deciding(run)]


def test_what_got_worse_is_decided_on_both_kernels_and_survives_a_kill(kdevops: Kdevops, lab: Path) -> None:
    killed = kdevops.start("run", lab, *ONLY)
    wait_until(lambda: "now" in reruns(kdevops, 2), "nothing ran again on the kernel under test", seconds=RUN_SECONDS)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    open_yet = kdevops("results", "2", "--json")
    assert {each["name"] for each in open_yet.data["tests"] if each["verdict"] == "inconclusive"} >= {
        *("breaks", "other-subtest", "other-crash"),
    }

    ended = kdevops("decide", "2", "--json", timeout=2 * RUN_SECONDS)
    assert ended.code == 1, ended.stderr[-4000:]
    tests = {each["name"]: each for each in ended.data["tests"]}
    verdicts = {name: each["verdict"] for name, each in tests.items()}
    assert verdicts.pop("got-worse") in {"regressed", "known-failure"}, "it may have failed on both the first time"
    assert verdicts == {
        "always": "ok", "breaks": "regressed", "other-subtest": "regressed", "other-crash": "regressed",
        "new-report": "ok", "skips-now": "skipped-now",
    }  # fmt: skip
    assert [report["signature"] for report in tests["new-report"]["reports"]] == ["WARNING in provoke_warning"]
    assert not any(report["known"] for report in tests["new-report"]["reports"])
    for name in ("breaks", "other-subtest", "other-crash"):
        decided = tests[name]["decided"]
        assert decided["now"]["bad"] == decided["now"]["runs"] >= 3
        assert decided["before"]["bad"] == 0
    assert not guests_of(kdevops.state), "guests were left"
    assert [each["id"] for each in kdevops("results", "--json", check=0).data] == [2, 1]
    assert kdevops("results", "2", "--json").data["tests"] == ended.data["tests"]


@pytest.mark.soak
def test_a_lockdep_report_that_only_one_kernel_gives_makes_the_run_red(
    kdevops: Kdevops, write_compared: Callable[..., Path]
) -> None:
    scripts = {"quiet": "true", "locks": f"! {NEW} || {{ {PROVOKE.format('deadlock')}; }}"}
    lab = deciding(write_compared(scripts), ["PROVE_LOCKING=y", "DEBUG_LOCKDEP=n", "FRAME_WARN=0"])
    ran = kdevops("run", lab, *ONLY, timeout=3 * RUN_SECONDS)
    assert ran.code == 1, ran.stderr[-4000:]
    assert ran.statuses() == {"quiet": "pass", "locks": "pass"}
    (told,) = [each for each in ran.data["tests"] if each["name"] == "locks"]
    assert [(each["signature"], each["known"]) for each in told["reports"]] == [
        ("possible deadlock in provoke_deadlock", False)
    ]
