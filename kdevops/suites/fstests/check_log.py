"""Read `check.log`, to which each run of `check` appends a paragraph.

    (an empty line)
    FSTYP         -- xfs             not by `check` itself: what it prints, see `facts`
    Kernel version: 6.1.192          since May 2024
        Sat Nov 21 03:00:00 UTC 2026     output of `date`, so it depends on the locale
    Ran: generic/001 generic/002     since 2016
        Interrupted!                     then the last test did not finish
    Not run: generic/002
    Failures: generic/001
    Failed 1 of 2 tests              or: Passed all 2 tests

A test passed if the paragraph is complete, its last line agrees with its lists, and the test is only in the first list.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from kdevops.results.model import Status
from kdevops.suites.fstests.facts import configuration
from kdevops.suites.fstests.moments import moment
from kdevops.suites.fstests.xunit_cases import TEST_NAME
from kdevops.text import clean

_MAX_TEXT = 16 << 20
_MAX_PARAGRAPHS = 10_000
_LISTS = ("Ran", "Not run", "Failures")
_WORDS = frozenset({"Kernel version", *_LISTS})
_LAST = re.compile(r"Passed all (?P<passed>\d{1,9}) tests|Failed (?P<bad>\d{1,9}) of (?P<of>\d{1,9}) tests", re.ASCII)


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run of `check`, from its paragraph. `interrupted` is the test that was running when it was stopped.

    `when` is local time of that machine, None if the output of `date` cannot be parsed; `timed`: it has a time, not
    only a day. `broken` says why the paragraph is unreliable, "" for a complete one. `config` are facts about
    the configuration, by name.
    """

    kernel: str
    ran: frozenset[str]
    skipped: frozenset[str]
    failed: frozenset[str]
    interrupted: str = ""
    printed: str = ""
    when: datetime | None = None
    timed: bool = False
    broken: str = ""
    config: tuple[tuple[str, str], ...] = ()

    def status(self, name: str) -> Status:
        """How a test of this run ended; MISSING if the paragraph leaves it uncertain."""
        if name in self.failed:
            return Status.FAIL
        if name in self.skipped:
            return Status.SKIP
        unsaid = self.broken or name == self.interrupted or name not in self.ran
        return Status.MISSING if unsaid else Status.PASS

    @property
    def names(self) -> frozenset[str]:
        """Every test named in the paragraph."""
        return self.ran | self.skipped | self.failed

    @property
    def day(self) -> date | str:
        """The day on which it ended; the printed text if that cannot be parsed."""
        return self.when.date() if self.when else self.printed


def read_log(path: Path) -> tuple[LoggedRun, ...]:
    """The runs in the log, in order, without duplicates; none if there is no log. Raises OSError if it cannot be read.

    Of a very long log only the end is read.
    """
    found: deque[list[str]] = deque(maxlen=_MAX_PARAGRAPHS)
    config: dict[str, str] = {}
    for lines in _paragraphs(lines_of(path)):
        if _is_run(lines):
            found.append([*config.values(), *lines])
            config = {}
        else:  # what precedes a run is about it
            config |= {told[0]: line for line in lines if (told := configuration(line))}
    return tuple(dict.fromkeys(map(_run, found)))


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Paragraphs end at an empty line, after a final line, and where a key is repeated."""
    paragraph: dict[str, str] = {}
    for number, line in enumerate(lines):
        word = line.partition(":")[0]
        if paragraph and (not line.strip() or (word in _WORDS and word in paragraph)):
            yield [*paragraph.values()]
            paragraph = {}
        if line.strip():
            # An unterminated line may be incomplete.
            paragraph[word if word in _WORDS else line[:200]] = line if number < len(lines) - 1 else _unfinished(line)
            if _LAST.fullmatch(line.rstrip()):
                yield [*paragraph.values()]
                paragraph = {}
    if paragraph:
        yield [*paragraph.values()]


def lines_of(path: Path) -> list[str]:
    """The lines of a text file, or of its end if it is very long; none if it does not exist.

    The last item is what follows the last line end.
    """
    if not path.is_file():
        return []
    with path.open("rb") as file:
        start = max(0, file.seek(0, 2) - _MAX_TEXT)
        file.seek(start)
        lines = file.read(_MAX_TEXT).decode(errors="replace").split("\n")
    return lines[1:] if start else lines


def _unfinished(line: str) -> str:
    word, colon, _ = line.partition(":")
    return line.rpartition(" ")[0] if colon and word in _LISTS else line


def _is_run(lines: Iterable[str]) -> bool:
    return any(
        line.partition(":")[0] in _WORDS or line.startswith("Interrupted!") or _LAST.fullmatch(line.rstrip())
        for line in lines
    )


def _run(lines: list[str]) -> LoggedRun:
    kernel, printed, interrupted, garbled = "", "", False, False
    lists: dict[str, list[str]] = {}
    config: dict[str, str] = {}
    last = None
    for line in lines:
        if told := configuration(line):
            config[told[0]] = told[1]
            continue
        word, _, rest = line.partition(":")
        if word == "Kernel version":
            kernel = clean(rest, 100)
        elif word in _LISTS:
            words = clean(rest).split()
            lists[word] = [name for name in words if TEST_NAME.fullmatch(name)]
            garbled = garbled or len(words) != len(lists[word])
        elif line.startswith("Interrupted!"):
            interrupted = True
        elif not (last := _LAST.fullmatch(line.rstrip())) and not printed:
            printed = clean(line, 100)
    ran, skipped, failed = (lists.get(name, []) for name in _LISTS)
    when, timed = moment(printed)
    return LoggedRun(
        kernel or " ".join(config.get("PLATFORM", "").split()[2:3]),
        frozenset(ran),
        frozenset(skipped),
        frozenset(failed),
        ran[-1] if interrupted and ran else "",
        printed,
        when,
        timed,
        "the lists in check.log contain words that are not tests" if garbled else _broken(ran, skipped, failed, last),
        tuple(config.items()),
    )


def _broken(ran: list[str], skipped: list[str], failed: list[str], last: re.Match[str] | None) -> str:
    if not ran:
        return "check.log does not say which tests ran"
    if last is None:
        return "check.log ends before check did"
    tests, bad = int(last["passed"] or last["of"]), int(last["bad"] or 0)
    if (tests, bad) != (len(ran), len(failed)):
        return f"check.log counts {bad} of {tests} tests as failed, but names {len(failed)} of {len(ran)}"
    if stray := sorted({*skipped, *failed} - {*ran}):
        return f"check.log lists a result of {stray[0]}, but does not list it as run"
    return ""
