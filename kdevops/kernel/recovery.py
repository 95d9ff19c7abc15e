"""After a build was killed: remove what make would take for finished and is not.

Kbuild writes `.<target>.cmd` when a target's command is done, and the compiler's `.<target>.d` exists only while it is
compiled (scripts/Kbuild.include, cmd_and_fixdep). So a target that is newer than its .cmd, or has a .d, was in the making.
"""

from __future__ import annotations

import os
from pathlib import Path

_MARK = ".kdevops-building"


def begin(output: Path) -> None:
    """Mark the build directory as being worked in; mend it first when a build before did not come to its end."""
    mark = output / _MARK
    if mark.exists():
        mend(output)
    mark.touch()


def end(output: Path) -> None:
    """The build came to its end, and all its targets are whole."""
    (output / _MARK).unlink(missing_ok=True)


def mend(output: Path) -> None:
    """Remove targets whose command did not finish, so that make makes them again."""
    for folder, _, names in os.walk(output):
        here = Path(folder)
        for name in names:
            if not name.startswith("."):
                continue
            target = here / name[1:].removesuffix(".cmd").removesuffix(".d")
            note = here / f".{target.name}.cmd"
            if name.endswith(".d"):
                _remove(here / name, target, note)
            elif name.endswith(".cmd") and not _finished(target, note):
                _remove(target, note)


def _finished(target: Path, note: Path) -> bool:
    try:
        written = note.stat()
        with note.open("rb") as file:
            file.seek(max(0, written.st_size - 1))
            if file.read() != b"\n":
                return False
        return target.stat().st_mtime_ns <= written.st_mtime_ns
    except FileNotFoundError:
        return True  # a note without a target makes nobody believe anything


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
