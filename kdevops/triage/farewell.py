"""What a kernel says when it ends on request, which is no crash of it: a halt, a reboot, a power-off."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kdevops.guest import printk

# kernel/reboot.c, the first since 6.12 for a machine that cannot be switched off; the last two drivers/tty/sysrq.c.
_FAREWELL = re.compile(
    r"reboot: (?:Power off not available: System halted instead|System halted|Power down|Restarting system)\b"
    r"|sysrq: (?:Resetting|Power Off)\b"
)


def find_farewell(lines: Iterable[str]) -> str:
    """The last such message in `lines` of a console, "reboot: System halted"; "" when the kernel said nothing of an end."""
    found = ""
    for line in lines:
        if match := _FAREWELL.match(printk.message(line)):
            found = match[0]
    return found
