"""The lab of a round: short shell tests whose right answers are known, in two small guests."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LAB = "faults"
TIMEOUT = 3.0
"""Accelerated seconds of a test. Guests without KVM have 8 times as much, and the longest sleeps for 4 s: busy hosts are slow."""
_PROVOKE = "/sys/kernel/debug/kdevops-provoke"
# A line of each sign of life goes to the test's output and to the console, which the host records with the time.
_SCRIPT = """
boot=$(cat /proc/sys/kernel/random/boot_id)
say() {{ echo "faults: $1 {name} $boot/$$"; echo "<4>faults: $1 {name} $boot/$$" >/dev/kmsg; }}
say begin
( {body} )
code=$?
say end
exit $code
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A test and its right answer. `report`: it passes while its kernel complains, which must not be lost either."""

    answer: str
    body: str
    report: bool = False


def _sleeps(seconds: int) -> str:
    return f"for i in $(seq {seconds}); do sleep 1; say beat; done"


_KINDS: tuple[tuple[str, int, Known], ...] = (
    ("passes", 4, Known("pass", "true")),
    ("fails", 2, Known("fail", "echo not good; exit 1")),
    ("fails-in-tap", 1, Known("fail", "printf 'TAP version 13\\n1..2\\nok 1 a\\nnot ok 2 b\\n'")),
    ("skips", 3, Known("skip", "echo no hardware; exit 4")),
    ("sleeps", 3, Known("pass", _sleeps(2))),
    ("sleeps-long", 2, Known("pass", _sleeps(4))),
    ("sleeps-and-fails", 1, Known("fail", f"{_sleeps(3)}; exit 1")),
    ("chats", 3, Known("pass", "seq 1 20000")),
    ("writes", 3, Known("pass", "dd if=/dev/zero of=/root/file bs=1M count=4 conv=fsync 2>&1 && rm /root/file")),
    ("panics", 1, Known("crash", "echo c >/proc/sysrq-trigger; sleep 60")),
    ("warns", 1, Known("pass", f"echo warning >{_PROVOKE}", report=True)),
)
ANSWERS: Mapping[str, Known] = {
    f"{name}-{number}": known for name, count, known in _KINDS for number in range(1, count + 1)
}


GREEN: Mapping[str, Known] = {
    name: known for name, known in ANSWERS.items() if known.answer in ("pass", "skip") and not known.report
}
"""Those of them that make no run red: without others, the exit code says whether all ran."""


def write_lab(path: Path, shared_lab: Mapping[str, Any], known: Mapping[str, Known], rng: random.Random) -> Path:
    """The lab file of a round: the kernel of `shared_lab`, and these tests in any order."""
    names = rng.sample(list(known), len(known))
    tests = {name: _SCRIPT.format(name=name, body=known[name].body) for name in names}
    lab = {**shared_lab, "name": LAB, "guests": {"count": 2, "cpus": 1, "memory": "512MiB"}}
    lab["suites"] = {**lab["suites"], "commands": {"tests": tests, "timeout": TIMEOUT}}
    path.write_text(yaml.safe_dump(lab, sort_keys=False))
    return path
