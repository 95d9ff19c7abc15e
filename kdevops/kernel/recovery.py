"""Clean up after a killed build: remove unfinished files that make would take for finished.

Kbuild writes `.<target>.cmd` when a target's command is done, after the compiler's `.<target>.d` (scripts/Kbuild.include,
cmd_and_fixdep). So a target is unfinished if it or its .d is newer than its .cmd.
"""

from __future__ import annotations

import os
from pathlib import Path

_MARK = ".kdevops-building"


def begin(output: Path) -> None:
    """Mark the build directory as in use; clean it up first if an earlier build was interrupted."""
    mark = output / _MARK
    if mark.exists():
        mend(output)
    mark.touch()


def end(output: Path) -> None:
    """Remove the mark: the build ended and all its targets are complete."""
    (output / _MARK).unlink(missing_ok=True)


def mend(output: Path) -> None:
    """Remove targets whose command did not finish, so that make builds them again."""
    for folder, _, names in os.walk(output):
        here = Path(folder)
        for name in names:
            if not name.startswith("."):
                continue
            target = here / name[1:].removesuffix(".cmd").removesuffix(".d")
            note = here / f".{target.name}.cmd"
            if name.endswith(".d") and not _finished(here / name, note):
                _remove(here / name, target, note)
            elif name.endswith(".cmd") and not _finished(target, note):
                _remove(target, note)


def _finished(path: Path, note: Path) -> bool:
    """Whether the .cmd `note` of a target is complete, and not older than `path`, which its command wrote."""
    if not path.exists():
        return True  # a note without a target is harmless
    try:
        written = note.stat()
        with note.open("rb") as file:
            file.seek(max(0, written.st_size - 1))
            whole = file.read() == b"\n"
    except FileNotFoundError:
        return False
    return whole and path.stat().st_mtime_ns <= written.st_mtime_ns


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
