"""Read KTAP line by line in bounded memory.

Nesting is known by indentation, or by kselftest's habit of putting `# ` before all that a test prints. Unknown lines
(kernel messages, a test's chatter) never change the result. What ktap.rst leaves open is read as the kernel's own
tools/testing/kunit/kunit_parser.py reads it, where that hides nothing: a plan that was not kept makes the account a
failure, because a test that gave no result must never look green; and a `not ok` that stands where a result can stand
counts, with or without a number, a plan or a version line (TAP 13 and 14 ask for none of them). The test's own totals,
where it prints them, are believed for tests without a result line, and against result lines that hide a failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from kdevops.guest import printk
from kdevops.process import CUT
from kdevops.results.model import Status
from kdevops.suites.ktap.account import BAD, Account, Result, first_skip_reason, summarize
from kdevops.suites.ktap.grammar import (
    Announcement,
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
from kdevops.suites.ktap.level import Level, judge_parent
from kdevops.suites.ktap.yaml_block import YamlBlocks
from kdevops.text import without_escapes

MAX_RESULTS = 20_000
"""Results kept of one log; what comes after is counted only."""
MAX_PROBLEMS = 50
"""Faults kept, and notes kept; what comes after says nothing new."""
MAX_DEPTH = 16
"""Levels of nesting; KUnit and kselftest use four at most."""
_SIDE = 1900
"""Characters looked at of each end of a line; printk.message takes twice as many and a little more."""
_UNNAMED = "(unnamed)"
_ABOVE: Depth = (0, -1)
"""The depth of a top level that the log itself does not show."""
# What every line that could mean anything here has in it; all others cost nothing.
_WORTH_READING = re.compile(r"ok|TAP version|1\.\.|#|Bail out!|---|\.\.\.|\}")
# How KUnit and the kselftest harness begin the line that tells which expectation was not met.
_STAMP = re.compile(r"(?<=\S)(?=\[ {0,8}\d{1,12}\.\d{6}\](?:\[ {0,12}[TC]\d{1,10}\])? +(?:not )?ok )")
"""Where two of the kernel's messages came to stand in one line of a console, and the second is a result."""
_GLUED = re.compile(r"not ok (\d{1,9})\b")
_COUNTS = re.compile(r"(?:\S+: pass|Totals: \w+):\d")
_TELLING = re.compile(r"EXPECTATION FAILED|ASSERTION FAILED|Expected ")

_Known = Version | Header | Announcement | Plan | ResultLine | Bail


def parse(lines: Iterable[str]) -> Account | None:
    """The account in `lines`; None when there is no KTAP in them."""
    parser = Parser()
    for line in lines:
        parser.feed(line)
    return parser.finish()


