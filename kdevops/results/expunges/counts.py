"""Our own counts of tests that do not simply pass, as lines of expunge lists.

    generic/475 # F:3/40 flaky since 6.1.20 https://…
    generic/475 # Hung:1/40
    xfs/168 # crash F:1/11

Each way to end has a line: how often of how many runs. A note that would change how the counts are read stands above them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from kdevops.results.baselines.entry import Entry
from kdevops.results.expunges.lists import MAX_NOTE, test_in
from kdevops.results.expunges.tree import Tree, merged
from kdevops.results.model import Status
from kdevops.results.rate import JOINT, counts_of, rate_of, written
from kdevops.results.symptoms import kind_of
from kdevops.text import clean

HEADER = "# The counts of a baseline of kdevops. `kdevops baseline export` writes this file anew: change the baseline's notes.\n"
"""Begins a list that has nothing else."""
MAX_COUNT = 999_999_999
Place = Callable[[str, str], PurePosixPath | None]
"""Where a suite has the list of a profile, below the directory of a kernel; None if it has no lists."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of a suite and profile for a kernel: a release or series."""

    kernel: str
    suite: str
    profile: str
    entries: Mapping[str, Entry]


def lines_of(test: str, entries: Iterable[Entry]) -> list[str]:
    """The lines of a test, with the counts and notes of these entries; none if it never went bad.

    The most frequent way to end is first.
    """
    entries = list(entries)
    runs = min(sum(each.counts.ran for each in entries), MAX_COUNT)
    times = {status: min(sum(each.counts[status] for each in entries), MAX_COUNT) for status in Status if status.is_bad}
    ends = sorted((each for each in times if times[each]), key=lambda each: (-times[each], -each.ending.severity))
    said = {end: [written(end, times[end], runs)] for end in ends}
    above = []
    for note, of in dict.fromkeys(note for each in entries for note in _notes(each)):
        fits = (end for end in ends if of in {None, end} and _same([*said[end], note], said[end][0]))
        if end := next(fits, None):
            said[end].append(note)
        elif ends:
            above.append(f"# {test}: {note}")
    return [*above, *(f"{test} # {' '.join(said[end])}" for end in ends)]


def own_lists(
    counted: Iterable[Counted], place: Place, *, kernel: str = "", today: date | None = None
) -> Mapping[str, Tree]:
    """Our own counts as a tree for each suite, of `kernel` if that is given. What ended before `today` is not known.

    The list of a profile in which nothing goes wrong is empty.
    """
    found: dict[str, dict[PurePosixPath, dict[str, list[Entry]]]] = {}
    for each in counted:
        below = place(each.suite, each.profile)
        if below is None:
            continue
        tests = found.setdefault(each.suite, {}).setdefault(PurePosixPath(kernel or each.kernel) / below, {})
        for name, entry in each.entries.items():
            if test_in(name) == name:
                tests.setdefault(name, []).append(entry.on(today))
    return {suite: Tree({path: _text(tests) for path, tests in lists.items()}) for suite, lists in found.items()}


def exported(there: Tree, imported: Tree, own: Tree) -> Tree:
    """What a tree is to be: all that is in it, all that was imported, and our own counts in place of earlier ones."""
    before = {path for path, text in there.lists.items() if path in own.lists and text.startswith(HEADER)}
    found = merged(
        Tree({path: text for path, text in there.lists.items() if path not in before}, there.links), imported
    )
    alone = {path: HEADER + text for path, text in own.lists.items() if not found.at(path)}
    ours = {path: alone.get(path, text) for path, text in own.lists.items() if text or path in before & alone.keys()}
    return merged(found, Tree(ours))


def _text(tests: Mapping[str, Iterable[Entry]]) -> str:
    return "".join(f"{line}\n" for name in sorted(tests) for line in lines_of(name, tests[name]))


def _notes(entry: Entry) -> Iterator[tuple[str, Status | None]]:
    """Each note, with the way to end that it is about, None for the test itself."""
    if note := clean(entry.note):
        yield note, None
    for symptom, seen in entry.symptoms.items():
        if note := clean(seen.note):
            yield f"{clean(symptom)}: {note}", kind_of(symptom)


def _same(said: Iterable[str], rate: str) -> bool:
    """Whether a note says no other counts than the rate alone, also if it is cut, or read with others."""
    whole, cut = " ".join(said), clean(" ".join(said), MAX_NOTE)
    return counts_of(cut) == counts_of(whole) == counts_of(rate) and not any(map(rate_of, whole.split(JOINT)[1:]))
