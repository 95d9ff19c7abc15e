"""Everything a guest can do to a run, done for real: each test ends in its one status and the run goes on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import Kdevops, guests_of, wait_until

WriteLab = Callable[..., Path]
ONLY = ("--only", "commands/*")


def started(state: Path, name: str) -> bool:
    """Whether the store says that a test was given to a guest."""
    return began(state, name) > 0


def began(state: Path, name: str) -> int:
    """How often a test was given to a guest, as the store says."""
    path = state / "kdevops.sqlite"
    if not path.exists():
        return 0
    with sqlite3.connect(path) as connection:
        try:
            query = (
                "SELECT count(*) FROM journal JOIN planned ON planned.id = planned WHERE kind = 'started' AND name = ?"
            )
            return int(connection.execute(query, (name,)).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


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


def test_a_guest_that_the_host_stopped_does_not_hang(kdevops: Kdevops, write_lab: WriteLab) -> None:
    lab = write_lab({"sleeps": "sleep 8"}, timeout=30)
    run = kdevops.start("run", lab, *ONLY, "--set", "guests.count=1", "--json")
    wait_until(lambda: started(kdevops.state, "sleeps"), "the test was never started", seconds=600)
    (guest,) = [line for line in guests_of(kdevops.state) if "setpriv" not in line and "keeper.py" not in line]
    process = int(guest.split()[0])
    os.kill(process, signal.SIGSTOP)
    wait_until(lambda: "does not run" in journal(kdevops.state), "nobody saw that it was stopped", seconds=60)
    os.kill(process, signal.SIGCONT)
    stdout, stderr = run.communicate(timeout=600)
    assert [test["status"] for test in json.loads(stdout)["tests"]] == ["pass"], stderr


def journal(state: Path) -> str:
    """What the store says of infrastructure trouble."""
    with sqlite3.connect(state / "kdevops.sqlite") as connection:
        rows = connection.execute("SELECT text FROM journal WHERE kind = 'infrastructure'").fetchall()
    return "\n".join(text for (text,) in rows)


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
    assert listed[0]["counts"]["missing"] == 0
    assert listed[0]["state"] == "interrupted"
    again = kdevops("results", "1")
    assert again.code == 3
    assert "Attempted to kill init" in again.stderr
    assert "kdevops resume 1" in again.stdout


def test_a_kernel_that_panics_at_boot_where_one_booted_before_is_a_verdict(
    kdevops: Kdevops, write_lab: WriteLab
) -> None:
    lab = write_lab({"any": "true"})
    one = ("--set", "guests.count=1")
    kdevops("run", lab, *ONLY, *one, check=0)
    ran = kdevops("run", lab, *ONLY, *one, "--set", "kernel.cmdline=[init=/bin/true]", "--json", check=1)
    assert ran.data["verdict"].startswith("Does not boot: Kernel panic - not syncing: Attempted to kill init!")
    assert ran.data["state"] == "incomplete"
    assert ran.statuses() == {"any": "missing"}
    console = Path(ran.data["directory"]) / ran.data["boot_failure"]["console"]
    assert "Attempted to kill init" in console.read_text()
    shown = kdevops("results", "2", check=1).stdout
    assert shown.startswith("Does not boot: Kernel panic")
    assert "Call Trace" in shown, "the whole report is shown"
    assert "Does not boot" in kdevops("results", "2", "--format", "mail", check=1).stdout
    assert "does not boot" in kdevops("results", "2", "--format", "junit", check=1).stdout


def test_no_test_runs_twice_at_once_in_a_guest_that_stays(kdevops: Kdevops, write_lab: WriteLab) -> None:
    """/run is empty after a boot, so what is there says that the test was begun in this one before."""
    alone = "test ! -e /run/begun || { echo it may still run; exit 1; }; touch /run/begun; sleep 10"
    lab = write_lab({"alone": alone}, timeout=90)
    arguments = ("run", lab, *ONLY, "--set", "guests.count=1", "--keep")

    def interrupted(by: signal.Signals) -> None:
        before = began(kdevops.state, "alone")
        run = kdevops.start(*arguments)
        wait_until(lambda: began(kdevops.state, "alone") > before, "the test was never started", seconds=600)
        time.sleep(2)  # it is on its way into the guest
        os.kill(run.pid, by)
        run.communicate(timeout=120)
        assert guests_of(kdevops.state), "the guest stays"

    interrupted(signal.SIGKILL)
    assert kdevops("resume", "--keep", "--json").statuses() == {"alone": "pass"}
    kdevops("down", lab, check=0)
    interrupted(signal.SIGINT)
    assert kdevops(*arguments, "--json").statuses() == {"alone": "pass"}, "a new run is as safe as one that is resumed"


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
