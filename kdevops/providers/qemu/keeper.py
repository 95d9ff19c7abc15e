"""The process that owns one QEMU: records its console with time stamps, and serves it on a socket.

Run as `python -ISE keeper.py CONFIG` with the standard library only, so that it starts in milliseconds. CONFIG is JSON:
`argv` (QEMU with its serial port on stdio), `directory`, `console_socket`, `limit` (bytes of one console file),
`lifeline`; with `state_socket` it opens a monitor of QEMU, and clients of that socket are sent the state of the
machine. With a pipe as standard input it exits when the pipe closes, that is, when the process that started it is gone.
QEMU dies with it. The keeper also ends a machine whose kernel reports that it halted, because QEMU does not. A machine
that QEMU stopped because a disk of the host was full or failed is resumed again and again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[3]))  # last, so that we do not hide the standard library

from kdevops.providers.qemu.halt import HaltWatch
from kdevops.providers.qemu.monitor import Monitor
from kdevops.providers.qemu.turn import FLUSH_EVERY, Heard, move, nap
from kdevops.providers.shared.console_file import ConsoleFile

ENDING = b" ending"
"""Follows the process ids of keeper and QEMU in the lock file once QEMU has ended."""
_LAST_WRITES = 5.0
"""Seconds for a full disk to accept the end of the console and exit.json."""


class Keeper:
    """One running QEMU. `why` is the reason why the keeper ended it: "halted", "lifeline", "terminated", or ""."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.why = ""
        self._directory = Path(config["directory"])
        self._console = ConsoleFile(self._directory / "console.log", config["limit"])
        self._watch = HaltWatch()
        self._selector = selectors.DefaultSelector()
        self._clients: set[socket.socket] = set()
        self._servers: dict[str, tuple[socket.socket, Any]] = {}
        self._monitor = Monitor(time.monotonic())
        self._line: socket.socket | None = None
        argv, theirs = list(config["argv"]), None
        self._open(config["console_socket"], self._accept)
        if "state_socket" in config:
            self._open(config["state_socket"], self._tell_state)
            self._line, theirs = socket.socketpair()
            self._line.setblocking(False)
            argv += ["-chardev", f"socket,id=keeper,fd={theirs.fileno()}", "-mon", "chardev=keeper,mode=control"]
            self._selector.register(self._line, selectors.EVENT_READ, self._hear_monitor)
        self._qemu = _start(argv, self._directory, [theirs.fileno()] if theirs else [])
        if theirs:
            theirs.close()
        assert self._qemu.stdin
        assert self._qemu.stdout
        os.set_blocking(self._qemu.stdin.fileno(), False)  # a stopped machine reads nothing
        self._heard = Heard()
        self._selector.register(self._qemu.stdout, selectors.EVENT_READ, self._hear_console)
        signal.signal(signal.SIGTERM, lambda *_: self._end("terminated"))
        if config["lifeline"]:
            self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._hear_lifeline)

    @property
    def qemu(self) -> int:
        """QEMU's process id."""
        return self._qemu.pid

    def serve(self) -> None:
        """Carry bytes between QEMU and its clients until QEMU's console or the lifeline closes."""
        stop = False
        while not stop:
            kill, stop = move(self._listen())
            if kill:
                self._end(kill)
            self._send_monitor(self._monitor.due(time.monotonic()))
            if self._console.behind:
                self._console.flush()
            self._mend_sockets()

    def _listen(self) -> Heard:
        """Wait for input and process it; returns what may require an action."""
        seconds = nap(self._monitor.sleep(time.monotonic()), behind=self._console.behind)
        self._heard = Heard()
        for key, _ in self._selector.select(seconds):
            key.data(key.fileobj)
        return self._heard

    def bury(self) -> None:
        """Wait for QEMU's end, or force it; then write how it ended to exit.json."""
        try:
            self._qemu.wait(10)
        except subprocess.TimeoutExpired:
            self._end("its console closed and it ran on")
            self._qemu.wait()
        while self._line and self._hear_monitor(self._line):
            pass
        told = {
            "returncode": self._qemu.returncode,
            "why": self.why,
            "shutdown": self._monitor.shutdown,
            "guest": self._monitor.guest_did_it,
        }
        end = time.monotonic() + _LAST_WRITES
        while not (self._console.flush() and self._write_exit(told)) and time.monotonic() < end:
            time.sleep(FLUSH_EVERY)

    def _write_exit(self, told: dict[str, Any]) -> bool:
        temporary = self._directory / ".exit.json"
        try:
            temporary.write_text(json.dumps(told))
            temporary.replace(self._directory / "exit.json")
        except OSError:
            return False
        return True

    def _end(self, why: str) -> None:
        if self._qemu.poll() is None:
            self.why = self.why or why
            self._qemu.kill()

    def _hear_lifeline(self, _: object) -> None:
        if not os.read(0, 1):
            self._heard = self._heard._replace(lifeline_closed=True)

    def _hear_console(self, _: object) -> None:
        assert self._qemu.stdout
        data = os.read(self._qemu.stdout.fileno(), 1 << 16)
        if not data:
            self._heard = self._heard._replace(console_closed=True)
            return
        self._console.write(data)
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.send(data)  # a client that is too slow loses text; the guest is never blocked
        if self._watch.halted(data):
            self._heard = self._heard._replace(halted=True)

    def _hear_monitor(self, line: Any) -> bool:
        """Process QEMU's messages on the keeper's monitor; False if there are no more, for now or for ever."""
        try:
            data = line.recv(1 << 16)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(line)
            self._line = None
            return False
        self._send_monitor(self._monitor.feed(data, time.monotonic()))
        return True

    def _send_monitor(self, data: bytes) -> None:
        if self._line and data:
            with contextlib.suppress(OSError):
                self._line.send(data)

    def _tell_state(self, server: Any) -> None:
        with contextlib.suppress(OSError), server.accept()[0] as client:
            now = time.monotonic()
            client.send(json.dumps({"held": self._monitor.held(now)}).encode() + b"\n")
            self._send_monitor(self._monitor.wanted(now))

    def _accept(self, server: Any) -> None:
        client = server.accept()[0]
        client.setblocking(False)
        self._selector.register(client, selectors.EVENT_READ, self._type)
        self._clients.add(client)

    def _type(self, client: Any) -> None:
        typed = b""
        with contextlib.suppress(OSError):
            typed = client.recv(4096)
        if typed:
            assert self._qemu.stdin
            with contextlib.suppress(BrokenPipeError):
                self._qemu.stdin.write(typed)
        else:
            self._selector.unregister(client)
            self._clients.discard(client)
            client.close()

    def _open(self, path: str, accept: Any) -> None:
        """Open a listening socket. Raises OSError."""
        os.umask(0o077)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(path)
        server.listen(16)
        server.setblocking(False)
        self._selector.register(server, selectors.EVENT_READ, accept)
        self._servers[path] = (server, accept)

    def _mend_sockets(self) -> None:
        """Recreate sockets that something has deleted."""
        for path, (server, accept) in list(self._servers.items()):
            if not Path(path).exists():
                with contextlib.suppress(OSError):
                    self._open(path, accept)
                    self._selector.unregister(server)
                    server.close()


def _start(argv: list[str], directory: Path, descriptors: list[int]) -> subprocess.Popen[bytes]:
    """Start QEMU in its own session, killed by the kernel when we die, and first choice when memory runs out."""
    Path("/proc/self/oom_score_adj").write_text("500")
    with (directory / "qemu.log").open("ab") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            bufsize=0,
            pass_fds=descriptors,
        )


def main() -> int:
    """Keep one guest until it ends; exit.json says how."""
    config = json.loads(Path(sys.argv[1]).read_text())
    lock = os.open(Path(config["directory"]) / "keeper.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 1
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keeper = Keeper(config)
    try:
        os.write(lock, f" {keeper.qemu}".encode())
        keeper.serve()
    finally:
        with contextlib.suppress(OSError):
            os.write(lock, ENDING)
        for kind in ("console_socket", "state_socket"):
            Path(config.get(kind, "/nonexistent")).unlink(missing_ok=True)
        keeper.bury()
    return 0


if __name__ == "__main__":
    sys.exit(main())
