"""Failure rates in notes about tests: F:1/11 is one failure in 11 runs.

Such notes come from upstream kdevops' expunge lists; some say "failure rate is about 1/11".
"""

from __future__ import annotations

import re

from kdevops.results.model import Counts, Status

_RATE = re.compile(
    r"(?:(?<!\S)(?:f|fail|hung|hang|crash): ?|\brate\b[^0-9/]{0,30})~?(?P<bad>[0-9]{1,9})/(?P<runs>[0-9]{1,9})(?![0-9/])",
    re.ASCII | re.IGNORECASE,
)


def rate_of(why: str) -> tuple[int, int] | None:
    """The first failure rate in a note, as (failures, runs); None without one."""
    match = _RATE.search(why)
    bad, runs = (int(match["bad"]), int(match["runs"])) if match else (0, 0)
    return (bad, runs) if 0 < bad <= runs else None


def counts_of(why: str) -> Counts:
    """The counts for a note: 10 passes and a failure for F:1/11, without a rate one failure.

    A list does not say how the test fails: a failure here may also be a crash or a hang.
    """
    bad, runs = rate_of(why) or (1, 1)
    counts = {Status.PASS: runs - bad, Status.FAIL: bad}
    return Counts({status: number for status, number in counts.items() if number})
