"""Messages of a requested halt, reboot or power-off, which is not a crash."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kdevops.guest import printk

# kernel/reboot.c (the first since 6.12, for a machine without power-off); the last two are from drivers/tty/sysrq.c.
_FAREWELL = re.compile(
    r"reboot: (?:Power off not available: System halted instead|System halted|Power down|Restarting system)\b"
    r"|sysrq: (?:Resetting|Power Off)\b"
)


def find_farewell(lines: Iterable[str]) -> str:
    """The last such message in console `lines`, for example "reboot: System halted"; "" if there is none."""
    found = ""
    for line in lines:
        if match := _FAREWELL.match(printk.message(line)):
            found = match[0]
    return found
