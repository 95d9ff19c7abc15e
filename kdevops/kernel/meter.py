"""Progress of a build: make's lines ("  CC      init/main.o") counted against an estimate."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from pathlib import Path

from kdevops.files import write_atomic
from kdevops.progress import Progress, Report

STEP = "kernel build"
_STEP_LINE = re.compile(r"  (?P<what>[A-Z][A-Z0-9_+-]*)(?: \[M\])? +(?P<target>\S+)")
# The lean configuration of 6.1: 1,003 options on, 2,518 lines.
_LINES_PER_OPTION = 2.2
_LINES_AT_LEAST = 300
_SETTLED = 3.0
_INTERVAL = 0.2


class Meter:
    """Counts lines and reports, at most five times a second; `save` keeps the count as the next build's estimate."""

    def __init__(self, output: Path, config: Mapping[str, str], report: Report) -> None:
        self._note = output / ".kdevops-lines"
        self._expected = _remembered(self._note) or estimate(config)
        self._report = report
        self._started = time.monotonic()
        self._told = 0.0
        self.count = 0

    def feed(self, line: str) -> None:
        """Look at one line of make's output."""
        match = _STEP_LINE.match(line)
        if not match:
            return
        self.count += 1
        now = time.monotonic()
        if now - self._told < _INTERVAL:
            return
        self._told = now
        fraction = min(self.count / self._expected, 0.99)
        spent = now - self._started
        eta = spent * (1 / fraction - 1) if spent > _SETTLED else None
        self._report(Progress(STEP, f"{match['what']} {match['target']}"[:100], fraction, eta))

    def save(self) -> None:
        """Save the number of lines of this build."""
        write_atomic(self._note, str(self.count))


def estimate(config: Mapping[str, str]) -> int:
    """Lines a clean build will print, from the number of enabled options."""
    return _LINES_AT_LEAST + int(_LINES_PER_OPTION * sum(value in {"y", "m"} for value in config.values()))


def _remembered(note: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return max(1, int(note.read_text()))
    return None
