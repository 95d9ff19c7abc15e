"""Read KTAP line by line in bounded memory.

Nesting is known by indentation, or by kselftest's habit of putting `# ` before all that a test prints. Unknown lines
(kernel messages, a test's chatter) never change the result. What ktap.rst leaves open is read as the kernel's own
tools/testing/kunit/kunit_parser.py reads it, but for one thing: a plan that was not kept makes the account a failure,
because a test that gave no result must never look green. The test's own totals, where it prints them, are believed for
tests without a result line, and against result lines that hide a failure.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from kdevops.guest import printk
from kdevops.results.model import Status
from kdevops.suites.ktap_account import BAD, Account, Result, first_skip_reason, summarize
from kdevops.suites.ktap_grammar import (
    Bail,
    Depth,
    Diagnostic,
    Header,
    Plan,
    ResultLine,
    Version,
    as_diagnostic,
    read,
    shorten,
    totals,
)

MAX_RESULTS = 20_000
"""Results kept of one log; what comes after is counted only."""
MAX_PROBLEMS = 50
"""Faults kept, and notes kept; what comes after says nothing new."""
MAX_DEPTH = 16
"""Levels of nesting; KUnit and kselftest use four at most."""
_DIAGNOSTICS = 16
_UNNAMED = "(unnamed)"
_ABOVE: Depth = (0, -1)
"""The depth of a top level that the log itself does not show."""
# How KUnit and the kselftest harness begin the line that tells which expectation was not met.
_TELLING = re.compile(r"EXPECTATION FAILED|ASSERTION FAILED|Expected ")


def parse(lines: Iterable[str]) -> Account | None:
    """The account in `lines`; None when there is no KTAP in them."""
    parser = Parser()
    for line in lines:
        parser.feed(line)
    return parser.finish()


@dataclass(slots=True)
class _Level:
    """One depth of nesting that is open: its plan, and its results so far."""

    depth: Depth
    name: str = ""
    plan: int | None = None
    count: int = 0
    last: int = 0
    results: list[Result] = field(default_factory=list)
    diagnostics: deque[str] = field(default_factory=lambda: deque(maxlen=_DIAGNOSTICS))
    totals: dict[str, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    @property
    def label(self) -> str:
        return self.name or "the top level"

    @property
    def expected(self) -> int:
        """How many results there should be: the plan, or the highest number seen."""
        return max(self.plan or 0, self.last)

    @property
    def missing(self) -> int:
        """Tests without a result that the test's own totals do not account for either."""
        return max(0, self.expected - max(self.count, sum(self.totals.values())))

    def restart(self) -> None:
        """Another account begins at the same depth."""
        self.plan, self.count, self.last = None, 0, 0
        self.totals.clear()
        self.seen.clear()


