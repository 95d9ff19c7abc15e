"""Everything a guest can do to a run, done for real: each test ends in its one status and the run goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from conftest import Kdevops, guests_of, wait_until

WriteLab = Callable[..., Path]
ONLY = ("--only", "commands/*")


def started(state: Path, name: str) -> bool:
    """Whether the store says that a test was given to a guest."""
    path = state / "kdevops.sqlite"
    if not path.exists():
        return False
    with sqlite3.connect(path) as connection:
        try:
            query = (
                "SELECT count(*) FROM journal JOIN planned ON planned.id = planned WHERE kind = 'started' AND name = ?"
            )
            return bool(connection.execute(query, (name,)).fetchone()[0])
        except sqlite3.OperationalError:
            return False


def test_panic_oops_deadline_flood_and_reset(kdevops: Kdevops, write_lab: WriteLab) -> None:
    scripts = {
        "passes": "true",
        "fails": "echo not good; exit 1",
        "skips": "echo no hardware; exit 4",
        "speaks-ktap": "printf 'TAP version 13\\n1..2\\nok 1 a\\nnot ok 2 b # TODO later\\n'",
        "lies": "printf 'TAP version 13\\n1..2\\nok 1 a\\n'",
        "panics": "echo c > /proc/sysrq-trigger; sleep 60",
        "overruns": "echo before; sleep 600",
        "floods": "head -c 8M /dev/zero | tr '\\0' 'x' | fold -w 200",
        "escapes": "printf '\\033[2J\\033]0;owned\\007\\377\\376'; head -c 20000 /dev/urandom",
        "resets": "echo b > /proc/sysrq-trigger; sleep 60",
        "halts": "busybox halt -f; sleep 60",
        "kills-sshd": "pkill -KILL sshd; sleep 1",
    }
    lab = write_lab(scripts, timeout=4)
    ran = kdevops("run", lab, *ONLY, "--json")
    assert ran.statuses() == {
        "passes": "pass", "fails": "fail", "skips": "skip", "speaks-ktap": "pass", "lies": "fail", "panics": "crash",
        "overruns": "hang", "floods": "pass", "escapes": "pass", "resets": "crash", "halts": "crash", "kills-sshd": "hang",
    }  # fmt: skip
    tests = {each["name"]: each for each in ran.data["tests"]}
    assert "sysrq" in tests["panics"]["oops"].lower()
    assert "System halted" in tests["halts"]["reason"]
    assert "Resetting" in tests["resets"]["reason"]
    directory = Path(ran.data["directory"])
    assert "before" in (directory / tests["overruns"]["output"]).read_text()
    assert (directory / tests["floods"]["output"]).stat().st_size < 5 << 20
    printed = kdevops("results", "1", "--test", "escapes", check=0).stdout
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert ran.code == 1, "failures that nobody knows are never green"


def test_a_guest_that_falls_silent_is_a_hang(kdevops: Kdevops, write_lab: WriteLab) -> None:
    run = kdevops.start(
        "run", write_lab({"silent": "sleep 600"}, timeout=2), *ONLY, "--set", "guests.count=1", "--json"
    )
    wait_until(lambda: started(kdevops.state, "silent"), "the test was never started", seconds=600)
    time.sleep(1)
    (guest,) = [line for line in guests_of(kdevops.state) if "setpriv" not in line and "keeper" not in line]
    os.kill(int(guest.split()[0]), signal.SIGSTOP)
    stdout, stderr = run.communicate(timeout=600)
    (test,) = json.loads(stdout)["tests"]
    assert test["status"] == "hang", stderr


def test_sigkill_loses_nothing_and_resume_goes_on(kdevops: Kdevops, write_lab: WriteLab) -> None:
    lab = write_lab({"first": "true", "second": "sleep 25", "third": "true"}, timeout=60)
    run = kdevops.start("run", lab, *ONLY, "--set", "guests.count=1")
    wait_until(lambda: started(kdevops.state, "second"), "the test was never started", seconds=600)
    run.kill()
    run.wait()
    wait_until(lambda: not guests_of(kdevops.state), "the guest outlived its controller", seconds=30)

    (cut_short,) = kdevops("results", "--json", check=0).data
    assert cut_short["state"] == "interrupted", "nobody holds its lab any more"
    resumed = kdevops("resume", "--json")
    assert resumed.statuses() == {"first": "pass", "second": "pass", "third": "pass"}
    assert resumed.data["complete"]
    assert kdevops("resume").code == 2, "there is nothing left to resume"


def test_ctrl_c_ends_the_guests_and_leaves_a_run_to_resume(kdevops: Kdevops, write_lab: WriteLab) -> None:
    run = kdevops.start("run", write_lab({"first": "sleep 20", "second": "true"}), *ONLY, "--set", "guests.count=1")
    wait_until(lambda: started(kdevops.state, "first"), "the test was never started", seconds=600)

    second = kdevops("run", write_lab({"first": "true"}), *ONLY)
    assert second.code == 2
    assert str(run.pid) in second.stderr, "who holds the lab is named"

    os.kill(run.pid, signal.SIGINT)
    _, stderr = run.communicate(timeout=120)
    assert run.returncode == 130
    assert "Traceback" not in stderr
    assert not guests_of(kdevops.state)
    assert [each["state"] for each in kdevops("results", "--json").data] == ["interrupted"]
    assert kdevops("resume", "--json").statuses() == {"first": "pass", "second": "pass"}


def test_a_kernel_that_panics_before_init_is_infrastructure(kdevops: Kdevops, write_lab: WriteLab) -> None:
    ran = kdevops("run", write_lab({"any": "true"}), *ONLY, "--set", "kernel.cmdline=[init=/bin/true]", "--json")
    assert ran.code == 3
    assert "Kernel panic" in ran.stderr
    assert "Attempted to kill init" in ran.stderr, "the end of the console is shown"
    listed = kdevops("results", "--json", check=0).data
    assert listed[0]["counts"]["missing"] == 1
    assert listed[0]["state"] == "incomplete"


def test_a_guest_that_never_reaches_ssh_is_infrastructure(kdevops: Kdevops, write_lab: WriteLab) -> None:
    overrides = (
        "--set",
        "kernel.cmdline=[init=/bin/sh]",
        "--set",
        "provider.boot_timeout=2",
        "--set",
        "guests.count=1",
    )
    ran = kdevops("run", write_lab({"any": "true"}), *ONLY, *overrides)
    assert ran.code == 3
    assert "no answer over ssh within" in ran.stderr
