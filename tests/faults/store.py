"""What a round's store, consoles and outputs say, read with SQL and expressions of our own: nothing here is kdevops's code."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_PATIENCE = 5.0
_SIGN = re.compile(r"^(?P<at>\S+Z) .*faults: (?:begin|beat|end) (?P<name>\S+) (?P<boot>[0-9a-f-]{36})/(?P<pid>\d+)")


@dataclass(frozen=True, slots=True)
class Started:
    """A line of the journal: a test was given to a guest."""

    test: str
    guest: str


@dataclass
class Record:
    """The newest run of a round, of `runs`, which should be one. `in_flight` are tests that were given to a guest and have not
    ended, the newest last."""

    run: int
    state: str
    ended: bool
    runs: int = 1
    planned: list[str] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    started: list[Started] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    gating: set[str] = field(default_factory=set)
    """Tests with a report of the kernel's own trouble."""

    @property
    def in_flight(self) -> list[Started]:
        newest = {each.test: each for each in self.started}
        return [each for each in newest.values() if each.test not in self.statuses]


@dataclass
class Execution:
    """One time that a test ran, by the signs of life on a console: boot and process, and from when to when."""

    boot: str
    pid: int
    first: datetime
    last: datetime


def read(state: Path) -> Record | None:
    """The round's run as it is now; None while there is none, or where it could not be read for a while."""
    end = time.monotonic() + _PATIENCE
    while (state / "kdevops.sqlite").exists():
        try:
            with closing(sqlite3.connect(f"file:{state / 'kdevops.sqlite'}?mode=ro", uri=True)) as sql:
                return _read(sql)
        except sqlite3.Error:  # it is being made, or somebody was killed with it open
            if time.monotonic() >= end:
                break
            time.sleep(0.1)
    return None


def _read(sql: sqlite3.Connection) -> Record | None:
    runs = sql.execute("SELECT id, state, ended IS NOT NULL FROM run ORDER BY id").fetchall()
    if not runs:
        return None
    run, state, ended = runs[-1]
    record = Record(run, state, bool(ended), len(runs))
    record.planned = [name for (name,) in sql.execute("SELECT name FROM planned WHERE run = ?", (run,))]
    outcomes = "SELECT name, status, reason, output FROM outcome JOIN planned ON planned.id = planned WHERE run = ?"
    for name, status, reason, output in sql.execute(outcomes, (run,)):
        record.statuses[name], record.reasons[name], record.outputs[name] = status, reason, output
    journal = (
        "SELECT kind, name, guest, text FROM journal LEFT JOIN planned ON planned.id = planned"
        " WHERE journal.run = ? ORDER BY journal.id"
    )
    for kind, name, guest, text in sql.execute(journal, (run,)):
        if kind == "started":
            record.started.append(Started(name, guest))
        elif kind == "ended":
            record.ends[name] += 1
        elif kind == "infrastructure":
            record.trouble.append(f"{guest}: {text}")
    reports = "SELECT name FROM report JOIN planned ON planned.id = planned WHERE run = ? AND gates"
    record.gating = {name for (name,) in sql.execute(reports, (run,))}
    return record


def executions(state: Path) -> dict[str, list[Execution]]:
    """Every time that each test ran, by what it said on the consoles."""
    found: dict[tuple[str, str, int], Execution] = {}
    for line in _console_lines(state):
        if not (match := _SIGN.match(line)):
            continue
        at = datetime.fromisoformat(match["at"])
        key = match["name"], match["boot"], int(match["pid"])
        known = found.setdefault(key, Execution(match["boot"], int(match["pid"]), at, at))
        known.first, known.last = min(known.first, at), max(known.last, at)
    by_test: dict[str, list[Execution]] = defaultdict(list)
    for (name, _, _), execution in found.items():
        by_test[name].append(execution)
    return by_test


def _console_lines(state: Path) -> Iterator[str]:
    for path in sorted(state.glob("labs/*/guests/*/console.log*")):
        yield from path.read_text(errors="replace").splitlines()
