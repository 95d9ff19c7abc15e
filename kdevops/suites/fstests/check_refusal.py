"""Why fstests' `check` could not run at all, as one line for people."""

from __future__ import annotations

import re
from collections import deque

from kdevops.text import clean

_MAX_REASON = 400
# Messages of check, common/config and common/rc before they exit.
_FATAL = re.compile(
    r"check: |common/(?:config|rc): (?!retrying)|Group \".*\" is empty|.* is mounted but not |.* already mounted"
    r"|(?:Warning: )?need to define parameters|failed to create results directory|Usage: .*check \[options\]"
    r"|[\w/. -]{1,64} not found(?: or executable)?$|report format .* is not supported|fstests only supports"
)
_UNDEFINED = re.compile(r"(?:Warning: )?need to define parameters")
_ROUTINE = re.compile(r"our local .*routine")
# Error words of mkfs and mount; mkfs.xfs continues with pages of usage.
_TELLING = re.compile(
    r"invalid|unknown|unrecogni|unsupported|not support|cannot|can't|fail|error|illegal|refus", re.IGNORECASE
)
_SELF_TALK = re.compile(r"\*\*")
# Normal lines of `check`, including those at its end.
_HEADER = re.compile(
    r"(?:SECTION|RECREATING|FSTYP|PLATFORM|MKFS_OPTIONS|MOUNT_OPTIONS) +--|=====|Ran:|Not run:|Failures:|Failed \d"
    r"|Passed all \d|Xunit report:|Interrupted!|WARNING: Running fstests without|support is deprecated|common/rc: retrying"
)


class Refusal:
    """Collects lines that belong to no test. Its memory is bounded."""

    def __init__(self) -> None:
        self._last: deque[str] = deque(maxlen=3)
        self._fatal = ""
        self._undefined = False
        self._detail: str | None = None

    def read(self, line: str) -> None:
        """Process one line."""
        line = clean(line, _MAX_REASON)
        if not line or _HEADER.match(line):
            return
        self._last.append(line)
        if _ROUTINE.match(line):
            self._detail = ""
        elif self._undefined:
            self._fatal = clean(f"{self._fatal} {line}", _MAX_REASON)
        elif _FATAL.match(line):
            self._fatal = self._fatal or line
            self._undefined = bool(_UNDEFINED.match(line))
        elif self._detail == "" and _TELLING.search(line) and not _SELF_TALK.match(line):
            self._detail = line

    @property
    def certain(self) -> str:
        """The certain reason, with the message of mkfs or mount; "" if there is none."""
        if self._fatal and self._detail:
            return clean(f"{self._fatal}: {self._detail}", _MAX_REASON)
        return self._fatal

    @property
    def likely(self) -> str:
        """The reason, once it is known that `check` ran no test."""
        return self.certain or (self._last[-1] if self._last else "check ended without a word about any test")
