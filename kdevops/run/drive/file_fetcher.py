"""Fetches files that tests leave in a guest while the next test runs, so that they survive if it crashes the guest."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kdevops.errors import InfrastructureError
from kdevops.guest.archive import unpack
from kdevops.providers.base import Guest
from kdevops.results.events import Note
from kdevops.results.model import Outcome, TestId
from kdevops.run.drive.background import Background
from kdevops.run.drive.job import Job
from kdevops.run.drive.work import Work
from kdevops.suites.base import ChunkSuite
from kdevops.text import clean

MAX_FILE = 1 << 20
"""Bytes kept of one file."""
MAX_RECORD = 64 << 20
"""Bytes kept of a file of the harness's own record, which may contain the output of all tests."""
MAX_ARCHIVE = 80 << 20
_SECONDS = 60.0
"""Accelerated seconds to fetch the files of one test."""


class FileFetcher(Background):
    """Fetches files in the background, in order. A context manager; leaving it drops what has not been fetched."""

    def __init__(self, job: Job, name: str, guest: Guest, suite: ChunkSuite) -> None:
        self._job, self._name, self._guest, self._suite = job, name, guest, suite
        self._wanted: asyncio.Queue[TestId] = asyncio.Queue()

    def want(self, test: TestId) -> None:
        """Queue the files of this test for fetching."""
        self._wanted.put_nowait(test)

    async def drained(self) -> None:
        """Wait until everything queued has been fetched or has failed."""
        await self._wanted.join()

    async def record(self, work: Work, told: Mapping[TestId, Outcome]) -> None:
        """Compare the reported outcomes with the harness's own record and report disagreements."""
        directory = self._job.directory / work.suite / work.tests[0].profile / ".record" / self._name
        if await self._fetch(None, work.tests[0].profile, directory):
            for line in self._suite.reconcile(directory, told):
                self._job.trouble(self._name, line)

    async def _go_on(self) -> None:
        while True:
            test = await self._wanted.get()
            try:
                await self._fetch(test, test.profile, self._job.directory / test.suite / _where(test))
            finally:
                self._wanted.task_done()

    async def _fetch(self, test: TestId | None, profile: str, directory: Path) -> bool:
        """Whether the files were fetched; a failure is only noted, because no status depends on them."""
        timeout = _SECONDS * self._job.provider.slowdown
        limit = MAX_FILE if test else MAX_RECORD
        command = self._suite.keep_command(test, profile, limit)
        self._job.directory.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.NamedTemporaryFile(dir=self._job.directory, prefix=".leftovers-") as file:

                def keep(data: bytes) -> None:
                    file.write(data[: max(0, MAX_ARCHIVE - file.tell())])

                await self._guest.ssh.run(command, timeout=timeout, check=False, on_bytes=keep)
                file.flush()
                unpack(Path(file.name), directory, limit)
        except (InfrastructureError, OSError) as error:
            what = str(test) if test else self._suite.name
            self._job.emit(Note(f"{self._name}: the files of {what} could not be fetched: {clean(str(error))}"))
            return False
        return True


def _where(test: TestId) -> Path:
    """The directory of a profile; further repeats of a test have their own, because their file names are the same."""
    _, _, repeat = test.name.partition("#")
    return Path(test.profile, f"repeat-{int(repeat)}") if repeat.isdecimal() else Path(test.profile)
