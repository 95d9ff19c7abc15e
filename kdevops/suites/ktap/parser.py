"""Read KTAP line by line in bounded memory.

Nesting is known by indentation, or by the `# ` that kselftest's runner puts before all output of a test. Unknown lines
(kernel messages, other output of a test) never change the result. What ktap.rst leaves open is read as in the kernel's
tools/testing/kunit/kunit_parser.py, unless that would hide a failure: an incomplete plan is a failure, because a test
without a result must never look green; and a `not ok` where a result can be counts, with or without a number, a plan or
a version line (TAP 13 and 14 require none of them). The test's own totals, if printed, count for tests without a result
line, and against result lines that hide a failure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kdevops.guest import printk
from kdevops.process import CUT
from kdevops.results.model import Status
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
    totals,
)
from kdevops.suites.ktap.level import Level, judge_parent
from kdevops.suites.ktap.levels import Levels
from kdevops.suites.ktap.parsed_log import ParsedLog, Result, first_skip_reason, summarize
from kdevops.suites.ktap.tally import UNNAMED, Tally
from kdevops.suites.ktap.yaml_block import YamlBlocks
from kdevops.text import without_escapes

MAX_DEPTH = 16
"""Levels of nesting; KUnit and kselftest use four at most."""
_SIDE = 1900
"""Characters examined at each end of a line; printk.message takes twice as many and a little more."""
# Every relevant line contains one of these; all others are skipped cheaply.
_WORTH_READING = re.compile(r"ok|TAP version|1\.\.|#|Bail out!|---|\.\.\.|\}")
_STAMP = re.compile(r"(?<=\S)(?=\[ {0,8}\d{1,12}\.\d{6}\](?:\[ {0,12}[TC]\d{1,10}\])? +(?:not )?ok )")
"""Where two kernel messages are on one console line, and the second one is a result."""
_GLUED = re.compile(r"not ok (\d{1,9})\b")
_COUNTS = re.compile(r"(?:\S+: pass|Totals: \w+):\d")
# How KUnit and the kselftest harness begin the line with the expectation that was not met.
_TELLING = re.compile(r"EXPECTATION FAILED|ASSERTION FAILED|Expected ")

_Known = Version | Header | Announcement | Plan | ResultLine | Bail


def parse(lines: Iterable[str]) -> ParsedLog | None:
    """Parse `lines`; None if they contain no KTAP."""
    parser = Parser()
    for line in lines:
        parser.feed(line)
    return parser.finish()


class Parser:
    """Call `feed` with each line, then `finish`. Never raises, whatever the lines are."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._levels = Levels(self._tally)
        self._yaml = YamlBlocks()
        self._plain = False
        self._tentative = False
        self._skip_reason = ""

    def feed(self, text: str) -> None:
        """Process one line, with or without its line end and printk's prefix.

        A carriage return ends a line, as in kunit.py: a result that a test prints over its own progress counts.
        """
        for part in text.rstrip("\r\n").split("\r"):
            if _WORTH_READING.search(part) or self._yaml.waiting:
                for line in [part] if self._plain else _STAMP.split(part):
                    self._feed(line)

    def finish(self) -> ParsedLog | None:
        """The parsed log; None if there was no KTAP at all, so that the caller uses the exit code."""
        if not self._levels.open or self._tentative:
            return None
        self._close_blocks((0, -1))
        root, flight = self._levels.close()
        tally = self._tally
        tally.end(root)
        if not (tally.faults or root.plan is not None or root.count or root.results or root.totals):
            tally.fault("a KTAP header and no result")
        tally.tell_dropped()
        status = Status.FAIL if root.bad else summarize(root.results)
        if not root.results and tally.counted_passes:
            status = Status.PASS  # kcmp_test and others count their tests and print no result lines
        return ParsedLog(
            Status.FAIL if tally.faults else status,
            tuple(root.results),
            tuple(tally.faults),
            tuple(tally.notes),
            in_flight=" / ".join(flight),
            dropped=tally.dropped,
            skip_reason=self._skip_reason or first_skip_reason(root.results),
            failed=bool(root.bad or tally.dropped_failures or tally.untold),
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
            line = None  # a test's own output has no time stamps: this is the kernel, on the same console
        if isinstance(line, Version) and not self._levels.open:
            self._plain = not stamped
        if line is None or isinstance(line, Diagnostic) or not self._belongs(line):
            self._other(bare)
            return
        if len(self._levels.open) >= MAX_DEPTH and line.depth > self._levels.open[-1].depth:
            self._too_deep(line)
            return
        self._confirm(line)
        self._close_blocks(line.depth)
        self._known(line, cut=cut)

    def _confirm(self, line: _Known) -> None:
        """Decide about lines that only say "ok", which scripts also print as other output.

        A plan or an unnumbered result makes them results, anything else discards them.
        """
        loose = isinstance(line, ResultLine) and line.loose
        if not self._levels.open:
            self._tentative = loose
        elif self._tentative and not loose:
            self._tentative = False
            if not isinstance(line, Plan) and not (isinstance(line, ResultLine) and line.number is None):
                self._levels.open.clear()

    def _known(self, line: _Known, *, cut: bool) -> None:
        if isinstance(line, Version):
            self._version(line)
        elif isinstance(line, Header):
            self._header(line)
        elif isinstance(line, Announcement):
            self._levels.announced = line
        elif isinstance(line, Plan):
            self._plan(line)
        elif isinstance(line, ResultLine) and line.name.endswith("{") and not self._levels.is_nested(line.depth):
            self._levels.at(line.depth).block = line
        elif isinstance(line, ResultLine):
            self._result(line, cut=cut)
        else:
            self._bail(line)

    def _other(self, text: str) -> None:
        """Process a line that is not KTAP: a diagnostic, the end of a block, or other output."""
        if text.strip() == "}":
            self._close_blocks((text.count("#"), len(text.expandtabs()) - len(text.expandtabs().lstrip())))
        if not self._levels.open:
            return
        level = self._levels.open[-1]
        if line := as_diagnostic(text):
            level.count_totals(totals(line.text) or {})
            if not _COUNTS.match(line.text):
                level.diagnostics.append(line.text)
        elif (glued := _GLUED.search(text)) and int(glued[1]) == level.last + 1:
            level.glued = int(glued[1])

    def _belongs(self, line: _Known) -> bool:
        """Whether the line is KTAP, or only looks like it."""
        hashes = line.depth[0]
        here = any(level.depth == line.depth for level in self._levels.open)
        if isinstance(line, Announcement):
            return here
        if hashes and not isinstance(line, Version) and all(level.depth[0] != hashes for level in self._levels.open):
            # A diagnostic, unless it is below a test that kselftest's runner announced.
            return bool(self._levels.announced and hashes == self._levels.announced.depth[0] + 1) and not _is_bare(line)
        if isinstance(line, ResultLine) and line.loose:
            numbered = any(level.numbered for level in self._levels.open if level.depth == line.depth)
            return (here or (not self._levels.open and line.depth == (0, 0))) and not numbered
        return True

    def _too_deep(self, line: _Known) -> None:
        self._tally.note(f"nested deeper than {MAX_DEPTH} levels: the rest was ignored")
        if isinstance(line, ResultLine) and line.status is Status.FAIL:
            self._tally.fault(f"{line.name or UNNAMED}, nested deeper than {MAX_DEPTH} levels, failed")

    def _version(self, line: Version) -> None:
        if not line.known:
            self._tally.note(f"unknown version: {line.text}")
        level = self._levels.begin(line.depth)
        begun = level.count or level.plan is not None or level.totals
        if begun:  # a script that runs several programs, one after the other
            self._tally.end(level)
            level.restart()

    def _header(self, line: Header) -> None:
        level = self._levels.at(line.depth)
        begun = level.plan is not None or level.count
        if begun and (level.titled or line.depth == self._levels.open[0].depth == (0, 0)):
            level.next_name = line.name  # in TAP 14 the name comes before the nested results
            return
        level = self._levels.begin(line.depth)
        if not level.count:
            level.name = line.name

    def _plan(self, line: Plan) -> None:
        level = self._levels.at(line.depth)
        level.announced = True
        if level.plan is not None and level.plan != line.count:
            self._tally.note(f"{level.label}: two plans, 1..{level.plan} and 1..{line.count}")
        level.plan = max(level.plan or 0, line.count)
        self._skip_reason = self._skip_reason or line.reason

    def _bail(self, line: Bail) -> None:
        if not self._levels.open:
            self._levels.open.append(Level((0, 0)))
        level = next((each for each in reversed(self._levels.open) if each.depth <= line.depth), self._levels.open[0])
        level.bailed = True
        self._tally.fault(f"Bail out! {line.reason}".rstrip())

    def _result(self, line: ResultLine, *, cut: bool = False) -> None:
        nested = self._levels.take_nested(line)
        level = self._levels.at(line.depth)
        if nested:
            nested.name = nested.name or line.name
            self._tally.end(nested, skipped=line.status is Status.SKIP)
        number = level.number(line)
        if self._tally.repeats(level, hash((number, line.name, line.status))) and not nested:
            self._tally.note(f"{level.label}: the line of number {number} came twice")
            return  # stdio's buffer at the time of a fork, printed by both processes
        self._count(level, line, number)
        name, status, reason = line.name or (nested.name if nested else "") or str(number), line.status, line.reason
        diagnostics = [*level.diagnostics, *(nested.diagnostics if nested else ())]
        level.diagnostics.clear()
        if nested:
            status, reason = judge_parent(status, reason, nested)
        if cut and status.is_well:
            status, reason = Status.FAIL, "its line was cut, so the end of its text is unknown"
        if status is Status.FAIL and not reason and diagnostics:
            reason = next(filter(_TELLING.search, diagnostics), diagnostics[-1])
        self._tally.keep(
            level, Result(name, status, reason, tuple(nested.results) if nested else ()), parent=bool(nested)
        )

    def _count(self, level: Level, line: ResultLine, number: int) -> None:
        if number <= level.last:
            self._tally.note(f"{level.label}: number {number} came again or too late")
        elif number > level.last + 1:
            self._tally.note(f"{level.label}: number {number} follows {level.last}")
        level.first = line.number if not level.count else level.first
        level.last = max(level.last, number)
        level.count += 1
        level.next_name = ""
        if self._levels.announced and line.depth <= self._levels.announced.depth:
            self._levels.announced = None

    def _close_blocks(self, depth: Depth) -> None:
        """Record the result lines that end in `{`, now that the log is back at their depth or further out."""
        while line := self._levels.next_block(depth):
            self._result(line)


def _is_bare(line: _Known) -> bool:
    return isinstance(line, ResultLine) and line.number is None
