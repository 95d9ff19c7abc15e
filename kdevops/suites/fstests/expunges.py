"""Expunge lists, in the format and directory layout of upstream kdevops, read in place.

    <directory>/<uname -r>/<fs>/<category>/[P0..P5/]<section>.txt      for a self-built kernel
    <directory>/<os id>/<VERSION_ID>/<fs>/…                            for the kernel of a distribution
    <directory>/any/<fs>/…                                             for every kernel

Categories are diff, unassigned and assigned; besides the section's own list, `all.txt` and `progs.txt` apply. For
6.1.11+, files of 6.1.11 are the fallback. A release may be a symbolic link to another one. In a list, each line names a
test, with a note after "#": how often it fails, what it does, a link. F:1/11 is one failure in 11 runs; people also write
"failure rate is about 1/11".

    generic/482 # F:1/11
    xfs/168 # Hung:1/6 https://…
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.text import clean

MAX_BYTES = 1 << 20
"""Bytes of one list; the longest upstream has 7 thousand."""
MAX_NOTE = 400
_CATEGORIES = ("diff", "unassigned", "assigned")
_PRIORITIES = ("", "P0", "P1", "P2", "P3", "P4", "P5")
_ALWAYS = ("progs", "all")
_LINE = re.compile(r"(?P<test>[a-z0-9_]+/[0-9]{3}[A-Za-z0-9-]*)\s*(?:#\s*(?P<note>.*))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Expunge:
    """A test known to fail, with the list's file and line, and a note if there is one."""

    test: str
    file: Path
    line: int
    note: str = ""

    @property
    def reason(self) -> str:
        """Why the test is expected to fail; never empty."""
        return self.note or f"listed in {self.file}:{self.line}"


def load(
    directories: Iterable[Path], release: str, fs: str, section: str, *, os_release: tuple[str, str] | None = None
) -> Mapping[str, Expunge]:
    """Tests that the expunge trees list for kernel `release`, a file system and a section, by test.

    `os_release` is ID and VERSION_ID of /etc/os-release, for a distribution's own kernel. If several lists name a test, the
    first with a note wins: the section's list comes before `progs` and `all`, the kernel's before `any`, an earlier directory
    before a later one.

    Raises UserError, with file and line, for an invalid line, an unreadable list, and a link that leads out of its
    directory.
    """
    kernels = [(release, release.removesuffix("+")), *([("/".join(os_release),)] if os_release else []), ("any",)]
    found: dict[str, Expunge] = {}
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"{directory} is not a directory of expunge lists", hint="check suites.fstests.expunges")
        for kernel in kernels:
            for path in _lists(directory, kernel, fs, section):
                for each in parse(_read(path), path):
                    if each.test not in found or (each.note and not found[each.test].note):
                        found[each.test] = each
    return found


def parse(text: str, path: Path) -> list[Expunge]:
    """The lines of a list, in order. Raises UserError naming `path` and the line of the mistake."""
    expunges = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            raise UserError(
                f"{path}:{number}: not a line of an expunge list: {clean(line, 80)}",
                hint="expected e.g. `generic/482 # F:1/11`",
            )
        expunges.append(Expunge(match["test"], path, number, clean(match["note"] or "", MAX_NOTE)))
    return expunges


def _lists(directory: Path, kernel: Sequence[str], fs: str, section: str) -> Iterator[Path]:
    """The existing lists for a kernel with the names `kernel`, in order of precedence."""
    for name in (section, *_ALWAYS):
        for category in _CATEGORIES:
            for priority in _PRIORITIES:
                lists = (directory / each / fs / category / priority / f"{name}.txt" for each in kernel)
                if path := next((path for path in lists if path.is_file()), None):
                    yield _contained(path, directory)


def _contained(path: Path, directory: Path) -> Path:
    if not path.resolve().is_relative_to(directory.resolve()):
        raise UserError(
            f"{path} leads out of {directory}: {path.resolve()}", hint="copy the file into the tree instead"
        )
    return path


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read the expunge list {path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"the expunge list {path} is larger than {MAX_BYTES >> 20} MiB")
    return data.decode(errors="replace")
