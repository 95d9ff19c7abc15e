"""What is done to a run in the middle of its work: a name and a function each, which says what it did.

"" means that it could not be done: there was nobody to do it to, or this machine does not allow it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kdevops.paths import cache_dir
from tests.faults import store as fault_store
from tests.faults.control import Control
from tests.faults.lab import TIMEOUT
from tests.faults.processes import Process, processes, wait_until

GRACE = 10.0
"""Accelerated seconds that a guest has past a test's deadline to say so."""
FULL_SECONDS = 8.0
_MORE = 4.0
_SEEN = 30.0
"""Seconds in which a test is in flight: else the guests boot, or are lost."""
_RESTART = 120.0


@dataclass
class Bench:
    """What faults are done to. `limited`: the state directory has a small disk of its own."""

    control: Control
    sockets: Path
    rng: random.Random
    limited: bool

    @property
    def state(self) -> Path:
        return self.control.state

    @property
    def slowdown(self) -> float:
        """How much longer deadlines are in guests here, as kdevops found out before the first of them booted."""
        records = (cache_dir() / "acceleration").glob("*.json")
        return max(float(json.loads(path.read_text())["factor"]) for path in records)

    def find(self, kind: str) -> list[Process]:
        return [each for each in processes(self.state, self.sockets) if each.kind == kind]

    def in_flight(self, prefix: str = "") -> list[fault_store.Started]:
        record = fault_store.read(self.state)
        return [each for each in record.in_flight if each.test.startswith(prefix)] if record else []

    def wait_until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait while the run goes on, and is resumed where it stopped."""
        return wait_until(condition, seconds, meanwhile=self.control.advance)


def kill_controller(bench: Bench) -> str:
    return "SIGKILL" if bench.control.signal(signal.SIGKILL) else ""


def interrupt_controller(bench: Bench) -> str:
    return "SIGINT" if bench.control.signal(signal.SIGINT) else ""


def pause_controller(bench: Bench) -> str:
    """Past the time when a silent guest counts as hung."""
    if not bench.wait_until(bench.in_flight, _SEEN) or not bench.control.signal(signal.SIGSTOP):
        return ""
    seconds = (TIMEOUT + GRACE) * bench.slowdown + _MORE
    time.sleep(seconds)
    bench.control.signal(signal.SIGCONT)
    return f"SIGSTOP for {seconds:.0f} s"


def pause_qemu(bench: Bench) -> str:
    """Past the deadline that a test has in its guest, which sees the time go by."""
    return _pause_qemu(bench, TIMEOUT * bench.slowdown + _MORE)


def pause_qemu_long(bench: Bench) -> str:
    """Past the time when a silent guest counts as hung."""
    return _pause_qemu(bench, (TIMEOUT + GRACE) * bench.slowdown + _MORE)


def _pause_qemu(bench: Bench, seconds: float) -> str:
    if not bench.wait_until(lambda: bench.in_flight("sleeps") or bench.in_flight(), _SEEN):
        return ""
    victims = _qemus_at_work(bench)
    if not victims:
        return ""
    victim = bench.rng.choice(victims)
    if not _signal(victim.pid, signal.SIGSTOP):
        return ""
    time.sleep(seconds)
    _signal(victim.pid, signal.SIGCONT)
    return f"QEMU of {victim.guest}: SIGSTOP for {seconds:.0f} s"


def kill_qemu(bench: Bench) -> str:
    return _kill_one(bench, "qemu")


def kill_keeper(bench: Bench) -> str:
    return _kill_one(bench, "keeper")


def kill_qemu_thrice(bench: Bench) -> str:
    """Under the same test each time, which therefore seems to be what the three ends have in common."""
    if not bench.wait_until(lambda: bench.in_flight("sleeps"), _RESTART):
        return ""
    test = bench.in_flight("sleeps")[0].test
    kills = 0
    for _ in range(3):
        if not bench.wait_until(lambda: _runs_in_a_guest(bench, test), _RESTART):
            break
        guest = next((each.guest for each in bench.in_flight() if each.test == test), "")
        seen = _times_started(bench, test)
        kills += any(_signal(each.pid, signal.SIGKILL) for each in bench.find("qemu") if each.guest == guest)
        bench.wait_until(partial(_was_started, bench, test, seen), _RESTART)
    return f"QEMU: SIGKILL, {kills} times under {test}" if kills else ""


def kill_ssh(bench: Bench) -> str:
    killed = [each.pid for each in bench.find("ssh") if _signal(each.pid, signal.SIGKILL)]
    return f"{len(killed)} ssh clients: SIGKILL" if killed else ""


def remove_sockets(bench: Bench) -> str:
    directory = bench.sockets / "kdevops"
    removed = len(list(directory.iterdir())) if directory.is_dir() else 0
    shutil.rmtree(directory, ignore_errors=True)
    return f"directory with {removed} sockets removed" if removed else ""


def fill_disk(bench: Bench) -> str:
    if not bench.limited:
        return ""
    filler = bench.state / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * (64 << 10))
    time.sleep(FULL_SECONDS)
    size = filler.stat().st_size
    filler.unlink()
    return f"disk full for {FULL_SECONDS:.0f} s ({size >> 20} MiB)"


def _kill_one(bench: Bench, kind: str) -> str:
    bench.wait_until(lambda: bench.find(kind), _SEEN)
    victims = bench.find(kind)
    if not victims:
        return ""
    victim = bench.rng.choice(victims)
    return f"{kind} of {victim.guest}: SIGKILL" if _signal(victim.pid, signal.SIGKILL) else ""


def _qemus_at_work(bench: Bench) -> list[Process]:
    at_work = {each.guest for each in bench.in_flight("sleeps") or bench.in_flight()}
    return [each for each in bench.find("qemu") if each.guest in at_work]


def _runs_in_a_guest(bench: Bench, test: str) -> bool:
    guests = {each.guest for each in bench.in_flight() if each.test == test}
    return any(each.guest in guests for each in bench.find("qemu"))


def _times_started(bench: Bench, test: str) -> int:
    record = fault_store.read(bench.state)
    if record is None:
        return 0
    # Once it has a status it is not started any more: that is no reason to wait.
    return sum(each.test == test for each in record.started) + 1000 * (test in record.statuses or record.ended)


def _was_started(bench: Bench, test: str, before: int) -> bool:
    return _times_started(bench, test) > before


def _signal(pid: int, number: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


FAULTS: Mapping[str, Callable[[Bench], str]] = {
    "kill-controller": kill_controller,
    "interrupt-controller": interrupt_controller,
    "pause-controller": pause_controller,
    "pause-qemu": pause_qemu,
    "pause-qemu-long": pause_qemu_long,
    "kill-qemu": kill_qemu,
    "kill-qemu-thrice": kill_qemu_thrice,
    "kill-keeper": kill_keeper,
    "kill-ssh": kill_ssh,
    "remove-sockets": remove_sockets,
    "fill-disk": fill_disk,
}
LONG = frozenset({"pause-controller", "pause-qemu-long"})
"""Faults that take minutes: one of them in a round is enough."""
