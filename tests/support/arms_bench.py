"""Labs with two arms, and a session around them in which each arm's guest is this machine."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import UserError
from kdevops.kernel.artifact import Artifact
from kdevops.lab.load import LoadedLab
from kdevops.lab.model import Lab
from kdevops.progress import Confirm, Progress, Report, ask_nobody, silent
from kdevops.results.events import Note, RunEvent
from kdevops.results.model import Outcome, RunState, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run import arms, decide, manual, session
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.run.guests.kinds import KINDS, Kind, kind_named
from kdevops.run.session import Ended
from kdevops.run.spending import Limits
from tests.support.local_guest import LocalProvider, ShellSuite

SCRIPTS = {
    "always": "true",
    "both": "exit 1",
    "breaks": '[ "$KERNEL" = old ]',
    "is-mended": '[ "$KERNEL" = new ]',
}


def two_arms(scripts: Mapping[str, str] = SCRIPTS, **changes: Any) -> Lab:
    said: dict[str, Any] = {
        "name": "ab",
        "guests": {"count": 1},
        "kernel": {"cmdline": "new"},
        "compare": {"kernel": {"cmdline": "old"}},
        "suites": {"commands": {"tests": dict(scripts)}},
    }
    return Lab.model_validate({**said, **changes})


def new_only(script: str) -> str:
    """A script for the kernel under test; on the other it passes."""
    return f'[ "$KERNEL" = old ] || {{ {script}; }}'


class Interrupted(Exception):  # noqa: N818 - an end, no error
    pass


class Watcher:
    """Takes everything; `breaks_at` ends the command where a test of this name is to start."""

    def __init__(self) -> None:
        self.events: list[RunEvent | Progress] = []
        self.plans: list[list[str]] = []
        self.breaks_at: tuple[str, str] | None = None

    def handle(self, event: RunEvent | Progress) -> None:
        self.events.append(event)
        test, guest = getattr(event, "test", None), getattr(event, "guest", "")
        if self.breaks_at and test and (test.name, guest) == self.breaks_at:
            self.breaks_at = None
            raise Interrupted

    def plan(self, rows: Sequence[PlannedRow], done: Mapping[TestId, Outcome] | None = None) -> None:
        self.plans.append([row.id.name for row in rows if row.id not in (done or {})])

    def confirm(self, lines: Sequence[str]) -> bool:
        raise AssertionError(lines)

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]


class BenchKind(Kind):
    """A kind whose guests are this machine, with manners of the real one."""

    def __init__(self, bench: Bench, real: Kind) -> None:
        self.bench = bench
        self.one_lab_at_a_time = real.one_lab_at_a_time

    def attached(self, lab: Lab, dirs: Dirs, report: Report = silent) -> LocalProvider:
        return self.bench.providers[lab.name]

    async def provider_for(
        self, lab: Lab, dirs: Dirs, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> LocalProvider:
        return self.bench.providers.setdefault(lab.name, LocalProvider(self.bench.path / "guests" / lab.name))


class Bench:
    """Labs, of which the kernels are what stands on their command lines and the guests are this machine.

    A lab `lacks` tests, or its kernel is `gone` and cannot be built.
    """

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.dirs = Dirs(path / "state", path / "cache")
        self.watcher = Watcher()
        self.built: list[str] = []
        self.key = "kernel"
        self.lacks: dict[str, set[str]] = {}
        self.gone: set[str] = set()
        self.providers: dict[str, LocalProvider] = {}
        for name in KINDS:
            monkeypatch.setitem(KINDS, name, BenchKind(self, kind_named(name)))
        for module in (session, manual):
            monkeypatch.setattr(module, "build", self._build)
            if hasattr(module, "write_access"):
                monkeypatch.setattr(module, "write_access", lambda *_: None)

    async def _build(self, lab: Lab, dirs: Dirs, report: Report) -> Built:
        self.built.append(lab.name)
        if lab.name in self.gone:
            raise UserError(f"the kernel of {lab.name} is gone")
        commands = lab.suites.commands
        assert commands
        kernel = " ".join(lab.kernel.cmdline)
        scripts = {name: f"KERNEL={kernel}\n{text}" for name, text in commands.tests.items()}
        scripts = {name: text for name, text in scripts.items() if name not in self.lacks.get(lab.name, set())}
        artifact = Artifact(self.key, dirs.cache, dirs.cache, platform.release(), None)
        return Built(artifact, None, (ShellSuite(scripts, name="commands"),), origin={"key": "image"})

    def start(self, lab: Lab, **options: Any) -> Ended:
        loaded = LoadedLab(lab, self.path / "lab.yaml", "")
        return asyncio.run(arms.start(loaded, self.dirs, self.watcher, **options))

    def resume(self, run: int) -> Ended:
        return asyncio.run(arms.resume(run, self.dirs, self.watcher))

    def rerun(self, run: int) -> Ended:
        return asyncio.run(session.rerun(run, self.dirs, self.watcher))

    def decide(self, run: int, budget: int | None = None) -> Ended:
        return asyncio.run(decide.decide(run, (budget, None), self.dirs, self.watcher))

    def decide_after(self, ended: Ended, given: Limits | None = None) -> Ended:
        return asyncio.run(decide.decide_after(ended, given, self.dirs, self.watcher))

    def runs(self) -> list[tuple[int, str, RunState]]:
        with Store(self.dirs.state) as store:
            return [(run.id, run.lab, run.state) for run in reversed(store.runs())]

    def statuses(self, run: int) -> dict[str, str]:
        with Store(self.dirs.state) as store:
            return {test.name: outcome.status.value for test, outcome in store.outcomes(run).items()}
