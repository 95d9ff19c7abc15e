"""The lines that fstests' `check` prints, in current and older trees.

`check` prints a test's name without a line end before the test runs, and the result after it:

        generic/001 79s ...  80s                    passed; the first number is its last duration, if known
        generic/002        7s                       the same without a last duration; older trees print a tab
    generic/003        [not run] no such feature
    generic/004 2s ... [failed, exit status 1]- output mismatch (see /results/xfs/generic/004.out.bad)
    generic/005        _check_dmesg: something found in dmesg (see /results/xfs/generic/005.dmesg)
    generic/006        [expunged]
        generic/999 - unknown test, ignored         printed before any test runs

With `-T`, times in brackets are added, and the reason of `[not run]` comes on a line of its own.
"""

from __future__ import annotations

import re

from kdevops.text import clean

MAX_REASON = 240
"""Characters kept of a reason."""
CONSOLE_MARK = "run fstests "
"""What `check` writes to /dev/kmsg when a test starts, before its name and the time."""

_NAME = r"[A-Za-z0-9_.-]{1,64}/\d{3,9}[A-Za-z0-9_-]{0,128}"
# What `check` itself prints after a name when the test starts: the last duration, or blanks instead.
_BEGUN = re.compile(rf"(?P<name>{_NAME})(?:[ ]+\d{{1,9}}s \.\.\.|\t|[ ]{{2}})")
_STARTS = re.compile(rf"(?P<name>{_NAME})(?P<rest>\s.*)", re.DOTALL)
_UNKNOWN = re.compile(rf"(?P<name>{_NAME})\s+- (?P<what>unknown test, ignored|no such test\?)")
_AGGREGATE = re.compile(r"\s*aggregate results across \d")
_END_OF_RUN = re.compile(
    r"Ran:|Not run:|Failures:|Failed \d+ of \d+ tests|Passed all \d+ tests|Interrupted!|SECTION  |Xunit report:"
)
_SECONDS = re.compile(r"(?:^|\s)(\d{1,9})s$")
_PLAIN_SECONDS = re.compile(r"(?:\s*\d{1,9}s \.\.\.)?(?:\s|\[\d\d:\d\d:\d\d\])*\d{1,9}s")
_NOT_RUN = re.compile(r"\[not run\](.*)", re.DOTALL)
_REASON_BELOW = re.compile(rf"{_NAME} -- ")
_EXPUNGED = re.compile(r"\s*\[expunged\]")
_FAILURE = re.compile(
    r"\[(?P<status>failed, exit status \d{1,5}|dumped core)\]"
    r"|(?P<output>output mismatch|no qualified output)"
    r"|(?P<check>(?<!\w)_(?:check|overlay_check|repair)\w*: .*)"
    r"|(?P<repair>(?:fsck\.\w+|xfs_repair|btrfs repair) failed, err=\d+)"
    r"|(?P<remount>!!! failed to remount .*)"
)
_SEE = re.compile(r"\s*\(see .*")


def begun(text: str) -> str | None:
    """The test that an unfinished line shows as running; None if there is none yet."""
    match = _BEGUN.match(text)
    return match["name"] if match else None


def start(line: str) -> tuple[str, str] | None:
    """The test that this line is about and the rest of the line; None for any other line."""
    match = _STARTS.match(line)
    return (match["name"], match["rest"]) if match and not _AGGREGATE.match(match["rest"]) else None


def unknown(line: str) -> tuple[str, str] | None:
    """The test that `check` refuses in this line, and the reason; None for any other line."""
    match = _UNKNOWN.match(line)
    return (match["name"], match["what"]) if match else None


def ends_run(line: str) -> bool:
    """Whether `check` has finished its last test."""
    return bool(_END_OF_RUN.match(line))


def seconds(text: str) -> tuple[int, bool] | None:
    """The duration, if this may be the end of a passed test, and whether that is certain (no other text before it)."""
    match = _SECONDS.search(text)
    return (int(match[1]), bool(_PLAIN_SECONDS.fullmatch(text))) if match else None


def skip_reason(text: str) -> str | None:
    """Why the test did not run, "" if the next line has the reason; None if it ran."""
    if _EXPUNGED.fullmatch(text):
        return "expunged"
    match = _NOT_RUN.search(text)
    return _shorten(match[1]) if match else None


def reason_below(line: str) -> str:
    """The reason in a line of its own."""
    return _shorten(_REASON_BELOW.sub("", line.strip(), count=1))


def failure(text: str) -> str:
    """The first failure in `text`, in a few words; "" for none."""
    return next(iter(failures(text)), "")


def failures(text: str) -> list[str]:
    """Every failure in `text`, in a few words."""
    return [_shorten(_SEE.sub("", match[0])).strip("[]") for match in _FAILURE.finditer(text)]


def closes_failure(text: str) -> bool:
    """Whether a failing test ends with this line: only the differences follow."""
    text = text.strip()
    return not text or text.endswith("]") or "output mismatch" in text or "no qualified output" in text


def _shorten(text: str) -> str:
    return clean(text, MAX_REASON)
