"""Which runs `check.log` tells of, and which files that tests left belong to which of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdevops.suites.fstests.account import Files
from kdevops.suites.fstests.check_log import LoggedRun


@dataclass(frozen=True, slots=True)
class Part:
    """Paragraphs that are one run, and the files that are of it. `last`: the newest, to which whatever else is there belongs."""

    runs: Sequence[LoggedRun]
    files: Files
    last: bool


def by_kernel_and_day(runs: Sequence[LoggedRun], release: Callable[[str], str]) -> list[list[LoggedRun]]:
    """The paragraphs of each kernel and day together, in the order of the log."""
    groups: dict[tuple[str, object], list[LoggedRun]] = {}
    for run in runs:
        groups.setdefault((release(run.kernel), run.day), []).append(run)
    return [*groups.values()]


def divide(groups: Sequence[Sequence[LoggedRun]], files: Files) -> list[Part]:
    """A part for each group, the oldest first, but for older ones that name no test.

    `check` removes the files of a test when it begins, so those that are there are of the last run that had the test.
    """
    parts: list[Part] = []
    left = dict(files)
    for runs in reversed(groups):
        last = not parts
        names = {name for run in runs for name in run.names}
        if last or names:
            own = left if last else {name: left[name] for name in names & left.keys()}
            parts.append(Part(runs, own, last))
        left = {name: paths for name, paths in left.items() if name not in names}
    return parts[::-1]
