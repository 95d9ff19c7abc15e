"""What all leases of a run have in common, and the one way to tell a test's fate."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from kdevops.files import write_atomic
from kdevops.providers.base import Provider
from kdevops.results.complaints import FLOOD, STRAY_REPORTS
from kdevops.results.events import Note, RunEvent, TestEnded, TestStarted
from kdevops.results.model import KernelReport, Outcome, TestId
from kdevops.results.store import Store
from kdevops.run.drive.busy import Busy
from kdevops.run.drive.reports import as_stored, unseen
from kdevops.run.drive.work import WorkQueue
from kdevops.run.guests.prepare import Furniture
from kdevops.run.guests.servers import Servers
from kdevops.suites.base import BootSuite, ChunkSuite, GuestSuite, PlannedTest
from kdevops.text import clean
from kdevops.triage.oops import Oops, find_reports

MAX_LOST = 2
"""How often work is given to a fresh guest after infrastructure trouble before it is left undone."""
GRACE = 10.0
"""Accelerated seconds past a test's deadline in which the guest must say that it stopped the test."""
COMMAND = 30.0
"""Accelerated seconds for a short command in a guest."""
MAX_STRAY = 64


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
    busy: Busy = field(default_factory=Busy)

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

    def stray(self, guest: str, lines: Sequence[str], when: str) -> tuple[Oops, ...]:
        """What the kernel of a guest said while no test ran: its reports, each trouble once, go into the run's record."""
        found = find_reports(lines)
        if not found:
            return ()
        known = list(self.store.run(self.run).record.get(STRAY_REPORTS, []))
        signatures = {report["signature"] for report in known}
        flood = bool(found.left_out) and all(report.gates for report in found)
        for report in sorted(found, key=lambda each: not each.gates):  # notices must not use up the room
            if report.signature in signatures:
                continue
            if len(known) >= MAX_STRAY and report.gates:
                known = [each for each in known if each["gates"]]
            if len(known) < MAX_STRAY:
                signatures.add(report.signature)
                known.append({**asdict(as_stored(report)), "guest": guest, "when": when})
                self.emit(Note(f"{guest}: {when} the kernel said: {clean(report.title)}"))
            else:
                flood = flood or report.gates
        if flood and all(report["kind"] != "flood" for report in known):
            name = f"{FLOOD} {found[0].signature}"  # what is not kept may be anything
            known.append(
                {**asdict(KernelReport("flood", name, name, gates=True, text="")), "guest": guest, "when": when}
            )
        self.store.update_record(self.run, {STRAY_REPORTS: known})
        return found

    def stray_taint(self, guest: str, tainted: str, when: str) -> None:
        """The same for a taint flag whose report nobody saw."""
        known = list(self.store.run(self.run).record.get(STRAY_REPORTS, []))
        report = unseen(tainted)
        if all(each["signature"] != report.signature for each in known):
            self.emit(Note(f"{guest}: {when}: {report.title}"))
            known.append({**asdict(report), "guest": guest, "when": when})
            self.store.update_record(self.run, {STRAY_REPORTS: known})

    def servers_said(self, when: str) -> None:
        """The same for the servers, whoever of the guests made them say it."""
        for name, lines in self.servers.said():
            self.stray(name, lines, when)

    def keep(self, name: str, lines: Iterable[str]) -> None:
        """Keep what was printed as a file below the run's directory, without what could drive a terminal."""
        write_atomic(self.directory / name, "".join(f"{clean(line, len(line))}\n" for line in lines))

    def output_name(self, test: TestId, suffix: str = ".log") -> str:
        """Where what a test printed is kept, relative to the run's directory; slashes of its name are directories."""
        parts = [_file_name(part) for part in PurePosixPath(test.suite, test.profile).parts]
        parts += [_file_name(part) for part in test.name.split("/")]
        return "/".join(parts) + suffix


def _file_name(text: str) -> str:
    """Part of a test's name as one file name; where letters had to be replaced, a digest keeps two names apart."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-:#") else "-" for c in text).lstrip(".")[:120]
    return plain if plain and plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
