"""The controller of a round: `kdevops run`, started over with `kdevops resume` as often as it takes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import store as fault_store
from tests.support.command_line import REPOSITORY

COMMAND_SECONDS = 300
MAX_COMMANDS = 8
"""Runs and resumes of one round: a run that has not ended after so many is stuck."""


class StuckError(Exception):
    """Something did not come to its end before the outer deadline."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A command that ended. `data` is None where it printed no JSON."""

    verb: str
    code: int
    data: Any
    stderr: str


@dataclass
class Control:
    """`log` is where what commands print is kept; `deadline` the time (monotonic) by which all must be done."""

    lab: Path
    state: Path
    log: Path
    environment: Mapping[str, str]
    deadline: float
    keep: bool = False
    answers: list[Answer] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _verb: str = ""

    @property
    def pid(self) -> int | None:
        """The controller's process, None while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def advance(self) -> bool:
        """Start what comes next when nothing runs; True when the run is over. Raises StuckError."""
        if time.monotonic() > self.deadline:
            raise StuckError(f"still at `kdevops {self._verb}` at the outer deadline")
        if self._process and self._process.poll() is None:
            return False
        if self._process:
            self.answers.append(self._answer())
            self._process = None
        record = fault_store.read(self.state)
        if self.answers and record and record.ended:
            return True
        if len(self.answers) >= MAX_COMMANDS:
            raise StuckError(f"the run has not ended after {MAX_COMMANDS} commands")
        keep = ("--keep",) if self.keep else ()
        if record:
            self._start("resume", *keep, "--json")
        else:
            self._start("run", self.lab, "--only", "commands/*", *keep, "--json")
        return False

    def signal(self, number: int) -> bool:
        """Send a signal to the controller's process group, as a terminal does; False when there is none."""
        pid = self.pid
        if pid:
            os.killpg(pid, number)
        return pid is not None

    def call(self, *arguments: str | Path) -> Answer:
        """A command to its end. Raises StuckError."""
        self._start(*arguments)
        assert self._process
        try:
            self._process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            raise StuckError(f"`kdevops {self._verb}` did not end in {COMMAND_SECONDS} s") from None
        answer, self._process = self._answer(), None
        return answer

    def kill(self) -> None:
        """End whatever command still runs."""
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def _start(self, *arguments: str | Path) -> None:
        self._verb = str(arguments[0])
        stem = self._stem()
        with stem.with_suffix(".out").open("wb") as out, stem.with_suffix(".err").open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kdevops", *map(str, arguments)], cwd=REPOSITORY, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True,
                env={**os.environ, **self.environment, "KDEVOPS_STATE": str(self.state), "NO_COLOR": "1"},
            )  # fmt: skip
        self._started = stem

    def _stem(self) -> Path:
        return self.log / f"{len(list(self.log.glob('*.err')))}-{self._verb}"

    def _answer(self) -> Answer:
        assert self._process
        data = None
        with contextlib.suppress(ValueError):
            data = json.loads(self._started.with_suffix(".out").read_text(errors="replace"))
        stderr = self._started.with_suffix(".err").read_text(errors="replace")
        return Answer(self._verb, self._process.wait(), data, stderr)
