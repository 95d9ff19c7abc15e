"""Whether tests left their guest fit for more."""

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
    """Why the guest is not fit for more tests, "" where it is. `tainted` are its kernel's taint flags of before.

    Unless the kernel `said` what explains a new taint flag, here or under one of the tests that were `told` of, the flag is a
    report of its own.
    """
    command = ["sh", "-c", _SCRIPT, "kdevops", *suite.sweep_command()]
    done = await guest.ssh.run(command, timeout=COMMAND * job.provider.factor, check=False)
    if done.returncode != 0 or not done.stdout:
        return f"what tests left behind could not be found out (exit code {done.returncode})"
    now, *reasons = done.stdout.splitlines()
    if worse := taint.worsened(tainted, taint.parse(now) or 0):
        reports = (report for outcome in told.values() for report in outcome.reports)
        if not said and not any(report.gates for report in reports):
            job.stray_taint(name, worse, f"after {len(told)} tests of {suite.name}")
        return worse
    return clean(reasons[0], 200) if reasons else ""
