"""One round: a run with faults at moments that a seed gives, resumed until it ends, and judged."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import store as fault_store
from tests.faults.checker import Finding, Seen, Sin, check
from tests.faults.control import Control, StuckError
from tests.faults.lab import ANSWERS, GREEN, Known, write_lab
from tests.faults.processes import processes, wait_until
from tests.faults.table import FAULTS, LONG, Bench

DEADLINE = 1500.0
"""Seconds of a round after which it is stuck; the longest takes a fifth of it on two cores."""
_DISK = "192M"
_WIND_DOWN = 15.0
"""Seconds for processes to end that were told to."""
_KEPT = 8 << 20
"""Bytes of the files that are kept of a state directory on a disk of its own."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, and its moment: so many tests were started, and so many seconds passed since."""

    name: str
    after: int
    delay: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed stands for."""

    seed: int
    faults: tuple[Planned, ...]
    keep: bool
    known: Mapping[str, Known]

    @classmethod
    def of(cls, seed: int) -> Plan:
        rng = random.Random(seed)
        names = rng.sample(list(FAULTS), rng.choice((1, 2, 2, 3)))
        long = [name for name in names if name in LONG]
        names = [name for name in names if name not in long[1:]]
        known = GREEN if rng.random() < 0.3 else ANSWERS
        moments = sorted(rng.randrange(len(known) * 3 // 4) for _ in names)
        faults = (Planned(name, after, rng.uniform(0, 2)) for name, after in zip(names, moments, strict=True))
        return cls(seed, tuple(faults), rng.random() < 0.3, known)


@dataclass
class Verdict:
    """What a round came to. `faults` says of each what was done; those in `skipped` this machine does not allow, and
    for those in `late` there was nobody left to do them to."""

    seed: int
    faults: list[str] = field(default_factory=list)
    injected: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    missing: int = 0
    commands: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        done = "; ".join(
            [*self.faults, *(f"{name} SKIPPED" for name in self.skipped), *(f"{n} too late" for n in self.late)]
        )
        missing = f", {self.missing} told as missing" if self.missing else ""
        found = "\n  ".join(["sound", *map(str, self.findings)][bool(self.findings) :])
        return f"seed {self.seed}: {done}; {self.commands} commands, {self.seconds:.0f} s{missing}: {found}"

    def plain(self) -> dict[str, Any]:
        """For a report that travels between processes."""
        names = ("injected", "skipped", "late", "missing", "seconds")
        facts: dict[str, Any] = {name: getattr(self, name) for name in names}
        sins = {sin.value: sum(each.sin is sin for each in self.findings) for sin in Sin}
        return {**facts, "told": str(self), "sins": sins}


def play(seed: int, directory: Path, shared_lab: Mapping[str, Any]) -> Verdict:
    """Do the round of a seed below an empty directory."""
    plan, started = Plan.of(seed), time.monotonic()
    verdict = Verdict(seed)
    (log := directory / "commands").mkdir()
    (state := directory / "state").mkdir()
    rng = random.Random(seed)
    lab = write_lab(directory / "lab.yaml", shared_lab, plan.known, rng)
    wants_disk = any(each.name == "fill-disk" for each in plan.faults)
    with _socket_directory() as sockets, _disk(state, directory / "kept", wanted=wants_disk) as limited:
        environment = {"XDG_RUNTIME_DIR": str(sockets)}
        control = Control(lab, state, log, environment, started + DEADLINE, plan.keep)
        bench = Bench(control, sockets, rng, limited)
        try:
            _inject(plan, bench, verdict)
            seen = _finish(bench)
            verdict.findings = check(seen, plan.known)
            verdict.missing = sum(status == "missing" for status in seen.record.statuses.values())
        except StuckError as error:
            verdict.findings.append(Finding(Sin.STUCK, str(error)))
        finally:
            _clear_away(bench)
    verdict.commands = len(control.answers)
    verdict.seconds = time.monotonic() - started
    (directory / "verdict.json").write_text(json.dumps(verdict.plain(), indent=2))
    return verdict


def _inject(plan: Plan, bench: Bench, verdict: Verdict) -> None:
    over = False
    for planned in plan.faults:
        if planned.name == "fill-disk" and not bench.limited:
            verdict.skipped.append(planned.name)
            continue
        while not (over := bench.control.advance()) and not _due(planned, bench.state):
            time.sleep(0.1)
        end = time.monotonic() + planned.delay
        while not (over := over or bench.control.advance()) and time.monotonic() < end:
            time.sleep(0.1)
        done = "" if over else FAULTS[planned.name](bench)
        if done:
            verdict.injected.append(planned.name)
            verdict.faults.append(f"{planned.name} after {planned.after} tests ({done})")
        else:
            verdict.late.append(planned.name)


def _due(planned: Planned, state: Path) -> bool:
    record = fault_store.read(state)
    return record is not None and len({each.test for each in record.started}) >= planned.after


def _finish(bench: Bench) -> Seen:
    control, places = bench.control, (bench.state, bench.sockets)
    while not control.advance():
        time.sleep(0.2)
    if not control.keep:
        wait_until(lambda: not processes(*places), _WIND_DOWN)
    after_run = [] if control.keep else processes(*places)
    record = fault_store.read(bench.state)
    assert record
    results = control.call("results", str(record.run), "--json")
    down = control.call("down", control.lab, "--json")
    wait_until(lambda: not processes(*places), _WIND_DOWN)
    return Seen(
        record,
        fault_store.executions(bench.state),
        control.answers,
        results,
        down,
        after_run,
        processes(*places),
        bench.state / "runs" / str(record.run),
    )


def _clear_away(bench: Bench) -> None:
    bench.control.kill()
    for each in processes(bench.state, bench.sockets):
        with contextlib.suppress(ProcessLookupError):
            each.end()
    wait_until(lambda: not processes(bench.state, bench.sockets), _WIND_DOWN)


@contextlib.contextmanager
def _socket_directory() -> Iterator[Path]:
    """A directory for the sockets of this round alone; what pytest gives has too long a name."""
    path = Path(tempfile.mkdtemp(prefix="kdf-", dir="/tmp"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _disk(state: Path, kept: Path, *, wanted: bool) -> Iterator[bool]:
    """A small disk of its own for the state directory where that is `wanted`; False where this machine does not allow it."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "kdevops-faults", str(state)]
    mounted = wanted and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            shutil.copytree(state, kept, ignore=_large)
            subprocess.run(["umount", "--lazy", str(state)], check=True)


def _large(directory: str, names: list[str]) -> list[str]:
    paths = {name: Path(directory, name) for name in names}
    return [
        name
        for name, path in paths.items()
        if not path.is_dir() and (not path.is_file() or path.stat().st_size > _KEPT)
    ]
