"""How to reboot a remote machine: with its reset command, else from inside."""

from __future__ import annotations

import contextlib
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError, LostGuestError
from kdevops.guest.ssh import SshTarget
from kdevops.process import run
from kdevops.providers.address import Address

COMMAND = 300.0
"""Seconds for a command of the user or a cloud that resets a machine or reports its state."""
# A machine that is killed at once loses its latest writes: the kernel is told to sync, without waiting for it.
_REBOOT = """
( sleep 1
  if [ -w /proc/sysrq-trigger ]; then
    echo s; sleep 2; echo b
  fi >/proc/sysrq-trigger
  reboot -f
) >/dev/null 2>&1 </dev/null &
"""


async def begin_reset(target: SshTarget, address: Address, log: Path, *, answers: bool, timeout: float) -> None:
    """Make the machine start another boot, without waiting for it. `timeout`, in seconds, is for a command in it.

    Raises InfrastructureError if its reset command fails. A machine that has none and does not answer is left to come
    up by itself.
    """
    if address.reset:
        try:
            await run(address.reset, timeout=COMMAND, log_to=log)
        except CommandError as error:
            raise InfrastructureError(f"cannot be reset: {error.message}", hint=error.hint, log=error.log) from None
    elif answers:
        with contextlib.suppress(LostGuestError, CommandError):
            await target.run(["sh", "-c", _REBOOT], timeout=timeout)
