"""Failure rates in notes about tests: F:1/11 is one failure in 11 runs.

Such notes come from upstream kdevops' expunge lists; some say "failure rate is about 1/11", "after ~5 runs", or just
"flaky". Some say how it fails: "Hung:1/6", "crashes".
"""

from __future__ import annotations

import re

from kdevops.results.model import Counts, Status

UNSAID = "listed in "
"""Begins the reason of a test of which a list says nothing: the file's name follows."""
JOINT = "; "
"""Between several notes of a test."""
_FLAGS = re.ASCII | re.IGNORECASE
_RATE = re.compile(
    r"(?:(?<!\S)(?:f|fail|hung|hang|crash): ?|\brate\b[^0-9/]{0,30}|\bfails |\babout )~?"
    r"(?P<bad>[0-9]{1,9})/(?P<runs>[0-9]{1,9})(?![0-9/])"
    r"|\bafter (?:mo[rt]e than )?~?(?P<once>[0-9]{1,9}) (?:runs|loops)\b",
    _FLAGS,
)
_NOT_WORDS = re.compile(r"\S*(?:://|@)\S*")
_START = r"(?<![\w./-])(?<!no )"
_FLAKY = re.compile(
    _START + r"(?:flaky|flakey(?![- ](?:test[- ])?device)|sometimes|intermittent\w*|unreliable|rare(?:ly)?)\b", _FLAGS
)
_WRITTEN = {Status.FAIL: "F:{}/{}", Status.HANG: "Hung:{}/{}", Status.CRASH: "crash F:{}/{}"}
_WAYS = (
    (
        Status.CRASH,
        re.compile(_START + r"(?:crash(?:es|ed|ing)?|panic(?:s|ked)?|oops(?:es)?|bug_on|null pointer)\b", _FLAGS),
    ),
    (Status.HANG, re.compile(_START + r"(?:hangs?|hung|hanging|stalls?|lockup|runs? forever)\b", _FLAGS)),
)
"""The worst first."""


def rate_of(why: str) -> tuple[int, int] | None:
    """The first failure rate in a note, as (failures, runs); None without one."""
    for match in _RATE.finditer(why):
        bad, runs = (1, int(match["once"])) if match["once"] else (int(match["bad"]), int(match["runs"]))
        if 0 < bad <= runs:
            return bad, runs
    return None


def written(way: Status, bad: int, runs: int) -> str:
    """A note that says so, for `counts_of`: a test ended in this bad way in so many of its runs."""
    return _WRITTEN[way].format(bad, runs)


def counts_of(why: str) -> Counts:
    """The counts for a note: 10 passes and a failure for F:1/11.

    Without a rate one failure, and a pass if the note says that the test is flaky: it is known to do both. The failures are
    crashes or hangs where the note says so, the worst that it names. A list need not say how a test fails: a failure here
    may also be a crash or a hang. Several notes, joined by "; ", are of the same runs if they have rates of as many: then
    "F:3/40; Hung:1/40" is 36 passes, 3 failures and a hang.
    """
    if why.startswith(UNSAID):
        return Counts({Status.FAIL: 1})
    if together := _of_the_same_runs(why):
        return together
    words = _NOT_WORDS.sub("", why)
    bad, runs = rate_of(why) or ((1, 2) if _FLAKY.search(words) else (1, 1))
    counts = {Status.PASS: runs - bad, _way(why): bad}
    return Counts({status: number for status, number in counts.items() if number})


def _of_the_same_runs(why: str) -> Counts | None:
    """The counts of several notes about different ways to fail in the same runs; None if they are not that."""
    rated = [(note, rate) for note in why.split(JOINT) if (rate := rate_of(note))]
    ways = {_way(note): bad for note, (bad, _) in rated}
    runs = {runs for _, (_, runs) in rated}
    if len(rated) < 2 or len(ways) < len(rated) or len(runs) > 1 or (passes := max(runs) - sum(ways.values())) < 0:
        return None
    return Counts({**({Status.PASS: passes} if passes else {}), **ways})


def _way(why: str) -> Status:
    words = _NOT_WORDS.sub("", why)
    return next((status for status, named in _WAYS if named.search(words)), Status.FAIL)
