"""Parse and strip the prefixes that the recorder and the kernel put before a console message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from kdevops.guest.console import MAX_LINE, strip_prefix

_TIME = r"\[ {0,8}(?:\d{1,12}\.\d{1,9})\]"
_CALLER = r"\[ {0,12}[TC]\d{1,10}(?:@C\d{1,5})?\]"
# <level>[seconds.microseconds][T1: task, C0: cpu (CONFIG_PRINTK_CALLER)] message. One blank ends the prefix, more are indent.
_PREFIX = re.compile(rf"(?:<\d{{1,3}}>)?(?:(?P<time>{_TIME})(?:{_CALLER})? ?|{_CALLER} ?)?")
# The same in the middle of a line, after output without a line end; the time may be lost, leaving only the caller.
_WITHIN = re.compile(rf"(?:{_TIME}(?:{_CALLER})?|{_CALLER}) ?")
# The date of `dmesg -T`, /dev/kmsg's "level,number,microseconds,flags;", and syslog's prefix of kernel messages.
_OTHER = re.compile(
    r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] ?|"
    r"\d{1,4},\d{1,20},(?P<us>\d{1,20}),[^;\s]{1,64};"
    r"|(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,24}) \S{1,64} (?:kern\.\w{1,8} )?kernel: "
)
_MAX_STAMPS = 8
"""Limit of time stamps searched for in one line, where messages ran together."""
_STAMP = re.compile(r"(?:<\d{1,3}>)?\[ {0,8}(\d{1,12}\.\d{1,9})\]")
_UNPRINTABLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[^\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")


class Said(NamedTuple):
    """A console line. `text` is its message; `stamped`: it had the kernel's time or caller.

    `time` is the kernel's clock in seconds as printed, "" if absent.
    """

    text: str
    stamped: bool
    time: str


def parse(line: str) -> Said:
    """Split a console line into its message and the kernel's prefix."""
    text = line[:MAX_LINE].rstrip("\r\n")
    if not text.isprintable():
        text = _UNPRINTABLE.sub("", text)
    text = strip_prefix(text)
    begin = other.end() if not text.startswith("[ ") and (other := _OTHER.match(text)) else 0
    match = _PREFIX.match(text, begin)
    end = match.end() if match else begin
    time = match["time"].strip("[ ]") if match and match["time"] else ""
    return Said(text[end:], end > 0, time)


def message(line: str) -> str:
    """The text of a console line, without time stamps, escape sequences, control characters and line end."""
    return parse(line).text


def begins(text: str, reach: int) -> Sequence[int]:
    """The columns at which kernel text may begin: the first, and after each time stamp within the message.

    `reach`: number of characters to search. Such a stamp follows other console output that did not end its line.
    """
    first = 1 if text[:1] == " " and text[1:2] != " " else 0
    if "[" not in text:
        return (first,)
    return [first, *(match.end() for match in islice(_WITHIN.finditer(text, 0, reach), _MAX_STAMPS))]


def is_stamped(line: str) -> bool:
    """Whether a console line begins with the kernel's time."""
    return bool(_STAMP.match(_UNPRINTABLE.sub("", strip_prefix(line[:MAX_LINE]))))


def first_boot(lines: Sequence[str]) -> list[str]:
    """The console lines of the first kernel boot, up to the next boot; all lines if there is no boot.

    Messages before the kernel's clock runs have the time 0.000000.
    """
    begin, clock = None, 0.0
    for number, line in enumerate(lines):
        if not (match := _STAMP.match(strip_prefix(line[:MAX_LINE]))):
            continue
        now = float(match[1])
        if now == 0 and begin is None:
            begin = number
        elif now == 0 and clock > 0:
            return list(lines[begin:number])
        clock = now if begin is not None else 0.0
    return list(lines[begin or 0 :])
