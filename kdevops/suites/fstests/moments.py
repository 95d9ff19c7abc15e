"""Parse the dates in fstests' records: output of `date`, in English, and ISO 8601."""

from __future__ import annotations

import re
from datetime import datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})")
_TIME = re.compile(r"\b(\d{1,2}):(\d\d):(\d\d)(?:\s*([AP])M)?", re.ASCII)
_DAY = re.compile(r"(?<![\d:+-])\d{1,2}\b(?![:\d])", re.ASCII)
_YEAR = re.compile(r"\b[12]\d{3}\b", re.ASCII)


def moment(text: str) -> tuple[datetime | None, bool]:
    """The moment in `text`, None if it cannot be parsed, and whether it has a time, not only a day.

    Local time of that machine: the zone is ignored, because only times from one machine are compared.
    """
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None), ":" in text
    except ValueError:
        pass
    month, day, year = (pattern.search(text) for pattern in (_MONTH, _DAY, _YEAR))
    if not (month and day and year):
        return None, False
    time = _TIME.search(text)
    hour, minute, second = (int(part) for part in time.groups()[:3]) if time else (0, 0, 0)
    if time and time[4]:
        hour = hour % 12 + (12 if time[4] == "P" else 0)
    try:
        local = datetime(int(year[0]), _MONTHS.index(month[0]) + 1, int(day[0]), hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None, False
    return local, bool(time)
