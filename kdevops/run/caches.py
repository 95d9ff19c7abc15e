"""Finds and removes cache entries that have not been used for a long time. All can be made or fetched again."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.run.guests.kinds import all_kinds
from kdevops.suites.registry import everything

_KINDS = (
    "builds", "downloads", "fetched", "git", "images", "initramfs", "kernels", "patched", "sources", "tests",
)  # fmt: skip
"""The directories of the cache that grow, in addition to those of suites and of kinds of provider.

The rest, notes of a few bytes, is kept.
"""
_KEY = re.compile(r"(?:[a-z]+-)?([0-9a-f]{16,64})(?=[.-]|$)")
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One cache entry: files and directories that belong together. `size`: bytes on disk; `used`: time of last use."""

    kind: str
    name: str
    paths: tuple[Path, ...]
    size: int
    used: float

    def days(self) -> float:
        """Days since the last use."""
        return max(0.0, (time.time() - self.used) / _DAY)


def unused(cache: Path, days: float) -> list[CacheEntry]:
    """Entries neither read nor written for `days`, and not in use now; the largest first."""
    busy = _open_below(cache)
    old = [each for each in entries(cache) if each.days() >= days and not _used_by(each, busy)]
    return sorted(old, key=lambda each: -each.size)


def entries(cache: Path) -> Iterator[CacheEntry]:
    """All entries in the directories that grow."""
    of_suites = (name for suite in everything() for name in suite.caches)
    of_providers = (name for provider in all_kinds() for name in provider.caches)
    for kind in sorted({*_KINDS, *of_suites, *of_providers}):
        grouped: dict[str, list[Path]] = defaultdict(list)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in sorted((cache / kind).iterdir()):
                if not path.name.startswith(".") and not path.name.endswith(".lock"):
                    grouped[_name(path)].append(path)
        for name, paths in grouped.items():
            size, used = _measure(paths)
            yield CacheEntry(kind, name, tuple(paths), size, used)


def keeps_no_access_times(cache: Path) -> bool:
    """Whether the file system does not record access times, so that only writes count as use."""
    try:
        return bool(os.statvfs(cache).f_flag & os.ST_NOATIME)
    except OSError:
        return False


def remove(entry: CacheEntry) -> bool:
    """Remove an entry unless it is locked; returns whether it was removed. Lock files stay, as others may wait for them."""
    with contextlib.ExitStack() as held:
        for lock in _locks(entry):
            try:
                file = held.enter_context(lock.open("a"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
        for path in entry.paths:
            # Rename first, so that nobody finds a half-removed entry.
            doomed = path.with_name(f".{path.name}.{os.getpid()}.gone")
            try:
                path.rename(doomed)
                if doomed.is_dir() and not doomed.is_symlink():
                    shutil.rmtree(doomed, onerror=_make_writable)
                else:
                    doomed.unlink()
            except OSError:
                return False
    return True


def _make_writable(_: object, path: str, __: object) -> None:
    """Make a read-only directory writable and remove `path`."""
    parent = Path(path).parent
    parent.chmod(0o700)
    if Path(path).is_dir() and not Path(path).is_symlink():
        Path(path).chmod(0o700)
        shutil.rmtree(path)
    else:
        Path(path).unlink()


def _name(path: Path) -> str:
    """The entry a file belongs to: the key in its name, else the name."""
    found = _KEY.match(path.name)
    if found and not path.name.startswith(("objects-", "ready-")):
        return found[1]
    return path.name


def _measure(paths: Sequence[Path]) -> tuple[int, float]:
    """Bytes on disk, and when a file was last read or written. A directory's access time changes when it is listed."""
    size, used = 0, 0.0
    pending = list(paths)
    seen: set[tuple[int, int]] = set()
    while pending:
        path = pending.pop()
        try:
            status = path.lstat()
            directory = path.is_dir() and not path.is_symlink()
            if directory:
                pending += path.iterdir()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        size += status.st_blocks * 512
        used = max(used, status.st_mtime if directory else max(status.st_atime, status.st_mtime))
    return size, used


def _locks(entry: CacheEntry) -> list[Path]:
    """The existing lock files that are held while this entry is made."""
    folder = entry.paths[0].parent
    candidates = [
        folder.with_suffix(".lock"),
        *(
            folder / f"{dot}{name}.lock"
            for dot in ("", ".")
            for name in {entry.name, *(path.stem for path in entry.paths)}
        ),
        *(path / ".lock" for path in entry.paths),
    ]
    return [path for path in dict.fromkeys(candidates) if path.is_file()]


def _open_below(cache: Path) -> list[str]:
    """Paths below the cache that processes of this user have open or name in their command lines."""
    begin = f"{cache}{os.sep}"
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            found.update(word[word.index(begin) :] for word in words if begin in word)
        with contextlib.suppress(OSError):
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(link.readlink())
                    if target.startswith(begin):
                        found.add(target)
    return sorted(found)


def _used_by(entry: CacheEntry, busy: Sequence[str]) -> bool:
    return any(name.startswith(str(path)) for path in entry.paths for name in busy)
