"""Checks whether a guest is still fit for tests."""

from __future__ import annotations

from collections.abc import Mapping

from kdevops.guest import taint
from kdevops.providers.base import Guest
from kdevops.results.model import Outcome, TestId
from kdevops.run.drive.job import COMMAND, Job
from kdevops.suites.base import ChunkSuite
from kdevops.text import clean

_SCRIPT = 'cat /proc/sys/kernel/tainted; exec "$@"'


async def sweep(
    job: Job,
    name: str,
    guest: Guest,
    suite: ChunkSuite,
    tainted: int,
    told: Mapping[TestId, Outcome],
    *,
    said: bool = True,
) -> str:
    """Why the guest is unfit for more tests, or "". `tainted`: its kernel's taint flags before the tests.

    A new taint flag becomes a report of its own unless a kernel report explains it, either one already seen (`said`) or
    one of the tests in `told`.
    """
    command = ["sh", "-c", _SCRIPT, "kdevops", *suite.sweep_command()]
    done = await guest.ssh.run(command, timeout=COMMAND * job.provider.slowdown, check=False)
    if done.returncode != 0 or not done.stdout:
        return f"the check of what tests left behind failed (exit code {done.returncode})"
    now, *reasons = done.stdout.splitlines()
    if worse := taint.worsened(tainted, taint.parse(now) or 0):
        reports = (report for outcome in told.values() for report in outcome.reports)
        if not said and not any(report.gates for report in reports):
            job.stray_taint(name, worse, f"after {len(told)} tests of {suite.name}")
        return worse
    return clean(reasons[0], 200) if reasons else ""
