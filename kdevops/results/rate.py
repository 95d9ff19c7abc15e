"""How often a test goes wrong, as a note about it says: F:1/11 is one failure in 11 runs.

People write "failure rate is about 1/11" as well; so do upstream kdevops' expunge lists, from which such notes come.
"""

from __future__ import annotations

import re

from kdevops.results.model import Counts, Status

_RATE = re.compile(
    r"(?:(?<!\S)(?:f|fail|hung|hang|crash): ?|\brate\b[^0-9/]{0,30})~?(?P<bad>[0-9]{1,9})/(?P<runs>[0-9]{1,9})(?![0-9/])",
    re.ASCII | re.IGNORECASE,
)


def rate_of(why: str) -> tuple[int, int] | None:
    """In how many of how many runs a test went wrong, as far as its note says; the first rate where it has several."""
    match = _RATE.search(why)
    bad, runs = (int(match["bad"]), int(match["runs"])) if match else (0, 0)
    return (bad, runs) if 0 < bad <= runs else None


def counts_of(why: str) -> Counts:
    """What a baseline that had seen these runs would know: 10 passes and a failure for F:1/11, else a failure alone.

    How the test goes wrong, a list does not say: what counts as a failure here may be a crash or a hang.
    """
    bad, runs = rate_of(why) or (1, 1)
    counts = {Status.PASS: runs - bad, Status.FAIL: bad}
    return Counts({status: number for status, number in counts.items() if number})
