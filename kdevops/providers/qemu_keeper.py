"""The process that owns one QEMU: records its console with time stamps, serves it on a socket, and outlives nobody it should not.

Run as `python -ISE qemu_keeper.py CONFIG` with the standard library alone, so that it starts in milliseconds. CONFIG is JSON:
`argv` (QEMU with its serial port on stdio), `directory`, `console_socket`, `limit` (bytes of one console file).
With a pipe as standard input it ends when that closes, that is: when whoever started it is gone. QEMU in turn dies with it.
A machine whose kernel says that it halted is ended, too: QEMU itself does not take that for an end.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# kernel/reboot.c: the last that a kernel prints before it stops its processors for ever. QEMU would run on, to no end.
_HALTED = re.compile(
    rb"^(?:\[ {0,8}\d{1,12}\.\d{1,9}\](?:\[ {0,12}[TC]\d{1,10}\])? )?"
    rb"reboot: (?:System halted|Power off not available: System halted instead)\r?$",
    re.MULTILINE,
)
_HALT_REACH = 128
"""Bytes of an unfinished line that are kept to be read with the rest of it: such a message is shorter."""
# What could drive a terminal: everything below blank but tab and newline, DEL, and the C1 controls are not printable text.
_CONTROL = bytes(set(range(32)) - {9, 10} | {127})


class ConsoleFile:
    """console.log, every line with the time it began; past `limit` bytes it becomes console.log.old and a new one begins."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path, self._limit = path, limit
        self._file = path.open("ab+", buffering=0)
        self._fresh_line = self._file.seek(0, 2) == 0 or self._last_byte() == b"\n"

    @property
    def at_line_start(self) -> bool:
        """Whether what is written next begins a line."""
        return self._fresh_line

    def write(self, data: bytes) -> None:
        """Record what the guest said."""
        data = data.translate(None, _CONTROL)
        if not data:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z "
        ended = data.endswith(b"\n")
        body = data[:-1] if ended else data
        text = body.replace(b"\n", b"\n" + stamp.encode())
        self._file.write((stamp.encode() if self._fresh_line else b"") + text + (b"\n" if ended else b""))
        self._fresh_line = ended
        if self._file.tell() > self._limit and ended:
            self._file.close()
            self._path.replace(self._path.with_name(self._path.name + ".old"))
            self._file = self._path.open("ab+", buffering=0)

    def _last_byte(self) -> bytes:
        self._file.seek(-1, 2)
        return self._file.read(1)


class HaltWatch:
    """Tells from the bytes of a console, however they are cut, that the kernel has halted the machine."""

    def __init__(self) -> None:
        self._rest = b""

    def halted(self, data: bytes) -> bool:
        """Whether this part of the console ends a line that says so."""
        lines, newline, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest[:_HALT_REACH]
        return bool(newline) and _HALTED.search(lines) is not None


def start(argv: list[str], directory: Path) -> subprocess.Popen[bytes]:
    """QEMU in a session of its own, killed by the kernel when we die, first choice when memory runs out."""
    Path("/proc/self/oom_score_adj").write_text("500")
    with (directory / "qemu.log").open("ab") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            bufsize=0,
        )


def listen(path: str) -> socket.socket:
    """The console's socket, for one person at a time or several."""
    Path(path).unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0o077)
    server.bind(path)
    server.listen(4)
    server.setblocking(False)
    return server


def serve(qemu: subprocess.Popen[bytes], console: ConsoleFile, server: socket.socket, lifeline: bool) -> None:
    """Carry bytes between QEMU and whoever watches until QEMU's console closes or the lifeline does."""
    assert qemu.stdin
    assert qemu.stdout
    selector = selectors.DefaultSelector()
    selector.register(qemu.stdout, selectors.EVENT_READ, "qemu")
    selector.register(server, selectors.EVENT_READ, "server")
    if lifeline:
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ, "lifeline")
    clients: set[socket.socket] = set()
    watch = HaltWatch()
    while True:
        for key, _ in selector.select():
            if key.data == "lifeline" and not os.read(0, 1):
                qemu.kill()
                return
            if key.data == "server":
                client, _address = server.accept()
                client.setblocking(False)
                selector.register(client, selectors.EVENT_READ, "client")
                clients.add(client)
            elif key.data == "client":
                typed = _receive(key.fileobj)
                if typed:
                    qemu.stdin.write(typed)
                else:
                    selector.unregister(key.fileobj)
                    clients.discard(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
            elif key.data == "qemu":
                data = os.read(qemu.stdout.fileno(), 1 << 16)
                if not data:
                    return
                console.write(data)
                for client in clients:
                    _send(client, data)
                if watch.halted(data):
                    qemu.kill()


def _receive(client: object) -> bytes:
    try:
        return client.recv(4096)  # type: ignore[attr-defined, no-any-return]
    except OSError:
        return b""


def _send(client: socket.socket, data: bytes) -> None:
    try:
        client.send(data)  # a watcher that is too slow loses text; the guest is never held up
    except OSError:
        return


def main() -> int:
    """Keep one guest until it ends; what it answered stands in exit.json."""
    config = json.loads(Path(sys.argv[1]).read_text())
    directory = Path(config["directory"])
    lock = os.open(directory / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 1
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    console = ConsoleFile(directory / "console.log", config["limit"])
    server = listen(config["console_socket"])
    qemu = start(config["argv"], directory)
    signal.signal(signal.SIGTERM, lambda *_: qemu.kill())
    try:
        serve(qemu, console, server, lifeline=config["lifeline"])
    finally:
        try:
            qemu.wait(10)
        except subprocess.TimeoutExpired:
            qemu.kill()
            qemu.wait()
        Path(config["console_socket"]).unlink(missing_ok=True)
        temporary = directory / ".exit.json"
        temporary.write_text(json.dumps({"returncode": qemu.returncode}))
        temporary.replace(directory / "exit.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
