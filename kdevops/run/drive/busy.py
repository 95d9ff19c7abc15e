"""Guests in which something may still run that a command began and did not see the end of: a test that Ctrl-C cut short.

A guest that stays up, or a machine of somebody's, goes on with it. So whoever uses such a guest next has it booted afresh.
It is kept in a file of the lab's directory, written before work is given out: a command that is killed leaves it behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdevops.files import write_atomic


@dataclass(frozen=True, slots=True)
class Busy:
    """The guests of one lab; the caller holds the lab. Without a `directory` nothing is kept."""

    directory: Path | None = None

    def __contains__(self, name: str) -> bool:
        """Whether something may still run in this guest."""
        known = self._read()
        return known is None or name in known

    def begin(self, names: Iterable[str]) -> None:
        """Work is about to be given to these guests."""
        self._write({*(self._read() or ()), *names})

    def end(self, names: Iterable[str]) -> None:
        """Nothing that was begun runs in these guests any more."""
        self._write({*(self._read() or ())}.difference(names))

    def _read(self) -> frozenset[str] | None:
        """The names; None where they cannot be read, so that nobody knows."""
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
