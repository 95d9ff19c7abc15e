"""Records guests in which an interrupted command may still run something, such as a test stopped by Ctrl-C.

A guest that keeps running, or somebody's machine, continues it. So the next command boots such a guest afresh. The names
are in a file in the lab's directory, written before work is handed out, so that a killed command leaves it behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdevops.files import write_atomic


@dataclass(frozen=True, slots=True)
class Busy:
    """Busy guests of one lab; the caller holds the lab's lock. Without a `directory` nothing is recorded."""

    directory: Path | None = None

    def __contains__(self, name: str) -> bool:
        """Whether something may still run in this guest."""
        known = self._read()
        return known is None or name in known

    def begin(self, names: Iterable[str]) -> None:
        """Record these guests before they get work."""
        self._write({*(self._read() or ()), *names})

    def end(self, names: Iterable[str]) -> None:
        """Remove these guests from the record: nothing runs in them any more."""
        self._write({*(self._read() or ())}.difference(names))

    def _read(self) -> frozenset[str] | None:
        """The recorded names; None if they cannot be read."""
        try:
            return frozenset(map(str, json.loads(self._path.read_bytes()))) if self._path else frozenset()
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, names: set[str]) -> None:
        if not self._path:
            return
        if names:
            write_atomic(self._path, json.dumps(sorted(names)))
        else:
            self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path | None:
        return self.directory / "busy.json" if self.directory else None
