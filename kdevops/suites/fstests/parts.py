"""Group the runs in `check.log`, and assign the tests' files to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kdevops.suites.fstests.check_log import LoggedRun
from kdevops.suites.fstests.run_outcomes import Files


@dataclass(frozen=True, slots=True)
class Part:
    """The paragraphs of one run, and its files. `last`: the newest, to which all other files belong."""

    runs: Sequence[LoggedRun]
    files: Files
    last: bool


def by_kernel_and_day(runs: Sequence[LoggedRun], release: Callable[[str], str]) -> list[list[LoggedRun]]:
    """The paragraphs grouped by kernel and day, in the order of the log."""
    groups: dict[tuple[str, object], list[LoggedRun]] = {}
    for run in runs:
        groups.setdefault((release(run.kernel), run.day), []).append(run)
    return [*groups.values()]


def divide(groups: Sequence[Sequence[LoggedRun]], files: Files) -> list[Part]:
    """A part for each group, the oldest first, without older ones that name no test.

    `check` removes a test's files when the test starts, so existing files are from the last run of that test.
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