class Parser:
    """Feed it lines, then ask it to finish. Never raises, whatever the lines are."""

    def __init__(self) -> None:
        self._levels: list[_Level] = []
        self._faults: list[str] = []
        self._notes: list[str] = []
        self._kept = 0
        self._dropped = 0
        self._dropped_failures = 0
        self._skip_reason = ""
        self._counted_passes = 0

    def feed(self, text: str) -> None:
        """Take one line, with or without its line end and printk's prefix."""
        text = printk.message(text)
        line = read(text)
        if line is None or isinstance(line, Diagnostic) or not self._belongs(line):
            self._diagnostic(as_diagnostic(text))
        elif isinstance(line, Version):
            self._version(line)
        elif isinstance(line, Header):
            self._header(line)
        elif isinstance(line, Plan):
            self._plan(line)
        elif isinstance(line, ResultLine):
            self._result(line)
        else:
            self._fault(f"Bail out! {line.reason}".rstrip())

    def finish(self) -> Account | None:
        """The account; None when there was no KTAP at all, so that the caller goes by the exit code."""
        if not self._levels:
            return None
        flight = self._in_flight()
        while len(self._levels) > 1:
            self._orphan()
        root = self._levels[0]
        self._end(root)
        if root.plan is None and not root.count and not root.results and not root.totals:
            self._fault("a KTAP header and no result")
        if self._dropped:
            text = f"only {MAX_RESULTS} results were kept; {self._dropped_failures} of the other {self._dropped} failed"
            (self._fault if self._dropped_failures else self._note)(text)
        status = summarize(root.results)
        if not root.results and self._counted_passes:
            status = Status.PASS  # kcmp_test and others count their tests, and print no result lines
        return Account(
            Status.FAIL if self._faults else status,
            tuple(root.results),
            tuple(self._faults),
            tuple(self._notes),
            in_flight=" / ".join(flight),
            dropped=self._dropped,
            skip_reason=self._skip_reason or first_skip_reason(root.results),
        )

    def _diagnostic(self, line: Diagnostic | None) -> None:
        if line is None or not self._levels:
            return
        level = self._levels[-1]
        level.diagnostics.append(line.text)
        level.totals = totals(line.text) or level.totals

    def _belongs(self, line: Version | Header | Plan | ResultLine | Bail) -> bool:
        """Whether the line is KTAP where it stands, or only looks like it."""
        hashes = line.depth[0]
        if hashes and not isinstance(line, Version) and all(level.depth[0] != hashes for level in self._levels):
            return False  # a diagnostic; what kselftest's runner nests has a version line of its own
        if not self._levels and (isinstance(line, Bail) or (isinstance(line, ResultLine) and line.number is None)):
            return False
        if len(self._levels) >= MAX_DEPTH and line.depth > self._levels[-1].depth:
            self._note(f"nested deeper than {MAX_DEPTH} levels: the rest was left out")
            return False
        return True

    def _version(self, line: Version) -> None:
        if not line.known:
            self._note(f"unknown version: {line.text}")
        level = self._begin(line.depth)
        if level.count or level.plan is not None:  # a script that runs several programs, one after the other
            self._end(level)
            level.restart()

    def _header(self, line: Header) -> None:
        level = self._begin(line.depth)
        if not level.count:
            level.name = line.name

    def _begin(self, depth: Depth) -> _Level:
        """The level at `depth` for a new account; the result line of a named one that was under way there got lost."""
        level = self._at(depth)
        if level.name and level.count and depth > (0, 0):
            if len(self._levels) == 1:
                self._levels.insert(0, _Level(_ABOVE))
            self._orphan()
            level = self._at(depth)
        return level

    def _plan(self, line: Plan) -> None:
        level = self._at(line.depth)
        if level.plan is not None and level.plan != line.count:
            self._note(f"{level.label}: two plans, 1..{level.plan} and 1..{line.count}")
        level.plan = max(level.plan or 0, line.count)
        self._skip_reason = self._skip_reason or line.reason

    def _result(self, line: ResultLine) -> None:
        nested = self._take_nested(line.depth)
        level = self._at(line.depth)
        number = level.last + 1 if line.number is None else line.number
        identity = hash((number, line.name, line.status))
        if identity in level.seen and not nested:
            self._note(f"{level.label}: the line of number {number} came twice")
            return  # what stood in stdio's buffer when the test forked, printed by both processes
        if len(level.seen) < MAX_RESULTS:
            level.seen.add(identity)
        if number <= level.last:
            self._note(f"{level.label}: number {number} came again or too late")
        elif number > level.last + 1:
            self._note(f"{level.label}: number {number} follows {level.last}")
        level.last = max(level.last, number)
        level.count += 1
        name, status, reason = line.name or (nested.name if nested else "") or str(number), line.status, line.reason
        diagnostics = [*level.diagnostics, *(nested.diagnostics if nested else ())]
        level.diagnostics.clear()
        if nested:
            status, reason = _judge_parent(status, reason, nested)
        if status is Status.FAIL and not reason and diagnostics:
            reason = next(filter(_TELLING.search, diagnostics), diagnostics[-1])
        self._keep(level, Result(name, status, reason, tuple(nested.results) if nested else ()))

    def _take_nested(self, depth: Depth) -> _Level | None:
        """The level whose result a line at `depth` gives; whatever is deeper still got none."""
        if not self._levels or self._levels[-1].depth <= depth:
            return None
        while len(self._levels) > 1 and self._levels[-2].depth > depth:
            self._orphan()
        nested = self._levels.pop()
        self._end(nested)
        return nested

    def _at(self, depth: Depth) -> _Level:
        """The level at `depth`, opened when there is none; deeper ones end without their parent's result."""
        while self._levels and self._levels[-1].depth > depth:
            if len(self._levels) == 1:
                self._levels.insert(0, _Level(depth))
            self._orphan()
        if not self._levels or self._levels[-1].depth < depth:
            self._levels.append(_Level(depth))
        return self._levels[-1]

    def _in_flight(self) -> list[str]:
        """The names of the levels that wait for their parent's result; the top has none, unless it was nested."""
        top = self._levels[0]
        if top.name and (top.depth > (0, 0) or top.missing):
            self._levels.insert(0, _Level(_ABOVE))
        return [level.name or _UNNAMED for level in self._levels[1:]]

    def _orphan(self) -> None:
        """The deepest level ends without its parent's result line."""
        level = self._levels.pop()
        self._fault(f"{level.name or _UNNAMED} was begun and never ended")
        self._end(level)
        result = Result(level.name or _UNNAMED, Status.MISSING, "begun and never ended", tuple(level.results))
        self._keep(self._levels[-1], result)

    def _end(self, level: _Level) -> None:
        if level.missing:
            self._fault(f"{level.label}: {level.missing} of {level.expected} planned tests gave no result")
        elif level.count < level.expected:
            self._note(f"{level.label}: {level.expected - level.count} tests stand in its totals, but gave no result")
        elif level.plan is not None and level.count > level.plan:
            self._note(f"{level.label}: {level.count} results where {level.plan} were planned")
        failed = level.totals.get("fail", 0) + level.totals.get("error", 0)
        if failed and summarize(level.results) is not Status.FAIL:
            self._fault(f"{level.label}: its totals count {failed} failures, but no result tells of them")
        self._counted_passes += level.totals.get("pass", 0)

    def _keep(self, level: _Level, result: Result) -> None:
        if self._kept < MAX_RESULTS:
            self._kept += 1
            level.results.append(result)
        else:
            self._dropped += 1
            self._dropped_failures += result.status in BAD

    def _fault(self, text: str) -> None:
        if len(self._faults) < MAX_PROBLEMS:
            self._faults.append(shorten(text))

    def _note(self, text: str) -> None:
        if len(self._notes) < MAX_PROBLEMS:
            self._notes.append(shorten(text))


def _judge_parent(status: Status, reason: str, nested: _Level) -> tuple[Status, str]:
    """A parent's own word is not believed against what stood below it."""
    if status is not Status.PASS:
        return status, reason
    if bad := next((result.name for result in nested.results if result.status in BAD), ""):
        return Status.FAIL, f"says ok, but {bad} below it failed"
    if nested.missing:
        return Status.FAIL, f"says ok, but {nested.missing} of {nested.expected} planned tests gave no result"
    if not nested.count:
        return Status.SKIP, "no test ran in it"
    return status, reason
