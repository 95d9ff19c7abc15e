"""State shared by all leases of a run, and the only way to record a test's status."""

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
from kdevops.results.unwatched import Unwatched
from kdevops.run.drive.busy import Busy
from kdevops.run.drive.reports import as_stored, unseen
from kdevops.run.drive.work import WorkQueue
from kdevops.run.guests.prepare import GuestSetup
from kdevops.run.guests.servers import Servers
from kdevops.suites.base import BootSuite, ChunkSuite, GuestSuite, PlannedTest
from kdevops.text import clean
from kdevops.triage.oops import Oops, find_reports

MAX_LOST = 2
"""How often work is retried on a fresh guest after infrastructure trouble before kdevops gives up on it."""
GRACE = 10.0
"""Accelerated seconds after a test's deadline in which the guest must report that it stopped the test."""
COMMAND = 30.0
"""Accelerated seconds for a short command in a guest."""
MAX_STRAY = 64


@dataclass(frozen=True)
class Job:
    """One run, shared by all its leases."""

    run: int
    directory: Path
    provider: Provider
    store: Store
    queue: WorkQueue
    tests: Mapping[TestId, PlannedTest]
    guest_suites: Mapping[str, GuestSuite]
    boot_suites: Mapping[str, BootSuite]
    emit: Callable[[RunEvent], None]
    guest_setup: GuestSetup
    quiet_cmdline: tuple[str, ...] = ()
    chunk_suites: Mapping[str, ChunkSuite] = field(default_factory=dict)
    servers: Servers = field(default_factory=Servers)
    busy: Busy = field(default_factory=Busy)

    def begin(self, test: TestId, guest: str) -> None:
        """Store that a test started in a guest, then emit the event."""
        self.store.started(self.run, test, guest)
        self.emit(TestStarted(test, guest))

    def end(self, test: TestId, outcome: Outcome) -> None:
        """Store a test's outcome, then emit the event."""
        self.store.ended(self.run, test, outcome)
        self.emit(TestEnded(test, outcome))

    def trouble(self, guest: str, text: str) -> None:
        """Record infrastructure trouble, separately from results."""
        self.store.infrastructure(self.run, guest, text)
        self.emit(Note(f"{guest}: {clean(text)}"))

    def stray(self, guest: str, lines: Sequence[str], when: str) -> tuple[Oops, ...]:
        """Add kernel reports from outside any test to the run's record, each signature once. Returns the reports."""
        found = find_reports(lines)
        if not found:
            return ()
        known = list(self.store.run(self.run).record.get(STRAY_REPORTS, []))
        signatures = {report["signature"] for report in known}
        flood = bool(found.left_out) and all(report.gates for report in found)
        for report in sorted(found, key=lambda each: not each.gates):  # gating ones first: room is limited
            if report.signature in signatures:
                continue
            if len(known) >= MAX_STRAY and report.gates:
                known = [each for each in known if each["gates"]]
            if len(known) < MAX_STRAY:
                signatures.add(report.signature)
                known.append({**asdict(as_stored(report)), "guest": guest, "when": when})
                self.emit(Note(f"{guest}: {when}, kernel report: {clean(report.title)}"))
            else:
                flood = flood or report.gates
        if flood and all(report["kind"] != "flood" for report in known):
            name = f"{FLOOD} {found[0].signature}"  # reports that were dropped may be anything
            known.append(
                {**asdict(KernelReport("flood", name, name, gates=True, text="")), "guest": guest, "when": when}
            )
        self.store.update_record(self.run, {STRAY_REPORTS: known})
        return found

    def stray_taint(self, guest: str, tainted: str, when: str) -> None:
        """As `stray`, for a taint flag whose report was not seen."""
        known = list(self.store.run(self.run).record.get(STRAY_REPORTS, []))
        report = unseen(tainted)
        if all(each["signature"] != report.signature for each in known):
            self.emit(Note(f"{guest}: {when}: {report.title}"))
            known.append({**asdict(report), "guest": guest, "when": when})
            self.store.update_record(self.run, {STRAY_REPORTS: known})

    def unwatched(self, test: TestId, guest: str) -> None:
        """Record that a test's kernel messages could not be read: neither the console nor the guest's own log has them."""
        known = Unwatched.of(self.store.run(self.run).record)
        self.store.update_record(self.run, known.with_test(test).as_record())
        self.trouble(
            guest, f"{test}: what the kernel reported during it is unknown, because its messages cannot be read"
        )

    def servers_said(self, when: str) -> None:
        """As `stray`, for the servers' kernels."""
        for name, lines in self.servers.said():
            self.stray(name, lines, when)

    def keep(self, name: str, lines: Iterable[str]) -> None:
        """Write output to a file below the run's directory, without control characters."""
        write_atomic(self.directory / name, "".join(f"{clean(line, len(line))}\n" for line in lines))

    def output_name(self, test: TestId, suffix: str = ".log") -> str:
        """The file for a test's output, relative to the run's directory; slashes in its name become directories."""
        parts = [_file_name(part) for part in PurePosixPath(test.suite, test.profile).parts]
        parts += [_file_name(part) for part in test.name.split("/")]
        return "/".join(parts) + suffix


def _file_name(text: str) -> str:
    """Part of a test's name as a file name; if characters were replaced, a digest keeps names distinct."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-:#") else "-" for c in text).lstrip(".")[:120]
    return plain if plain and plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
