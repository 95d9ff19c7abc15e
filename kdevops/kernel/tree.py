"""The interface of every kernel source, and checks for a kernel tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kdevops.errors import UserError

_VERSION = re.compile(r"^VERSION *=.*\n(?:.*\n)?PATCHLEVEL *=", re.MULTILINE)
_NEEDED = ("Makefile", "Kconfig", "scripts")


@dataclass(frozen=True, slots=True)
class Identity:
    """The content of a source: `key` differs whenever the content does.

    `commit` is the git commit, `diff_sha256` the SHA-256 of the difference between it and the content (None: no difference).
    """

    key: str
    commit: str | None = None
    diff_sha256: str | None = None


class Source(Protocol):
    """One kernel source. It is identified before it is fetched, so that a cached artifact is found at once."""

    @property
    def name(self) -> str:
        """Its name for people."""

    @property
    def in_place(self) -> bool:
        """Whether `tree` is the user's own, which may change at any time and is never written to."""

    async def identify(self) -> Identity:
        """The identity of the current content."""

    async def tree(self, identity: Identity) -> Path:
        """A directory with this content, fetched and unpacked if necessary."""


def check_tree(path: Path) -> None:
    """Raise UserError unless `path` is the top of a kernel source tree."""
    if not path.is_dir():
        raise UserError(
            f"kernel source {path} is not a directory" if path.exists() else f"kernel source {path} does not exist"
        )
    if lacks := _lacks(path):
        above = next((parent for parent in path.absolute().parents if not _lacks(parent)), None)
        raise UserError(
            f"{path} is not a kernel source tree: it has no {lacks}",
            hint=f"use the top of the tree: {above}" if above else None,
        )


def check_clean(path: Path, arch: str, source_arch: str) -> None:
    """Raise UserError if the tree was built in place: the kernel then refuses to build out of tree."""
    for left in (".config", "include/config", f"arch/{source_arch}/include/generated"):
        if (path / left).exists():
            raise UserError(
                f"{path} was built in place ({left} exists), so it cannot be built out of tree",
                hint=f"clean it (this also removes its .config): make -C {path} ARCH={arch} mrproper",
            )


def series_of_tree(path: Path) -> str:
    """The kernel series of this tree, "6.1"; empty if its Makefile has no numbers."""
    head = (path / "Makefile").read_text(errors="replace")[:4096]
    numbers = [re.search(rf"^{name} *= *([0-9]+)", head, re.MULTILINE) for name in ("VERSION", "PATCHLEVEL")]
    return ".".join(number[1] for number in numbers if number) if all(numbers) else ""


def _lacks(path: Path) -> str | None:
    """What `path` lacks to be a kernel tree, None when it is one."""
    for name in _NEEDED:
        if not (path / name).exists():
            return name
    head = (path / "Makefile").read_text(errors="replace")[:4096]
    return None if _VERSION.search(head) else "VERSION and PATCHLEVEL in its Makefile"
