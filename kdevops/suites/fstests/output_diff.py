"""The difference between a test's expected and its real output, as `check` prints it, and a fingerprint of it.

    --- tests/generic/004.out       2026-11-20 10:00:00.000000000 +0000
    +++ /results/xfs/generic/004.out.bad    2026-11-21 10:00:00.000000000 +0000
    @@ -1,2 +1,3 @@
     QA output created by 004
    +cp: cannot create '/mnt/scratch/a.4711': No space left on device
    ...
    (Run 'diff -u tests/generic/004.out /results/xfs/generic/004.out.bad'  to see the entire diff)

`check` prints the first ten lines (DIFF_LENGTH). The fingerprint is made of the lines that differ, without their order and
number, and without what varies from run to run: numbers, addresses, checksums, paths, dates and times.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from kdevops.suites.fstests.check_lines import MAX_REASON
from kdevops.text import clean

MAX_LINES = 100
"""Lines kept of a difference."""
SHOWN = 10
"""Lines of a difference that `check` prints (DIFF_LENGTH), and of which a fingerprint is made."""
_WIDTH = 400
_DIFFERENCE = re.compile(r"--- [^\n]*\n\+\+\+ [^\n]*\.out\.bad\b|\d{1,9}(?:,\d{1,9})?[acd]\d{1,9}(?:,\d{1,9})?\n[<>] ")
_HEADER = re.compile(r"(?:\+\+\+|---)(?: |$)")
_CHANGE = re.compile(r"[+<>-]")
_END = re.compile(r"\.\.\.$|\(Run '")
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# What varies from run to run, and its replacements, in this order.
_VARIES = tuple(
    (re.compile(regex), put)
    for regex, put in (
        (r"\b[\da-fA-F]{8}-(?:[\da-fA-F]{4}-){3}[\da-fA-F]{12}\b", "UUID"),
        (rf"\b{_DAY} {_MONTH} +\d{{1,2}}\b", "DATE"),
        (r"\b\d{4}-\d\d-\d\d\b", "DATE"),
        (r"\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\b", "TIME"),
        (r"(?<![\w.])/[\w.+@%~/-]+", "PATH"),
        (r"\btmp\.\w+", "TMP"),
        (r"\b[\da-f]{2}(?: {1,2}[\da-f]{2}){3,64}\b", "BYTES"),
        (r"\b0[xX][\da-fA-F]+\b|\b(?=[a-f]*\d)[\da-f]{8,128}\b", "NUM"),
        # But not digits in a name: ext4, md5sum.
        (r"(?<![A-Za-z_\d])\d+(?:\.\d+)?", "NUM"),
    )
)


@dataclass(slots=True)
class OutputDiff:
    """Reads the lines after "output mismatch". `ended`: the difference was printed completely."""

    ended: bool = False
    _began: bool = False
    _first: str = ""
    _changes: set[str] = field(default_factory=set)

    def read(self, line: str) -> None:
        """Process one line."""
        line = line.removeprefix("    ")[:_WIDTH]
        if self.ended or _END.match(line):
            self.ended = True
        elif line.startswith("@@"):
            self._began = True
        elif _CHANGE.match(line) and (self._began or not _HEADER.match(line)) and len(self._changes) < MAX_LINES:
            self._first = self._first or clean(line, MAX_REASON)
            self._changes.add(without_what_varies(line))

    @property
    def first(self) -> str:
        """The first line that differs, with its sign; "" if there is none."""
        return self._first

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits, the same for the same difference in any run; "" if no line was seen to differ."""
        said = "\n".join(sorted(self._changes)).encode(errors="replace")
        return hashlib.sha256(said).hexdigest()[:8] if self._changes else ""


def difference_in(text: str) -> str:
    """The difference in the output if `text` is one, cleaned; else ""."""
    text = text.strip("\r\n\t ")
    return clean(text, lines=True) if _DIFFERENCE.match(text) else ""


def without_what_varies(line: str) -> str:
    """A line of a test's output with the parts that change from run to run replaced."""
    for regex, put in _VARIES:
        line = regex.sub(put, line)
    return " ".join(line.split())
