"""How one test of LTP ended, from its entry in kirk's report.

A test passed only if status, exit code and counts all say so. The bits of the exit code are 1 TFAIL, 2 TBROK, 4 TWARN and
32 TCONF. kirk writes -1 for a test that it stopped: at its timeout, because the machine did not answer, or because the
kernel panicked, whose messages are then in the log. A test that did not get its turn before its suite timed out is written
as TCONF with an empty log and no duration.
"""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdevops.results.model import Outcome, Status, Subtest
from kdevops.suites.ltp.report import COUNTS, number
from kdevops.suites.shared.kernel_reports import with_reports
from kdevops.text import clean

MAX_SUBTESTS = 100
_MAX_REASON = 240
_MAX_NAME = 200
_STOPPED, _CONF = -1, 32
_CODE = re.compile(r"-?\d{1,9}", re.ASCII)
_WORDS = {"failed": "TFAIL", "broken": "TBROK", "warnings": "TWARN"}
_BAD = {"fail": "TFAIL", "brok": "TBROK", "warn": "TWARN"}
_KINDS = r"(?P<kind>TFAIL|TBROK|TWARN|TCONF)"
# The test library, and the old one: "abs01.c:78: TFAIL: text", "abs01    1  TFAIL  :  abs01.c:78: text".
_LINE = re.compile(
    rf"(?P<file>[\w.-]{{1,100}}):\d{{1,9}}: {_KINDS}: (?P<text>.*)|\S{{1,100}} +\d{{1,9}} +{_KINDS.replace('kind', 'old')}"
    r" *: *(?:(?P<where>[\w.-]{1,100}):\d{1,9}: *)?(?P<rest>.*)"
)
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NUMBER = re.compile(r"\b(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)\b")
_STAMPED = re.compile(r"\[ {0,6}\d{1,9}\.\d{6}\]")
_TIMED_OUT = "kirk stopped it: it did not end in time, or the machine did not answer"
_NO_TURN = "it did not run: the time of its suite was up"


@dataclass(frozen=True, slots=True)
class Entry:
    """A test: its name, "" if it has none, how it ended, its counts by kirk's names, and its log."""

    name: str
    outcome: Outcome
    counts: Mapping[str, int]
    log: str = ""


def read_entry(value: object) -> Entry:
    """One item of `results`, whatever it is."""
    entry = _mapping(value)
    test = _mapping(entry.get("test"))
    name, said = entry.get("test_fqn"), test.get("log")
    log = said if isinstance(said, str) else ""
    counts = {each: count for each in COUNTS if (count := number(test.get(each))) is not None}
    outcome = _outcome(entry, test, counts, log)
    return Entry(clean(name, _MAX_NAME) if isinstance(name, str) else "", _reported(outcome, log), counts, log)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _outcome(entry: Mapping[str, Any], test: Mapping[str, Any], counts: Mapping[str, int], log: str) -> Outcome:
    words = {str(word) for word in (entry.get("status"), test.get("result")) if word is not None}
    codes, seconds = _codes(test.get("retval")), _seconds(test.get("duration"))
    lines = [*_told(log)]
    if codes and _STOPPED in codes:
        return Outcome(Status.HANG, seconds, _TIMED_OUT, _subtests(lines))
    wrong = [*_wrong(words, codes, counts)]
    if wrong:
        first = next((f"{kind}: {text}" for kind, _, text in lines if kind != "TCONF"), "")
        reason = clean("; ".join([*wrong, *filter(None, [first])]), _MAX_REASON)
        return Outcome(Status.FAIL, seconds, reason, _subtests(lines))
    if words == {"conf"} and codes == [_CONF]:
        if not log and not seconds:
            return Outcome(Status.MISSING, reason=_NO_TURN)
        return Outcome(Status.SKIP, seconds, next((text for _, _, text in lines), "") or "TCONF")
    if words == {"pass"} and codes and not any(codes) and counts.get("passed") and len(counts) == len(COUNTS):
        return Outcome(Status.PASS, seconds)
    said = f"status {'/'.join(sorted(words)) or 'none'}, exit code {test.get('retval')}, {counts.get('passed', 'no')} passed"
    return Outcome(Status.MISSING, reason=clean(f"the report does not say how it ended: {said}", _MAX_REASON))


def _wrong(words: Iterable[str], codes: Sequence[int] | None, counts: Mapping[str, int]) -> Iterator[str]:
    """What says that a test failed, in a few words each."""
    counted = [f"{counts[name]} {word}" for name, word in _WORDS.items() if counts.get(name)]
    yield from counted
    if not counted:
        yield from (_BAD[word] for word in sorted(words) if word in _BAD)
    for code in codes or ():
        if code < 0:
            yield f"killed by {_signal(-code)}"
        elif code not in {0, _CONF} and not (code & ~(1 | 2 | 4 | _CONF) == 0 and counted):
            yield f"exit code {code}"


def _signal(value: int) -> str:
    try:
        return signal.Signals(value).name
    except ValueError:
        return f"signal {value}"


def _codes(value: object) -> list[int] | None:
    """Exit codes, None if one of them is not a number or if there are none."""
    if not isinstance(value, list) or not value or len(value) > 100:
        return None
    words = [str(each) for each in value if isinstance(each, str | int) and not isinstance(each, bool)]
    whole = len(words) == len(value) and all(_CODE.fullmatch(word) for word in words)
    return [int(word) for word in words] if whole else None


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if math.isfinite(value) and 0 <= value < 1 << 31 else 0.0


def _told(log: str) -> Iterator[tuple[str, str, str]]:
    """Kind, source file and text of each check that did not pass."""
    for line in _ESCAPE.sub("", log).splitlines():
        if match := _LINE.match(line[:2000]):
            text = match["text"] if match["kind"] else match["rest"]
            yield match["kind"] or match["old"], match["file"] or match["where"] or "", clean(text, _MAX_REASON)


def _subtests(lines: Iterable[tuple[str, str, str]]) -> tuple[Subtest, ...]:
    """A failed subtest for each check that failed, without numbers, which vary from run to run."""
    names = {
        clean(f"{file} {kind}: {_NUMBER.sub('N', text)}".strip(), _MAX_REASON): text
        for kind, file, text in lines
        if kind != "TCONF"
    }
    return tuple(Subtest(name, Status.FAIL, text) for name, text in [*names.items()][:MAX_SUBTESTS])


def _reported(outcome: Outcome, log: str) -> Outcome:
    """With the kernel's reports in the log: a console is in it if the machine has no other. A test may print such text, too.

    So of a test that did not fail, only lines with the kernel's time stamp count.
    """
    lines = log.splitlines()
    if not outcome.status.is_bad:
        lines = [line for line in lines if _STAMPED.match(line)]
    return with_reports(outcome, lines) if lines and outcome.status is not Status.MISSING else outcome
