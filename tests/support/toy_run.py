"""A run of toy tests over guests that are this machine, and what became of it."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.results.events import RunEvent
from kdevops.results.model import Outcome, Status
from kdevops.results.store import PlannedRow, Store
from kdevops.run.drive.job import Job
from kdevops.run.drive.runner import Drained, drive
from kdevops.run.drive.work import queue_of
from kdevops.run.guests.prepare import GuestSetup
from kdevops.run.guests.servers import Servers
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import LocalProvider, ShellSuite

PANIC = "[   12.345678] Kernel panic - not syncing: sysrq triggered crash"


@dataclass
class ToyRun:
    """What a test of the runner works with; everything of it lies below `path`."""

    path: Path
    release: str = platform.release()
    events: list[RunEvent] = field(default_factory=list)
    run_id: int = 0

    def __post_init__(self) -> None:
        self.store = Store(self.path)
        self.provider = LocalProvider(self.path / "guests")
        self.guest_setup = GuestSetup(self.release)

    def console(self, name: str = "g0") -> Path:
        return self.provider.directory / name / "console.log"

    def dies(self, last_words: str = "", name: str = "g0") -> str:
        """Shell commands that end a guest."""
        return f"echo '{last_words}' >> {self.console(name)}; rm -f {self.console(name).with_name('up')}"

    def once(self, script: str) -> str:
        """Shell commands that do this the first time, and nothing later."""
        return f"test -e {self.path}/once && exit 0; touch {self.path}/once; {script}"

    def job(
        self,
        suite: ToySuite | ShellSuite,
        rows: list[PlannedRow] | None = None,
        *,
        guests: int = 1,
        seconds: float | None = None,
        servers: Servers | None = None,
    ) -> Job:
        """The job of running this suite, planned; each of its tests is expected to take `seconds`."""
        rows = rows or [PlannedRow(test.id, test.timeout or 30.0, seconds) for test in suite.tests]
        harness = {suite.name: suite} if isinstance(suite, ToySuite) else {}
        known = {test.id for test in suite.tests if test.known}
        self.run_id = self.store.create_run("lab", rows, {})
        return Job(
            run=self.run_id,
            directory=self.path / "run",
            provider=self.provider,
            store=self.store,
            queue=queue_of(rows, guests, chunk_suites=harness, last=known),
            tests={test.id: test for test in suite.tests},
            guest_suites={suite.name: suite} if isinstance(suite, ShellSuite) else {},
            boot_suites={},
            chunk_suites=harness,
            emit=self.events.append,
            guest_setup=GuestSetup(self.release),
            servers=servers or Servers(),
        )

    def drive(self, job: Job, guests: int = 1, *, persist: bool = False) -> Drained:
        """Do it with guests g0 and on."""
        return asyncio.run(drive(job, [f"g{number}" for number in range(guests)], persist=persist))

    def outcomes(self) -> dict[str, Outcome]:
        return {test.name: outcome for test, outcome in self.store.outcomes(self.run_id).items()}

    def outcome(self, name: str) -> Outcome:
        return self.outcomes()[name]

    def statuses(self) -> dict[str, Status]:
        return {name: outcome.status for name, outcome in self.outcomes().items()}

    def troubles(self) -> list[str]:
        return [entry.text for entry in self.store.journal(self.run_id) if entry.kind == "infrastructure"]

    def boots(self, name: str = "g0") -> int:
        return [boot[0] for boot in self.provider.boots].count(name)
