"""What all leases of a run have in common, and the one way to tell a test's fate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from kdevops.providers.base import Provider
from kdevops.results.events import Note, RunEvent, TestEnded, TestStarted
from kdevops.results.model import Outcome, TestId
from kdevops.results.store import Store
from kdevops.results.text import clean
from kdevops.run.furnish import Furniture
from kdevops.run.servers import Servers
from kdevops.run.work import WorkQueue
from kdevops.suites.base import BootSuite, ChunkSuite, GuestSuite, PlannedTest

MAX_LOST = 2
"""How often work is given to a fresh guest after infrastructure trouble before it is left undone."""
GRACE = 10.0
"""Accelerated seconds past a test's deadline in which the guest must say that it stopped the test."""
COMMAND = 30.0
"""Accelerated seconds for a short command in a guest."""
# include/linux/panic.h of every kernel tree: machine check, bad page, die, warn, soft lockup.
UNHEALTHY_TAINT = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14


@dataclass(frozen=True)
class Job:
    """One run, as every lease of it sees it."""

    run: int
    directory: Path
    provider: Provider
    store: Store
    queue: WorkQueue
    tests: Mapping[TestId, PlannedTest]
    guest_suites: Mapping[str, GuestSuite]
    boot_suites: Mapping[str, BootSuite]
    emit: Callable[[RunEvent], None]
    furniture: Furniture
    quiet_cmdline: tuple[str, ...] = ()
    chunk_suites: Mapping[str, ChunkSuite] = field(default_factory=dict)
    servers: Servers = field(default_factory=Servers)

    def begin(self, test: TestId, guest: str) -> None:
        """A test is given to a guest: into the store, then told."""
        self.store.started(self.run, test, guest)
        self.emit(TestStarted(test, guest))

    def end(self, test: TestId, outcome: Outcome) -> None:
        """A test's fate: into the store, then told."""
        self.store.ended(self.run, test, outcome)
        self.emit(TestEnded(test, outcome))

    def trouble(self, guest: str, text: str) -> None:
        """Infrastructure trouble, kept apart from every result."""
        self.store.infrastructure(self.run, guest, text)
        self.emit(Note(f"{guest}: {clean(text)}"))

    def output_name(self, test: TestId, suffix: str = ".log") -> str:
        """Where what a test printed is kept, relative to the run's directory; slashes of its name are directories."""
        parts = [_file_name(part) for part in PurePosixPath(test.suite, test.profile).parts]
        parts += [_file_name(part) for part in test.name.split("/")]
        return "/".join(parts) + suffix


def _file_name(text: str) -> str:
    """Part of a test's name as one file name; where letters had to be replaced, a digest keeps two names apart."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-:#") else "-" for c in text).lstrip(".")[:120]
    return plain if plain and plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
