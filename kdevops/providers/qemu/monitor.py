"""The keeper's monitor of its QEMU: the machine's state, why it ended, and resuming after the disk was full.

QEMU's machine protocol (docs/interop/qmp-spec.txt of QEMU), as a state machine without I/O. Standard library only.
"""

from __future__ import annotations

import json

_MAX_LINE = 64 << 10
"""Bytes of one message; longer ones are ignored."""
_ASK_EVERY = 2.0
"""Minimum seconds between two queries of the machine's state."""
_SILENT = 5.0
"""Seconds without an answer after which QEMU itself counts as blocked."""
_FIRST_RETRY, _LAST_RETRY = 0.5, 10.0
"""Seconds until a machine that stopped because the disk was full, or failed, is resumed; doubled each time."""
_FAILED_IO = "io-error"
# qapi/run-state.json, RunState: a running machine, and states caused by the guest itself.
_ITS_OWN = ("running", "shutdown", "guest-panicked", "suspended", "watchdog")


class Monitor:
    """Reads QMP from QEMU and returns what to send. Times are seconds of any monotonic clock.

    `shutdown` and `guest_did_it` are QEMU's report of its end (qapi/run-state.json, SHUTDOWN), "" and None before it.
    """

    def __init__(self, now: float) -> None:
        self.shutdown = ""
        self.guest_did_it: bool | None = None
        self.status = ""
        self.trouble = ""
        self._input = b""
        self._skipping = False
        self._greeted = False
        self._asked: float | None = None
        """Time of an unanswered query."""
        self._last_asked = now
        self._retry_at: float | None = None
        self._wait = _FIRST_RETRY
        self._ran_since = now

    def feed(self, data: bytes, now: float) -> bytes:
        """Process QEMU's output, split anywhere; returns what to send."""
        *lines, self._input = (self._input + data).split(b"\n")
        answer = b""
        for line in lines:
            if not self._skipping:
                answer += self._hear(line, now)
            self._skipping = False
        if len(self._input) > _MAX_LINE:
            self._input, self._skipping = b"", True
        return answer

    def wanted(self, now: float) -> bytes:
        """The state is requested: returns what to send."""
        if not self._greeted or self._asked is not None or now < self._last_asked + _ASK_EVERY:
            return b""
        return self._ask(now)

    def due(self, now: float) -> bytes:
        """Return what is due to be sent: a machine that could not write is resumed."""
        if self._retry_at is None or now < self._retry_at:
            return b""
        self._retry_at = None
        self._wait = min(_LAST_RETRY, 2 * self._wait)
        return _command("cont") + self._ask(now)

    def sleep(self, now: float) -> float | None:
        """Seconds until `due` returns something, None if nothing is planned."""
        return None if self._retry_at is None else max(0.0, self._retry_at - now)

    def held(self, now: float) -> str:
        """Why the machine does not run although QEMU does, in a line; "" if it runs, or if that is unknown."""
        if self._asked is not None and now > self._asked + _SILENT:
            return f"QEMU has not answered for {now - self._asked:.0f} s"
        if self.status == _FAILED_IO:
            return self.trouble or "QEMU could not read or write a disk of the guest"
        if self.status and self.status not in _ITS_OWN:
            return f"QEMU has the machine stopped ({self.status})"
        return ""

    def _ask(self, now: float) -> bytes:
        self._asked = self._last_asked = now
        return _command("query-status", id="status")

    def _hear(self, line: bytes, now: float) -> bytes:
        try:
            message = json.loads(line)
        except ValueError:
            return b""
        if not isinstance(message, dict):
            return b""
        if "QMP" in message and not self._greeted:
            self._greeted = True
            return _command("qmp_capabilities") + self._ask(now)
        if message.get("id") == "status":
            self._asked = None
            answer = message.get("return")
            if isinstance(answer, dict):
                self._become(str(answer.get("status", "")), now)
        data = message.get("data")
        return self._event(str(message.get("event", "")), data if isinstance(data, dict) else {}, now)

    def _event(self, name: str, data: dict[str, object], now: float) -> bytes:
        if name == "SHUTDOWN":
            self.shutdown = str(data.get("reason", ""))[:80]
            self.guest_did_it = data.get("guest") is True
        elif name == "BLOCK_IO_ERROR" and data.get("action") == "stop":
            verb, reason = str(data.get("operation", "use"))[:20], str(data.get("reason", "an I/O error"))[:120]
            self.trouble = f"QEMU could not {verb} a disk of the guest: {reason}"
        elif name in ("STOP", "RESUME", "SUSPEND", "WAKEUP"):
            # The events give no reason; they may also overtake the answer to a query.
            return self._ask(now)
        return b""

    def _become(self, status: str, now: float) -> None:
        if status == _FAILED_IO:
            if self.status != _FAILED_IO and now > self._ran_since + 2 * _LAST_RETRY:
                self._wait = _FIRST_RETRY
            if self._retry_at is None:
                self._retry_at = now + self._wait
        else:
            if self.status == _FAILED_IO:
                self._ran_since = now
            self._retry_at = None
        self.status = status


def _command(name: str, **members: str) -> bytes:
    return json.dumps({"execute": name, **members}).encode() + b"\n"
