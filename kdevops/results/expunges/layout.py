"""Where the lists of a suite are in a tree, and where its tree is.

    fstests    <kernel>/<fs>/<category>/[P0..P5/]<section>.txt, any/[<fs>/]<name>.txt
    blktests   <kernel>/failures.txt

A kernel is the output of `uname -r`, a series, `any`, or, for the packaged kernel of a distribution, ID and VERSION_ID of
/etc/os-release: debian/12.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from kdevops.errors import UserError
from kdevops.results.baselines.layout import EXPUNGES

CATEGORIES = ("diff", "unassigned", "assigned")
PRIORITIES = ("P0", "P1", "P2", "P3", "P4", "P5")
FAILURES = "failures.txt"
FSTESTS, BLKTESTS = "fstests", "blktests"
_KERNEL = r"(?P<kernel>[^/]+(?:/[^/]+)?)"
_OF_A_KERNEL = re.compile(r"[^/]+/(?:any|[0-9]+\.[0-9]+(?:\.[0-9]+|-rc[0-9]+).*)", re.ASCII)
"""A kernel below another directory: rather that of a tree than the ID of a distribution."""
_LISTS = {
    FSTESTS: re.compile(
        rf"(?:any(?:/[^/]+)?|{_KERNEL}/[^/]+/(?:{'|'.join(CATEGORIES)})(?:/(?:{'|'.join(PRIORITIES)}))?)/[^/]+\.txt"
    ),
    BLKTESTS: re.compile(rf"{_KERNEL}/{re.escape(FAILURES)}"),
}
SUITES = tuple(_LISTS)
EXPECTED = (
    "it must have lists such as 6.1.42/xfs/unassigned/xfs_crc.txt of fstests or 6.1.42/failures.txt of blktests; a checkout "
    "of upstream kdevops has them in workflows/fstests/expunges and workflows/blktests/expunges"
)
"""What a tree of lists looks like, for people."""


def is_list(suite: str, path: PurePosixPath) -> bool:
    """Whether a suite has a list at this path of its tree."""
    return bool(_LISTS[suite].fullmatch(str(path)))


def suite_of(paths: Iterable[PurePosixPath]) -> str:
    """The suite whose lists these files of a tree are, "" if they are none."""
    paths = list(paths)
    # `any/failures.txt` could be of both.
    return next(
        (suite for suite in SUITES if any(is_list(suite, each) for each in paths if each.name != FAILURES)), ""
    ) or (BLKTESTS if any(is_list(BLKTESTS, each) for each in paths) else "")


def is_around(suite: str, paths: Iterable[PurePosixPath]) -> bool:
    """Whether all these lists are in a directory around a tree, as far as one can tell."""
    kernels = [match["kernel"] for path in paths if (match := _LISTS[suite].fullmatch(str(path)))]
    return bool(kernels) and all(kernel and _OF_A_KERNEL.fullmatch(kernel) for kernel in kernels)


def trees_in(directory: Path) -> Mapping[str, Path]:
    """The trees in a checkout of upstream kdevops, a baseline, or a directory with one of each suite; empty in a tree."""
    found = {}
    for suite in SUITES:
        places = (
            directory / "workflows" / suite / "expunges",
            directory / EXPUNGES / suite,
            directory / suite / "expunges",
            directory / suite,
        )
        if place := next((each for each in places if each.is_dir()), None):
            found[suite] = place
    return found


def tree_for(directory: Path, suite: str) -> Path:
    """Where a suite's tree is to be in a directory: in a checkout of upstream kdevops as it has them."""
    if there := trees_in(directory).get(suite):
        return there
    workflows = directory / "workflows"
    return workflows / suite / "expunges" if workflows.is_dir() else directory / suite


def of_baseline(baseline: Path | None, suite: str) -> tuple[Path, ...]:
    """The tree of a suite that a baseline has, if it has one."""
    place = baseline / EXPUNGES / suite if baseline else None
    return (place,) if place and place.is_dir() else ()


def check_other(tree: Path, baseline: Path) -> None:
    """Raise UserError if a tree is the one in the baseline."""
    if tree.resolve().is_relative_to((baseline / EXPUNGES).resolve()):
        raise UserError(f"{tree} is a part of the baseline {baseline}", hint="name another directory")
