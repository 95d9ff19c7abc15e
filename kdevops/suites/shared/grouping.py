"""Which imported sections are one run, and which kernel release a text or a path names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from kdevops.errors import UserError
from kdevops.suites.shared.imports import Section
from kdevops.text import clean

RELEASE = re.compile(r"[1-9]\d?\.\d{1,3}(?:[.+-][A-Za-z0-9.+_~-]*)?")
_UNKNOWN = "9999"
"""Sorts after all known times."""


def release(text: str) -> str:
    """The text if it is a kernel release, else ""."""
    return text if RELEASE.fullmatch(text) else ""


def release_above(path: Path) -> str:
    """The kernel release that a directory of a path is named after, the innermost; "" if there is none."""
    return next(filter(None, map(release, reversed(path.resolve().parts))), "")


def check_release(kernel: str) -> None:
    """Raise UserError for an option --kernel that is not a kernel release; "" is none."""
    if kernel and not release(kernel):
        raise UserError(f"--kernel {clean(kernel, 80)}: not a kernel release", hint="give one as in 6.1.192")


def as_profile(text: str) -> str:
    """A name for a profile; "default" if nothing is left of the text."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text.replace("/", "_")).lstrip(".-")[:100] or "default"


def runs_of(found: Iterable[Section]) -> list[list[Section]]:
    """The sections of each run: of one kernel, each profile once. Several sections of one profile are several runs.

    Where several directories have the same profile, each of these trees is a run. Raises UserError if one of these contains
    another one.
    """
    runs: dict[tuple[str, ...], list[dict[str, Section]]] = {}
    sections = sorted(found, key=lambda each: each.when.isoformat() if each.when else _UNKNOWN)
    depths = {kernel: _depth(each for each in sections if each.kernel == kernel) for kernel in _kernels(sections)}
    for section in sections:
        same = runs.setdefault((section.kernel, *section.directory.parts[: depths[section.kernel]]), [{}])
        if section.profile in same[-1]:
            same.append({})
        same[-1][section.profile] = section
    ordered = [part for parts in runs.values() for part in parts]
    return [[part[profile] for profile in sorted(part)] for part in ordered]


def _kernels(sections: Iterable[Section]) -> frozenset[str]:
    return frozenset(section.kernel for section in sections)


def _depth(sections: Iterable[Section]) -> int:
    """How many parts of their paths tell apart directories with the same profile, such as those of several machines.

    Zero if all profiles differ. Raises UserError if one of the directories contains another one.
    """
    places: dict[str, dict[Path, Section]] = {}
    for section in sections:
        places.setdefault(section.profile, {})[section.directory] = section
    depths = [0]
    for profile, paths in places.items():
        if len(paths) == 1:
            continue
        above = next(((path, other) for path in paths for other in paths if path in other.parents), None)
        if above:
            raise UserError(
                f"{above[0]} and {above[1]} are both results of {profile} on {paths[above[0]].kernel}",
                hint="import them separately",
            )
        depths.append(len(Path(os.path.commonpath(paths)).parts) + 1)
    return min(depth for depth in depths if depth or len(depths) == 1)
