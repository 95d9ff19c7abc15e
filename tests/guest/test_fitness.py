"""What a guest says of itself after a test: real shell, real answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest import taint
from kdevops.guest.fitness import AFTER, BEFORE, MAX_LINES, Fitness

ROOT = "overlay / overlay rw 0 0"
PROC = "proc /proc proc rw 0 0"


def told(*answers: str) -> Fitness:
    fitness = Fitness()
    for answer in answers:
        fitness.feed(answer)
    return fitness


def asked(between: str = ":", shell: str = "sh") -> Fitness:
    script = f"nonce=N\n{BEFORE}\n{between}\n{AFTER}"
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True)
    return told(*(line.removeprefix("N ") for line in done.stdout.splitlines()))


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_nothing_speaks_against_this_machine(shell: str) -> None:
    fitness = asked(shell=shell)
    assert fitness.unfit == ""
    now = int(Path("/proc/sys/kernel/tainted").read_text())
    assert fitness.taint == now, "dash reads one digit of it where its own `read` does"


def test_mounts_that_a_test_leaves_are_seen() -> None:
    other = f"mounts='{ROOT}'"
    assert "is left mounted" in asked(other).unfit


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        (["taint 0", "done"], ""),
        (["taint 512", "gone /dev/null", "done"], "/dev/null is gone"),
        (["taint 0", "full /var/tmp", "done"], "cannot write to /var/tmp"),
        (["taint ", "gone /proc", "done"], "/proc is gone"),
        (["taint ", "done"], "/proc/sys/kernel/tainted cannot be read"),
        (["taint 0"], "it did not answer after the test"),
        ([], "it did not answer after the test"),
        (["taint 0", f"mount {ROOT}", "mount ", f"mount {ROOT}", "mount tmpfs /mnt/a tmpfs rw 0 0", "done"],
         "/mnt/a is left mounted"),
        (["taint 0", f"mount {ROOT}", "mount ", f"mount {ROOT}", "mount debugfs /sys/kernel/debug debugfs rw 0 0", "done"],
         ""),
        (["taint 0", f"mount {ROOT}", f"mount {PROC}", "mount ", f"mount {ROOT}", "done"], "/proc is unmounted"),
        (["taint 0", f"mount {ROOT}", "mount ", f"mount {ROOT.replace('rw', 'ro')}", "done"], "/ is mounted differently"),
        (["taint 0", *["mount a /b c d"] * (MAX_LINES + 1), "done"], f"it has more than {MAX_LINES // 2} mounts"),
    ],
)  # fmt: skip
def test_each_complaint(answers: list[str], complaint: str) -> None:
    assert told(*answers).unfit == complaint


@given(st.lists(st.text(max_size=80)))
def test_whatever_is_answered_is_taken(answers: list[str]) -> None:
    assert isinstance(told(*answers).unfit, str)


@pytest.mark.parametrize(
    ("text", "flags"),
    [("0\n", 0), ("4609", 4609), ("", None), ("-1", None), ("²", None), ("1" * 30, None), ("x", None)],
)
def test_taint_is_a_number_or_nothing(text: str, flags: int | None) -> None:
    assert taint.parse(text) == flags


def test_what_happened_since_counts_not_what_was_there() -> None:
    assert taint.worsened(0, 1 << 9) == "the kernel is tainted by a warning"
    assert taint.worsened(1 << 9, 1 << 9 | 1 << 7) == "the kernel is tainted by an oops"
    assert taint.worsened(0, 1 << 12 | 1 << 0) == "", "a module from elsewhere is no trouble"
