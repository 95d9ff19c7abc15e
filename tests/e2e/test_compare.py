"""Two kernels side by side, for real: the same kernel with other parameters, which is difference enough for shell scripts."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import Kdevops, guests_of, wait_until
from tests.e2e.test_failures import started

WriteLab = Callable[..., Path]
SCRIPTS = {
    "always": "true",
    "both": "exit 1",
    "breaks": "! grep -q kd.new /proc/cmdline",
    "is-mended": "! grep -q kd.old /proc/cmdline",
    "hides": "! grep -q kd.new /proc/cmdline || exit 4",
}
ONLY = ("--only", "commands/*", "--json")


@pytest.fixture
def lab(write_compared: Callable[..., Path]) -> Path:
    return write_compared(SCRIPTS)


def test_what_a_change_broke_is_told_from_what_fails_anyway(kdevops: Kdevops, lab: Path) -> None:
    ran = kdevops("run", lab, *ONLY)
    assert ran.code == 4, ran.stderr[-4000:]
    tests = {each["name"]: (each["baseline_status"], each["status"], each["verdict"]) for each in ran.data["tests"]}
    assert tests == {
        "always": ("pass", "pass", "ok"),
        "both": ("fail", "fail", "known-failure"),
        "breaks": ("pass", "fail", "inconclusive"),
        "is-mended": ("fail", "pass", "fixed"),
        "hides": ("pass", "skip", "skipped-now"),
    }
    assert "1 test that ran before skips now: hides" in ran.data["verdict"]
    assert [(each["name"], each["allowed"]) for each in ran.data["skipped_now"]] == [("hides", None)]
    arms = ran.data["arms"]
    assert [(arms[name]["run"], arms[name]["lab"]) for name in ("baseline", "dev")] == [(1, "ab"), (2, "ab-dev")]
    assert (arms["baseline"]["kernel"], arms["dev"]["kernel"]) == (
        arms["dev"]["kernel"].replace("kd.new", "kd.old"),
        arms["dev"]["kernel"],
    )
    assert kdevops("results", "2", "--json").data["tests"] == ran.data["tests"]

    again = kdevops("run", lab, *ONLY)
    assert [each["verdict"] for each in again.data["tests"]] == [each["verdict"] for each in ran.data["tests"]]
    assert again.data["arms"]["baseline"]["run"] == 1, "the baseline kernel was not run a second time"
    assert "--fresh-baseline" in again.stderr


def test_killed_in_the_baseline_arm_both_are_gone_on_with(kdevops: Kdevops, lab: Path) -> None:
    said = yaml.safe_load(lab.read_text())
    said["suites"]["commands"]["tests"] = {"slow": "sleep 4; ! grep -q kd.new /proc/cmdline"}
    lab.write_text(yaml.safe_dump(said))
    kdevops("up", lab, check=0)
    guests = kdevops("status", lab, "--json", check=0).data
    assert [(guest["name"], guest["state"]) for guest in guests] == [("ab-1", "running"), ("ab-dev-1", "running")]
    for name, group in (("ab", "baseline"), ("ab-dev", "dev")):
        children = yaml.safe_load((kdevops.state / "labs" / name / "inventory.yaml").read_text())["all"]["children"]
        assert list(children[group]["hosts"]) == [f"{name}-1"]
    run = kdevops.start("run", lab, *ONLY)
    wait_until(lambda: started(kdevops.state, "slow"), "the test was never started")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    resumed = kdevops("resume", "--json")
    assert resumed.code == 4, resumed.stderr[-4000:]
    (test,) = resumed.data["tests"]
    assert (test["baseline_status"], test["status"], test["verdict"]) == ("pass", "fail", "inconclusive")
    assert [each["state"] for each in kdevops("results", "--json").data] == ["complete", "complete"]

    del said["compare"]
    lab.write_text(yaml.safe_dump(said))
    guests = kdevops("status", lab, "--json", check=0).data
    assert [guest["name"] for guest in guests] == ["ab-1", "ab-dev-1"], (
        "the lab file says nothing of the second any more"
    )
    kdevops("down", lab, check=0)
    wait_until(lambda: not guests_of(kdevops.state), "guests of one arm were left")
