"""Writes what a baseline knows as trees of expunge lists, which upstream kdevops and other baselines can read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from kdevops.results.baselines.writing import locked
from kdevops.results.expunges import layout
from kdevops.results.expunges.counts import Counted, Place, exported, own_lists
from kdevops.results.expunges.reading import read_tree
from kdevops.results.expunges.tree import Tree
from kdevops.results.expunges.writing import Written, write


@dataclass(frozen=True, slots=True)
class Exported:
    """A suite's tree in `place`: how many lines it has by now, how many are our own counts, and what changed."""

    suite: str
    place: Path
    entries: int
    own: int
    written: Written


def export_trees(
    baseline: Path,
    counted: Iterable[Counted],
    list_of: Place,
    directory: Path,
    *,
    kernel: str = "",
    today: date | None = None,
) -> tuple[Exported, ...]:
    """Write the lists that a baseline has imported, and its own counts, into a directory; what is there stays.

    `list_of`: see `Place`; `kernel`, `today`: see `own_lists`. Raises UserError for a list in one of both that has a
    mistake, before anything is written, and InfrastructureError if something cannot be.
    """
    own = own_lists(counted, list_of, kernel=kernel, today=today)
    imported = {
        suite: read_tree(place, suite).tree for suite in layout.SUITES for place in layout.of_baseline(baseline, suite)
    }
    suites = [
        suite
        for suite in layout.SUITES
        if imported.get(suite, Tree()).lists or any(own.get(suite, Tree()).lists.values())
    ]
    if not suites:
        return ()
    with locked(directory):
        places = {suite: layout.tree_for(directory, suite) for suite in suites}
        for place in places.values():
            layout.check_other(place, baseline)
        before = {suite: read_tree(place, suite).tree for suite, place in places.items()}
        done = []
        for suite, place in places.items():
            ours = own.get(suite, Tree())
            after = exported(before[suite], imported.get(suite, Tree()), ours)
            done.append(Exported(suite, place, after.entries, ours.entries, write(place, before[suite], after)))
    return tuple(done)
