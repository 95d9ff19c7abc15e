"""The files of a baseline: those in a directory now, or those by which a run was judged."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kdevops.errors import UserError
from kdevops.results.baselines import committed


@dataclass(frozen=True, slots=True)
class Files:
    """The files below `directory`; `texts` has them by relative path, as they were, None for those on disk."""

    directory: Path
    texts: Mapping[str, str] | None = None

    def named(self, pattern: str) -> list[PurePosixPath]:
        """The relative paths that match a pattern of `Path.glob` without `**`, sorted.

        Raises UserError when there is something at `directory` that is not a directory.
        """
        if self.texts is not None:
            return sorted(path for path in map(PurePosixPath, self.texts) if _fits(path, pattern))
        if self.directory.exists() and not self.directory.is_dir():
            raise UserError(f"the baseline {self.directory} is not a directory", hint="set `baseline` in lab.yaml")
        return sorted(PurePosixPath(path.relative_to(self.directory)) for path in self.directory.glob(pattern))

    def place(self, name: str | PurePosixPath) -> Path:
        """The file's path, for messages."""
        return self.directory / name

    def read(self, name: str | PurePosixPath) -> str:
        """The text of a file. Raises AbsentError if it does not exist, UserError if it cannot be read."""
        if self.texts is None:
            return committed.read(self.place(name))
        try:
            return self.texts[str(name)]
        except KeyError:
            raise committed.AbsentError(f"the baseline had no {name} when the run was judged") from None

    def kept(self, wanted: Callable[[PurePosixPath], bool]) -> Files:
        """Those files that are wanted, as they are now."""
        names = [name for pattern in ("*", "*/*", "*/*/*", "*/*/*/*/*") for name in self.named(pattern)]
        texts = {str(name): self.read(name) for name in names if wanted(name) and self.place(name).is_file()}
        return Files(self.directory, texts)

    def packed(self) -> bytes:
        """The texts, for the store. Raises ValueError for files on disk: see `kept`."""
        if self.texts is None:
            raise ValueError("only files that are kept can be packed")
        return zlib.compress(json.dumps(self.texts).encode())


def unpacked(directory: Path, data: bytes) -> Files:
    """The inverse of `Files.packed`."""
    return Files(directory, json.loads(zlib.decompress(data)))


def _fits(path: PurePosixPath, pattern: str) -> bool:
    return len(path.parts) == len(PurePosixPath(pattern).parts) and path.match(pattern)
