"""One nesting level of a KTAP log, and its effect on the result line that closes it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from kdevops.results.model import Status
from kdevops.suites.ktap.grammar import Depth, ResultLine
from kdevops.suites.ktap.parsed_log import Result, summarize

_DIAGNOSTICS = 16


@dataclass(slots=True)
class Level:
    """An open level: its plan, and its results so far.

    `announced`: a version, a header or a plan opened it, not a bare result line. `titled`: its name came before it, as
    in TAP 14; `next_name` is such a name for the next nested level. `block` is a result line that ends in `{`: TAP's
    older form of nesting, in which the subtests follow. `loose` counts the results that may be other output. `glued` is
    the number of a `not ok` in the middle of a line. `bad` names the first failure, `fault` is the first problem of the
    log itself.
    """

    depth: Depth
    name: str = ""
    announced: bool = False
    titled: bool = False
    next_name: str = ""
    plan: int | None = None
    count: int = 0
    first: int | None = None
    last: int = 0
    numbered: bool = False
    loose: int = 0
    glued: int = 0
    block: ResultLine | None = None
    bad: str = ""
    fault: str = ""
    bailed: bool = False
    results: list[Result] = field(default_factory=list)
    diagnostics: deque[str] = field(default_factory=lambda: deque(maxlen=_DIAGNOSTICS))
    totals: dict[str, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    @property
    def label(self) -> str:
        """The level's name for messages."""
        return self.name or "the top level"

    @property
    def expected(self) -> int:
        """The expected number of results: the plan, or the highest number seen."""
        return max(self.plan or 0, self.last, self.glued)

    @property
    def missing(self) -> int:
        """Tests without a result that are not in the test's own totals either."""
        return max(0, self.expected - max(self.count, sum(self.totals.values())))

    @property
    def untold(self) -> int:
        """Failures counted by the test's own totals but not reported by any result."""
        failed = self.totals.get("fail", 0) + self.totals.get("error", 0)
        return 0 if self.bad or summarize(self.results) is Status.FAIL else failed

    def restart(self) -> None:
        """Another log begins at the same depth."""
        self.plan, self.first, self.numbered = None, None, False
        self.count = self.last = self.loose = self.glued = 0
        self.totals.clear()
        self.seen.clear()

    def number(self, line: ResultLine) -> int:
        """The number of the next result. Unnumbered `ok` lines before the first number were other output."""
        if line.number is None:
            self.loose += line.loose
            return self.last + 1
        if not self.numbered and 0 < self.loose == self.count and line.number <= self.count:
            self.results.clear()
            self.seen.clear()
            self.first, self.count, self.last, self.loose = None, 0, 0, 0
        self.numbered = True
        return line.number

    def count_totals(self, told: dict[str, int]) -> None:
        """Record the test's own totals. The totals of a program that a script runs later do not undo its failures."""
        if told:
            worst = {word: max(told.get(word, 0), self.totals.get(word, 0)) for word in ("fail", "error")}
            self.totals = told | worst

    def take(self, result: Result, *, keep: bool) -> None:
        """Record a result, whether or not there is room to keep it."""
        if not result.status.is_well:
            self.bad = self.bad or result.name
        if keep:
            self.results.append(result)

    def continues(self, above: Level) -> bool:
        """Whether these results belong to the level above and are just indented too far.

        In ktap.rst every nested log begins with a version line. Without a heading, numbers that continue those of the
        level above show that nothing is nested.
        """
        return not self.announced and self.count > 0 and self.first in {None, above.last + 1}

    def merge(self, below: Level) -> None:
        """Take over the results of `below`, which `continues` this level."""
        self.results += below.results
        self.count += below.count
        self.last = max(self.last + below.count if below.first is None else below.last, self.last)
        self.first = self.first if self.first is not None else below.first
        self.bad, self.fault, self.bailed = (
            self.bad or below.bad,
            self.fault or below.fault,
            self.bailed or below.bailed,
        )
        self.diagnostics.extend(below.diagnostics)
        self.totals = self.totals or below.totals

    def judge(self) -> str:
        """The problem of this level at its end, "" if there is none."""
        if self.missing:
            return f"{self.label}: {self.missing} of {self.expected} planned tests gave no result"
        if self.untold:
            return f"{self.label}: its totals count {self.untold} failures, but no result tells of them"
        return ""


def judge_parent(status: Status, reason: str, nested: Level) -> tuple[Status, str]:
    """A parent's own status does not count against the results below it."""
    if not status.is_well:
        return status, reason
    says = "says ok" if status is Status.PASS else "says that it was skipped"
    if nested.bad:
        return Status.FAIL, f"{says}, but {nested.bad} below it failed"
    if nested.bailed:
        return Status.FAIL, f"{says}, but bailed out"
    if status is Status.SKIP:
        return status, reason
    if nested.missing:
        return Status.FAIL, f"{says}, but {nested.missing} of {nested.expected} planned tests gave no result"
    if nested.fault:
        return Status.FAIL, f"{says}, but {nested.fault.removeprefix(f'{nested.label}: ')}"
    if not nested.count and not nested.totals.get("pass"):
        return Status.SKIP, "no test ran in it"
    return status, reason
