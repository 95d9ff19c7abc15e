"""Typing at a guest's serial console, for people and for kdevops itself."""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import socket
import struct
import sys
import termios
import tty
from pathlib import Path

from kdevops.errors import InfrastructureError, UserError

_LEAVE = b"\x1d"
"""Ctrl-], as in telnet and virsh."""
_ACCEPTED = 10
"""Seconds for the keeper to accept what is typed."""


def attach(keeper_config: Path, guest: str) -> None:
    """Connect this terminal with the console of a started guest, until Ctrl-] or the guest's end.

    Raises UserError without a terminal, InfrastructureError if the guest does not run.
    """
    if not sys.stdin.isatty():
        raise UserError("an interactive console needs a terminal", hint=f"to read it: kdevops console {guest}")
    try:
        path = str(json.loads(keeper_config.read_text())["console_socket"])
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            print(f"connected to {guest}, Ctrl-] leaves", file=sys.stderr)
            _carry(connection)
    except (OSError, ValueError, KeyError) as error:
        raise InfrastructureError(f"guest {guest} has no live console", hint="see: kdevops status") from error


async def send_console(path: Path, keys: str) -> None:
    """Type `keys` at the console behind the socket `path`. Raises InfrastructureError if the guest does not run."""
    try:
        await asyncio.to_thread(_send, path, keys.encode())
    except OSError as error:
        raise InfrastructureError(f"the console at {path} takes no keys: {error.strerror or error}") from error


def _send(path: Path, keys: bytes) -> None:
    """Connect blocking: on a non-blocking socket connect(2) fails with EAGAIN while others wait, too.

    asyncio takes such a socket as connected, and a socket with Python's timeout is non-blocking as well.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _ACCEPTED, 0))
        connection.connect(str(path))
        connection.sendall(keys)


def _carry(connection: socket.socket) -> None:
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(terminal, selectors.EVENT_READ)
            selector.register(connection, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == terminal:
                        typed = os.read(terminal, 4096)
                        if not typed or _LEAVE in typed:
                            return
                        connection.sendall(typed)
                    else:
                        said = connection.recv(1 << 16)
                        if not said:
                            return
                        os.write(sys.stdout.fileno(), said)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        print(file=sys.stderr)
