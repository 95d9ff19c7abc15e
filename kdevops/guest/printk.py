"""What the recorder and the kernel put before a console message, and taking it off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from kdevops.guest.console import MAX_LINE, strip_prefix

_TIME = r"\[ {0,8}(?:\d{1,12}\.\d{1,9})\]"
_CALLER = r"\[ {0,12}[TC]\d{1,10}(?:@C\d{1,5})?\]"
# <level>[seconds.microseconds][T1: task, C0: cpu (CONFIG_PRINTK_CALLER)] message. One blank ends it, more indent.
_PREFIX = re.compile(rf"(?:<\d{{1,3}}>)?(?:(?P<time>{_TIME})(?:{_CALLER})? ?|{_CALLER} ?)?")
# The same behind what something else wrote without ending its line; the time may be lost in it, with the caller's number left.
_WITHIN = re.compile(rf"(?:{_TIME}(?:{_CALLER})?|{_CALLER}) ?")
# /dev/kmsg's "level,number,microseconds,flags;", the date of `dmesg -T`, and the head that syslog puts before what the kernel
# says.
_OTHER = re.compile(
    r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] ?|"
    r"\d{1,4},\d{1,20},(?P<us>\d{1,20}),[^;\s]{1,64};"
    r"|(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,24}) \S{1,64} (?:kern\.\w{1,8} )?kernel: "
)
_MAX_STAMPS = 8
"""Time stamps that are looked for within a line: as many messages were glued together."""
_STAMP = re.compile(r"(?:<\d{1,3}>)?\[ {0,8}(\d{1,12}\.\d{1,9})\]")
_UNPRINTABLE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[^\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")


class Said(NamedTuple):
    """A console line. `text` is its message as `message` gives it; `stamped`: the kernel's time or caller stood before it.

    `time` is the kernel's clock in seconds as it was printed, "" where it was not.
    """

    text: str
    stamped: bool
    time: str


def parse(line: str) -> Said:
    """Part a console line into its message and what the kernel put before it."""
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
    """The text of a console line: no time stamps, escape sequences, control characters or line end."""
    return parse(line).text


def begins(text: str, reach: int) -> Sequence[int]:
    """The columns of a message at which the kernel begins to speak: its first, and behind each time stamp within it.

    `reach`: characters that are looked at. Whatever holds the console without ending its line stands before such a stamp.
    """
    first = 1 if text[:1] == " " and text[1:2] != " " else 0
    if "[" not in text:
        return (first,)
    return [first, *(match.end() for match in islice(_WITHIN.finditer(text, 0, reach), _MAX_STAMPS))]


def is_stamped(line: str) -> bool:
    """Whether the kernel put the time before a console line."""
    return bool(_STAMP.match(_UNPRINTABLE.sub("", strip_prefix(line[:MAX_LINE]))))


def first_boot(lines: Sequence[str]) -> list[str]:
    """The console lines of the first kernel that starts in them, up to where the next one does; all where none starts.

    What a kernel says before its clock runs has the time 0.000000.
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
