"""QEMU's machine protocol, for single commands."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from kdevops.errors import InfrastructureError


async def execute(
    socket: Path, command: str, arguments: dict[str, object] | None = None, *, timeout: float = 10.0
) -> object:
    """Send one command to the QEMU behind `socket` and return its answer.

    Raises InfrastructureError if QEMU is gone, rejects the command or does not answer within `timeout` seconds.
    """
    from qemu.qmp import QMPClient, QMPError

    client = QMPClient("kdevops")
    try:
        async with asyncio.timeout(timeout):
            await client.connect(str(socket))
            return await client.execute(command, arguments)
    except (QMPError, OSError, TimeoutError, asyncio.CancelledError) as error:
        current = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and current and current.cancelling():
            raise
        raise InfrastructureError(f"QEMU did not carry out {command}: {error or type(error).__name__}") from error
    finally:
        with contextlib.suppress(QMPError, OSError, EOFError, asyncio.CancelledError):
            await client.disconnect()
