"""One expunge list: its lines, and how a file is read of which nobody knows what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.files import read_regular
from kdevops.results.baselines import committed
from kdevops.results.rate import JOINT, UNSAID
from kdevops.text import ELLIPSIS, clean

MAX_BYTES = 1 << 20
"""Bytes of one list; the longest upstream has 7 thousand."""
MAX_NOTE = 400
MAX_REASON = 2000
_ON_CONFLICT = "keep the lines of both sides and remove the markers"
_LINE = re.compile(r"(?P<test>[a-z0-9_][a-z0-9_-]*/[0-9]{3}[A-Za-z0-9-]*)\s*(?:#\s*(?P<note>.*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expunge:
    """A test known to fail, with the list's file and line, and a note if there is one."""

    test: str
    file: Path
    line: int
    note: str = ""

    @property
    def reason(self) -> str:
        """Why the test is expected to fail; never empty."""
        return self.note or f"{UNSAID}{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A test known to fail: all that the lists say of it, in the order of precedence. `of` is the directory of the first.

    `other` is it, too, but only if that is another release than the kernel.
    """

    lines: tuple[Expunge, ...]
    of: str
    other: str = ""

    @property
    def reason(self) -> str:
        """All notes, joined, and which other release they are for; never empty."""
        notes = dict.fromkeys(each.note for each in self.lines if each.note)
        why = JOINT.join(notes) or self.lines[0].reason
        end = f" (listed for {self.other})" if self.other else ""
        if len(why) > MAX_REASON:
            why = why[: MAX_REASON - 1] + ELLIPSIS
        return why + end

    def and_also(self, line: Expunge, other: str) -> Listed:
        """With one more line, `other` as above."""
        return Listed((*self.lines, line), self.of, self.other or other)


def test_in(line: str) -> str:
    """The test of a line, "" for a comment or a line without one."""
    match = _LINE.fullmatch(line.strip())
    return match["test"] if match else ""


def parse(text: str, path: Path) -> list[Expunge]:
    """The lines of a list, in order. Raises UserError naming `path` and the line of the mistake."""
    expunges = []
    for number, where, line in committed.lines(text, path, on_conflict=_ON_CONFLICT):
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise UserError(
                f"{where}: not a line of an expunge list: {clean(line, 80)}",
                hint="expected e.g. `generic/482 # F:1/11`",
            )
        expunges.append(Expunge(match["test"], path, number, clean(match["note"] or "", MAX_NOTE)))
    return expunges


def read(path: Path) -> str:
    """The text of a list, without a byte order mark. Nothing that the path may be keeps the reader waiting.

    Raises UserError for a file that cannot be read, is not a regular file, or is larger than any list.
    """
    try:
        found = read_regular(path, MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read the expunge list {path}: {error.strerror}") from error
    if found is None:
        raise UserError(f"the expunge list {path} is not a regular file", hint="remove it, or put a list there")
    data, _ = found
    if len(data) > MAX_BYTES:
        raise UserError(
            f"the expunge list {path} is larger than {MAX_BYTES >> 20} MiB",
            hint="is it a list? One has a line for each test",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # which has all bytes: no note is lost
