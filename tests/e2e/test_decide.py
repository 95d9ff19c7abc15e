"""Decisions by reruns, for real: two kernels that differ in a parameter, tests that fail on one of them, or at random."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from kdevops.results.reruns import SIDE
from kdevops.results.store import Store
from tests.e2e.conftest import Kdevops, guests_of, wait_until

NEW = "grep -q kd.new /proc/cmdline"
SCRIPTS = {
    "always": "true",
    "breaks": f"! {NEW}",
    "got-worse": f"! {NEW} && [ $(($(date +%N | tail -c 4 | sed 's/^0*//') % 3)) != 0 ]",
}
ONLY = ("--only", "commands/*", "--json")


@pytest.fixture
def lab(write_compared: Callable[..., Path]) -> Path:
    return write_compared(SCRIPTS)


def reruns(kdevops: Kdevops, run: int) -> list[str]:
    with Store(kdevops.state) as store:
        return [each.record[SIDE] for each in store.deciding(run)]


def test_what_got_worse_is_decided_on_both_kernels_and_survives_a_kill(kdevops: Kdevops, lab: Path) -> None:
    assert kdevops("run", lab, *ONLY).code == 1
    killed = kdevops.start("decide", "2")
    wait_until(lambda: "now" in reruns(kdevops, 2), "nothing ran again on the kernel under test")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()

    ended = kdevops("decide", "2", "--json")
    assert ended.code == 1, ended.stderr[-4000:]
    tests = {each["name"]: each for each in ended.data["tests"]}
    assert {name: each["verdict"] for name, each in tests.items() if name != "got-worse"} == {
        "always": "ok",
        "breaks": "regressed",
    }
    assert tests["got-worse"]["verdict"] in {"regressed", "known-failure"}, "it may have failed on both the first time"
    assert tests["breaks"]["decided"]["now"]["bad"] == tests["breaks"]["decided"]["now"]["runs"] >= 3
    assert tests["breaks"]["decided"]["before"]["bad"] == 0
    assert not guests_of(kdevops.state), "guests were left"
    assert [each["id"] for each in kdevops("results", "--json", check=0).data] == [2, 1]
    assert kdevops("results", "2", "--json").data["tests"] == ended.data["tests"]
