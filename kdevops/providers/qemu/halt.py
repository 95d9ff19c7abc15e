"""Detects on a guest's console that its kernel halted the machine. Standard library only, for the keeper."""

from __future__ import annotations

import re

# kernel/reboot.c: the last message before a kernel stops its processors for ever. QEMU would keep running pointlessly.
_HALTED = re.compile(
    rb"^(?:\[ {0,8}\d{1,12}\.\d{1,9}\](?:\[ {0,12}[TC]\d{1,10}\])? )?"
    rb"reboot: (?:System halted|Power off not available: System halted instead)\r?$",
    re.MULTILINE,
)
_HALT_REACH = 128
"""Bytes kept of an unfinished line, to be read with the rest of it: such a message is shorter."""


class HaltWatch:
    """Detects in a console's bytes, split anywhere, that the kernel halted the machine."""

    def __init__(self) -> None:
        self._rest = b""

    def halted(self, data: bytes) -> bool:
        """Whether this part of the console completes a line that says so."""
        lines, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest[:_HALT_REACH]
        return bool(newline) and _HALTED.search(lines) is not None