class Parser:
    """Feed it lines, then ask it to finish. Never raises, whatever the lines are."""

    def __init__(self) -> None:
        self._levels: list[Level] = []
        self._announced: Announcement | None = None
        self._yaml = YamlBlocks()
        self._plain = False
        self._tentative = False
        self._faults: list[str] = []
        self._notes: list[str] = []
        self._kept = 0
        self._dropped = 0
        self._dropped_failures = 0
        self._skip_reason = ""
        self._counted_passes = 0
        self._untold = 0

    def feed(self, text: str) -> None:
        """Take one line, with or without its line end and printk's prefix.

        A carriage return is a line end, as it is for kunit.py: what a test prints over its own progress counts.
        """
        for part in text.rstrip("\r\n").split("\r"):
            if _WORTH_READING.search(part) or self._yaml.waiting:
                for line in [part] if self._plain else _STAMP.split(part):
                    self._feed(line)

    def finish(self) -> Account | None:
        """The account; None when there was no KTAP at all, so that the caller goes by the exit code."""
        if not self._levels or self._tentative:
            return None
        self._close_blocks((0, -1))
        while len(self._levels) > 1 and self._levels[-1].continues(self._levels[-2]):
            self._orphan()
        flight = self._in_flight()
        while len(self._levels) > 1:
            self._orphan()
        root = self._levels[0]
        self._end(root)
        if not (self._faults or root.plan is not None or root.count or root.results or root.totals):
            self._fault("a KTAP header and no result")
        if self._dropped:
            text = f"only {MAX_RESULTS} results were kept; {self._dropped_failures} of the other {self._dropped} failed"
            (self._fault if self._dropped_failures else self._note)(text)
        status = Status.FAIL if root.bad else summarize(root.results)
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
            failed=bool(root.bad or self._dropped_failures or self._untold),
        )

    def _feed(self, text: str) -> None:
        if cut := text.endswith(CUT):
            text = text.removesuffix(CUT)
        if "\x1b" in text:
            text = without_escapes(text)
        if len(text) > 2 * _SIDE:
            text = f"{text[:_SIDE]} … {text[-_SIDE:]}"
        bare, stamped = printk.message(text), "[" in text and printk.is_stamped(text)
        line = read(bare)
        if self._yaml.swallows(bare, line):
            return
        if self._plain and stamped:
            line = None  # a test's own account has no time stamps: this is the kernel, on the same console
        if isinstance(line, Version) and not self._levels:
            self._plain = not stamped
        if line is None or isinstance(line, Diagnostic) or not self._belongs(line):
            self._other(bare)
            return
        if len(self._levels) >= MAX_DEPTH and line.depth > self._levels[-1].depth:
            self._too_deep(line)
            return
        self._confirm(line)
        self._close_blocks(line.depth)
        self._known(line, cut=cut)

    def _confirm(self, line: _Known) -> None:
        """Decide about lines that only say "ok", which scripts also print as chatter: a plan or an unnumbered result makes them
        results, anything else discards them."""
        loose = isinstance(line, ResultLine) and line.loose
        if not self._levels:
            self._tentative = loose
        elif self._tentative and not loose:
            self._tentative = False
            if not isinstance(line, Plan) and not (isinstance(line, ResultLine) and line.number is None):
                self._levels.clear()

    def _known(self, line: _Known, *, cut: bool) -> None:
        if isinstance(line, Version):
            self._version(line)
        elif isinstance(line, Header):
            self._header(line)
        elif isinstance(line, Announcement):
            self._announced = line
        elif isinstance(line, Plan):
            self._plan(line)
        elif isinstance(line, ResultLine) and line.name.endswith("{") and not self._is_nested(line.depth):
            self._at(line.depth).block = line
        elif isinstance(line, ResultLine):
            self._result(line, cut=cut)
        else:
            self._bail(line)

    def _other(self, text: str) -> None:
        """Handle a line that is not KTAP where it stands: a diagnostic, the end of a block, or chatter."""
        if text.strip() == "}":
            self._close_blocks((text.count("#"), len(text.expandtabs()) - len(text.expandtabs().lstrip())))
        if not self._levels:
            return
        level = self._levels[-1]
        if line := as_diagnostic(text):
            level.count_totals(totals(line.text) or {})
            if not _COUNTS.match(line.text):
                level.diagnostics.append(line.text)
        elif (glued := _GLUED.search(text)) and int(glued[1]) == level.last + 1:
            level.glued = int(glued[1])

    def _belongs(self, line: _Known) -> bool:
        """Whether the line is KTAP where it stands, or only looks like it."""
        hashes = line.depth[0]
        here = any(level.depth == line.depth for level in self._levels)
        if isinstance(line, Announcement):
            return here
        if hashes and not isinstance(line, Version) and all(level.depth[0] != hashes for level in self._levels):
            # A diagnostic, unless it stands below the name of a test that kselftest's runner has begun.
            return bool(self._announced and hashes == self._announced.depth[0] + 1) and not _is_bare(line)
        if isinstance(line, ResultLine) and line.loose:
            numbered = any(level.numbered for level in self._levels if level.depth == line.depth)
            return (here or (not self._levels and line.depth == (0, 0))) and not numbered
        return True

    def _too_deep(self, line: _Known) -> None:
        self._note(f"nested deeper than {MAX_DEPTH} levels: the rest was left out")
        if isinstance(line, ResultLine) and line.status is Status.FAIL:
            self._fault(f"{line.name or _UNNAMED}, nested deeper than {MAX_DEPTH} levels, failed")

    def _version(self, line: Version) -> None:
        if not line.known:
            self._note(f"unknown version: {line.text}")
        level = self._begin(line.depth)
        begun = level.count or level.plan is not None or level.totals
        if begun:  # a script that runs several programs, one after the other
            self._end(level)
            level.restart()

    def _header(self, line: Header) -> None:
        level = self._at(line.depth)
        begun = level.plan is not None or level.count
        if begun and (level.titled or line.depth == self._levels[0].depth == (0, 0)):
            level.next_name = line.name  # TAP 14 has the name above what is nested
            return
        level = self._begin(line.depth)
        if not level.count:
            level.name = line.name

    def _begin(self, depth: Depth) -> Level:
        """The level at `depth` for a new account; the result line of a named one that was under way there got lost."""
        level = self._at(depth)
        if level.name and level.count and depth > (0, 0):
            if len(self._levels) == 1:
                self._levels.insert(0, Level(_ABOVE))
            self._orphan()
            level = self._at(depth)
        level.announced = True
        return level

    def _plan(self, line: Plan) -> None:
        level = self._at(line.depth)
        level.announced = True
        if level.plan is not None and level.plan != line.count:
            self._note(f"{level.label}: two plans, 1..{level.plan} and 1..{line.count}")
        level.plan = max(level.plan or 0, line.count)
        self._skip_reason = self._skip_reason or line.reason

    def _bail(self, line: Bail) -> None:
        if not self._levels:
            self._levels.append(Level((0, 0)))
        level = next((each for each in reversed(self._levels) if each.depth <= line.depth), self._levels[0])
        level.bailed = True
        self._fault(f"Bail out! {line.reason}".rstrip())

    def _result(self, line: ResultLine, *, cut: bool = False) -> None:
        nested = self._take_nested(line)
        level = self._at(line.depth)
        if nested:
            nested.name = nested.name or line.name
            self._end(nested, skipped=line.status is Status.SKIP)
        number = level.number(line)
        identity = hash((number, line.name, line.status))
        if identity in level.seen and not nested:
            self._note(f"{level.label}: the line of number {number} came twice")
            return  # what stood in stdio's buffer when the test forked, printed by both processes
        if len(level.seen) < MAX_RESULTS:
            level.seen.add(identity)
        self._count(level, line, number)
        name, status, reason = line.name or (nested.name if nested else "") or str(number), line.status, line.reason
        diagnostics = [*level.diagnostics, *(nested.diagnostics if nested else ())]
        level.diagnostics.clear()
        if nested:
            status, reason = judge_parent(status, reason, nested)
        if cut and status in {Status.PASS, Status.SKIP}:
            status, reason = Status.FAIL, "its line was cut, and what it says at its end is unknown"
        if status is Status.FAIL and not reason and diagnostics:
            reason = next(filter(_TELLING.search, diagnostics), diagnostics[-1])
        self._keep(level, Result(name, status, reason, tuple(nested.results) if nested else ()), parent=bool(nested))

    def _count(self, level: Level, line: ResultLine, number: int) -> None:
        if number <= level.last:
            self._note(f"{level.label}: number {number} came again or too late")
        elif number > level.last + 1:
            self._note(f"{level.label}: number {number} follows {level.last}")
        level.first = line.number if not level.count else level.first
        level.last = max(level.last, number)
        level.count += 1
        level.next_name = ""
        if self._announced and line.depth <= self._announced.depth:
            self._announced = None

    def _take_nested(self, line: ResultLine) -> Level | None:
        """The level whose result the line gives; whatever is deeper still got none."""
        depth = line.depth
        if not self._is_nested(depth):
            return None
        while len(self._levels) > 1 and self._levels[-2].depth > depth:
            self._orphan()
        nested = self._levels.pop()
        above = self._levels[-1] if self._levels else None
        if above and above.depth == depth and nested.continues(above) and line.number == nested.last + 1:
            above.merge(nested)
            return None
        return nested

    def _at(self, depth: Depth) -> Level:
        """The level at `depth`, opened when there is none; deeper ones end without their parent's result."""
        while self._levels and self._levels[-1].depth > depth:
            if len(self._levels) == 1:
                self._levels.insert(0, Level(depth))
            self._orphan()
        if not self._levels or self._levels[-1].depth < depth:
            above = self._levels[-1] if self._levels else None
            level = Level(depth)
            if above and above.next_name:
                level.name, level.titled = above.next_name, True
            elif self._announced and depth[0] == self._announced.depth[0] + 1 and above and above.depth[0] < depth[0]:
                level.name = self._announced.name
            level.announced = bool(level.name)
            self._levels.append(level)
        return self._levels[-1]

    def _close_blocks(self, depth: Depth) -> None:
        """Record the result lines that end in `{`, now that the log is back at their depth or further out."""
        while found := next((each for each in reversed(self._levels) if each.block and each.depth >= depth), None):
            line, found.block = found.block, None
            if line and self._is_nested(line.depth):
                line = replace(line, name=line.name.rstrip("{ "))
            if line:
                self._result(line)

    def _is_nested(self, depth: Depth) -> bool:
        """Whether something deeper than `depth` is open."""
        return bool(self._levels) and self._levels[-1].depth > depth

    def _in_flight(self) -> list[str]:
        """The names of the levels that wait for their parent's result; the top has none, unless it was nested."""
        top, last = self._levels[0], self._levels[-1]
        if top.name and (top.depth > (0, 0) or top.missing):
            self._levels.insert(0, Level(_ABOVE))
        names = [level.name or _UNNAMED for level in self._levels[1:]]
        return [*names, last.next_name] if last.next_name and last.missing else names

    def _orphan(self) -> None:
        """The deepest level ends without its parent's result line."""
        level = self._levels.pop()
        if level.continues(self._levels[-1]):
            self._levels[-1].merge(level)
            return
        self._fault(f"{level.name or _UNNAMED} was begun and never ended")
        self._end(level)
        result = Result(level.name or _UNNAMED, Status.MISSING, "begun and never ended", tuple(level.results))
        self._keep(self._levels[-1], result, parent=True)

    def _end(self, level: Level, *, skipped: bool = False) -> None:
        level.fault = level.fault or level.judge()
        if level.fault and not (skipped and level.missing):  # a skip explains results that are missing
            self._fault(level.fault)
        elif not level.fault and level.count < level.expected:
            self._note(f"{level.label}: {level.expected - level.count} tests stand in its totals, but gave no result")
        elif level.plan is not None and level.count > level.plan:
            self._note(f"{level.label}: {level.count} results where {level.plan} were planned")
        self._counted_passes += level.totals.get("pass", 0)
        self._untold += level.untold

    def _keep(self, level: Level, result: Result, *, parent: bool) -> None:
        """Keep a result while there is room. Parents get twice the room: their status covers what was dropped below them."""
        room = self._kept < MAX_RESULTS * (1 + parent)
        level.take(result, keep=room)
        if room:
            self._kept += 1
        else:
            self._dropped += 1
            self._dropped_failures += result.status in BAD

    def _fault(self, text: str) -> None:
        if len(self._faults) < MAX_PROBLEMS:
            self._faults.append(shorten(text))

    def _note(self, text: str) -> None:
        if len(self._notes) < MAX_PROBLEMS:
            self._notes.append(shorten(text))


def _is_bare(line: _Known) -> bool:
    return isinstance(line, ResultLine) and line.number is None
