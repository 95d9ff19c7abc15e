"""One line of KTAP.

The format is Documentation/dev-tools/ktap.rst of the kernel (KTAP version 1); TAP 13 and 14 are its ancestors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kdevops.results.model import Status

MAX_TEXT = 240
"""Characters kept of a name or a reason."""

Depth = tuple[int, int]
"""The depth of a line: the number of `# ` from kselftest's runner, then the column of its first character."""

_LINE = re.compile(
    r"""(?P<prefix>(?:[ \t]|\#[ ])*?)
    (?: (?P<version>K?TAP[ ]version[ ]\d{1,4})
      | \#[ ]Subtest:[ ](?P<subtest>.*)
      | \#[ ](?P<runner>selftests:[ ].*)
      | 1\.\.(?P<plan>\d{1,9})(?:[ \t]+\#[ \t]*(?P<why>.*))?
      | (?P<result>ok|not[ ]ok)(?:[ \t]+(?P<number>\d{1,9})(?P<text>[ \t].*)?|(?P<unnumbered>[ \t].*)?)
      | Bail[ ]out!(?P<bail>.*)
    )[ \t]*""",
    re.VERBOSE,
)
# TAP 14 writes a "#" that does not begin a directive as "\#". Text that looks like a count or a value (`# skip:0`, `#
# error=0`) is diagnostic data (ktap.rst: `# rcode=0`).
_DIRECTIVE = re.compile(r"(?:^|\s)#\s*(SKIP(?:PED)?|TODO|XFAIL|TIMEOUT|ERROR)(?![\w=]|:\d)[\s:]*(.*)", re.IGNORECASE)
_REMARK = re.compile(r"(?:^|\s)#\s+(.*)")
_TOTALS = re.compile(r"\bTotals: (?:\w+:\d{1,9} ?)+")
_COUNT = re.compile(r"(pass|fail|xfail|xpass|skip|error):(\d{1,9})")
_SKIP_WORD = re.compile(r"SKIP\S*\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Version:
    """`KTAP version 1`: a new log begins."""

    depth: Depth
    text: str

    @property
    def known(self) -> bool:
        """Whether this parser knows the version."""
        return self.text in {"KTAP version 1", "TAP version 12", "TAP version 13", "TAP version 14"}


@dataclass(frozen=True, slots=True)
class Header:
    """`# Subtest: name`: the name of what is nested at this depth."""

    depth: Depth
    name: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """`# selftests: dir: test`: from here on kselftest's runner puts `# ` before all output of this test."""

    depth: Depth
    name: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`1..N`, before or after the results; `reason` is from `1..0 # SKIP reason`."""

    depth: Depth
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class ResultLine:
    """`ok 1 name # DIRECTIVE reason`; TAP allows a line without a number, KTAP one without a name.

    `loose` is an `ok` that may be other output: it has neither a number nor the "-" that TAP puts before a name.
    """

    depth: Depth
    number: int | None
    name: str
    status: Status
    reason: str
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Bail:
    """`Bail out! reason`: the test gave up."""

    depth: Depth
    reason: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """`# text`, at any depth: describes the next result."""

    text: str


Line = Version | Header | Announcement | Plan | ResultLine | Bail | Diagnostic


def read(text: str) -> Line | None:
    """Parse one line; None if it is not KTAP. `text` has no line end and no printk prefix."""
    match = _LINE.fullmatch(text)
    if not match:
        return as_diagnostic(text)
    depth = match["prefix"].count("#"), len(match["prefix"].expandtabs())
    if match["version"]:
        return Version(depth, match["version"])
    if match["subtest"] is not None:
        return Header(depth, shorten(match["subtest"]))
    if match["runner"]:
        return Announcement(depth, shorten(match["runner"]))
    if match["plan"]:
        return Plan(depth, int(match["plan"]), shorten(_SKIP_WORD.sub("", match["why"] or "", count=1)))
    if match["result"]:
        ok, text = match["result"] == "ok", (match["text"] or match["unnumbered"] or "").strip()
        number = int(match["number"]) if match["number"] else None
        loose = ok and number is None and not (text == "-" or text.startswith("- "))
        return ResultLine(depth, number, *_result(ok, text), loose)
    return Bail(depth, shorten(match["bail"]))


def as_diagnostic(text: str) -> Diagnostic | None:
    """A line that begins with `#`, even if it looks like something else."""
    stripped = text.lstrip()
    return Diagnostic(shorten(stripped.lstrip("#"))) if stripped.startswith("#") else None


def totals(diagnostic: str) -> dict[str, int] | None:
    """The counts of `# Totals: pass:3 fail:0 xfail:0 xpass:0 skip:0 error:0`, printed last by kselftest.h and KUnit."""
    found = _TOTALS.search(diagnostic)
    return {word: int(number) for word, number in _COUNT.findall(found[0])} if found else None


def shorten(text: str) -> str:
    """Strip the text and cut it to MAX_TEXT characters."""
    return text.strip()[:MAX_TEXT]


def _result(ok: bool, text: str) -> tuple[str, Status, str]:
    text = text.removeprefix("-").strip() if text == "-" or text.startswith("- ") else text
    if directive := _DIRECTIVE.search(text):
        name, word, reason = text[: directive.start()], directive[1].upper(), shorten(directive[2])
        if word.startswith("SKIP"):
            return shorten(name), Status.SKIP, reason
        if word == "XFAIL" or (word == "TODO" and not ok):
            return shorten(name), Status.PASS, f"expected failure: {reason}".removesuffix(": ")
        if word == "TODO":  # TAP 14: it works now, and the directive can be removed
            return shorten(name), Status.PASS, f"unexpected pass: {reason}".removesuffix(": ")
        if not ok or directive[1].isupper():
            return shorten(name), Status.FAIL, f"{word.lower()}: {reason}".removesuffix(": ")
    remark = _REMARK.search(text)
    name = text[: remark.start()] if remark else text
    return shorten(name), Status.PASS if ok else Status.FAIL, shorten(remark[1]) if remark else ""
