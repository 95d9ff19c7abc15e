"""Takes other people's trees of expunge lists into a baseline, where git merges them by lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdevops.files import write_atomic
from kdevops.results.baselines.layout import EXPUNGES
from kdevops.results.baselines.writing import locked
from kdevops.results.expunges import layout
from kdevops.results.expunges.reading import Found, read_tree, read_trees
from kdevops.results.expunges.tree import merged
from kdevops.results.expunges.writing import Written, write

ATTRIBUTES = "# Lists of lines: keep those of both sides.\n*.txt merge=union\n"


@dataclass(frozen=True, slots=True)
class Imported:
    """A tree that was taken, and what that changed in `place`."""

    found: Found
    place: Path
    written: Written


def import_trees(directory: Path, baseline: Path) -> tuple[Imported, ...]:
    """Merge the trees in a directory into those of a baseline; the same again changes nothing.

    Raises UserError as `read_trees`, also for what is in the baseline, before anything is written, and InfrastructureError
    if something cannot be.
    """
    own = baseline / EXPUNGES
    found = read_trees(directory)
    for each in found:
        layout.check_other(each.place, baseline)
    with locked(baseline):
        before = [read_tree(own / each.suite, each.suite).tree for each in found]
        done = []
        for each, tree in zip(found, before, strict=True):
            place = own / each.suite
            done.append(Imported(each, place, write(place, tree, merged(tree, each.tree))))
        attributes = own / ".gitattributes"
        if not attributes.exists():
            write_atomic(attributes, ATTRIBUTES)
    return tuple(done)
