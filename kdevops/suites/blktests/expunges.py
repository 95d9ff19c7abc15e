"""Tests of blktests that are known to fail, from lists as upstream kdevops has them.

    <directory>/<uname -r>/failures.txt, or <directory>/any/failures.txt for every kernel

A list is for all devices. If there is none for the kernel, that of the nearest older one applies, as with fstests; the list for
every kernel applies in addition. Lists for the kernels of distributions are not used: results do not say whose kernel ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.expunges.layout import FAILURES
from kdevops.results.expunges.lists import Listed, parse, read
from kdevops.results.nearest import ANY, nearest_first, same_release


def known(directories: Sequence[Path], release: str) -> Mapping[str, Listed]:
    """Tests that the lists in these directories name for a kernel release; an earlier directory comes before a later one.

    Raises UserError, with file and line, for an invalid line, an unreadable list, and a link that leads out of its directory.
    """
    found: dict[str, Listed] = {}
    for directory in directories:
        if not directory.is_dir():
            raise UserError(f"{directory} is not a directory of expunge lists", hint="check --expunges")
        there = nearest_first((path.parent.name for path in directory.glob(f"*/{FAILURES}")), release)
        for name in dict.fromkeys([*there[:1], *(each for each in there if each == ANY)]):
            other = "" if name == ANY or same_release(name, release) else name
            for line in parse(_read(directory / name / FAILURES, directory), directory / name / FAILURES):
                before = found.get(line.test)
                found[line.test] = before.and_also(line, other) if before else Listed((line,), name, other)
    return found


def _read(path: Path, directory: Path) -> str:
    if not path.resolve().is_relative_to(directory.resolve()):
        raise UserError(
            f"{path} leads out of {directory}: {path.resolve()}", hint="copy the file into the tree instead"
        )
    return read(path)
