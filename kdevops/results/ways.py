"""The ways in which a test goes bad now, compared with those in which it went bad before.

A symptom is known if the baseline has it, or the baseline kernel showed it. Fails, crashes and hangs are told apart: where
the baseline counts fails and does not say how the test failed (an older file, imported results), any fail is the known one,
but no crash. The results of the baseline kernel, where it has this kind of outcome, say how better than such counts do.
A known symptom has a rate of its own: what went bad by it once in thirty times does not do so always by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kdevops.results.baselines.entry import Entry
from kdevops.results.decision.selection import is_chance, is_known
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.symptoms import kind_of, symptoms


@dataclass(frozen=True, slots=True)
class Ways:
    """Symptoms that were never seen before, and the known ones; each sorted, the worst first.

    `more_often`: those of the known ones that occur more often now than is in line with how often they were seen; `seen`: the
    largest number of results that had one of these. `untold`: statuses that the test had before of which nothing says in what
    way: any failure of that kind is a known one.
    """

    unknown: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    more_often: tuple[str, ...] = ()
    seen: int = 0
    untold: frozenset[Status] = frozenset()


NO_WAYS = Ways()
"""Those of a test that did not go bad."""


def ways(
    test: TestId,
    stored: Entry | None,
    arm: Sequence[Outcome],
    now: Sequence[Outcome],
    *,
    ran_there: int | None = None,
    ran_now: int | None = None,
) -> Ways:
    """Compare the symptoms of all bad results of `test`; `arm` are its bad results on the baseline kernel.

    `ran_there` and `ran_now` count all results of the test, bad or not; without them, those given are all. An expunge list
    does not say how a test goes bad: where that is all that is known, nothing is unknown.
    """
    found = Counter(each for outcome in now for each in symptoms(test, outcome))
    if not found or (stored and stored.only_listed):
        return NO_WAYS
    there = [(outcome.status, symptoms(test, outcome)) for outcome in arm if outcome.status.is_bad]
    seen_there = {status for status, _ in there}
    untold = {status for status, each in there if not each}
    if stored:
        untold |= {
            status for status in map(kind_of, found) if status not in seen_there and not stored.tells_how(status)
        }
    times_there = Counter(each for _, found_there in there for each in found_there)
    known = frozenset(stored.symptoms if stored else ()).union(times_there)
    unknown = (each for each in found.keys() - known if kind_of(each) not in untold)
    runs = _Runs(stored.counts.ran if stored else 0, len(arm) if ran_there is None else ran_there)
    seen = {each: _Seen(stored.most_seen(each) if stored else 0, times_there[each]) for each in found.keys() & known}
    all_now = len(now) if ran_now is None else ran_now
    doubt = stored is not None and stored.listed_flaky
    more = [each for each, before in seen.items() if not _in_line(before, runs, found[each], all_now, doubt=doubt)]
    return Ways(
        _sorted(unknown),
        _sorted(known),
        _sorted(more),
        max((seen[each].stored + seen[each].there for each in more), default=0),
        frozenset(_all_untold(stored, there)),
    )


class _Runs(NamedTuple):
    stored: int
    there: int


class _Seen(NamedTuple):
    stored: int
    there: int


def _in_line(seen: _Seen, runs: _Runs, now: int, runs_now: int, *, doubt: bool) -> bool:
    """Whether a symptom that `now` results have is as frequent as before, or no more so than on the baseline kernel.

    `doubt`: part of what was seen before is from an expunge list, see `kdevops.results.compare`.
    """
    both, runs_of_both = seen.stored + seen.there, runs.stored + runs.there
    if is_known(both, runs_of_both, now, runs_now) or (doubt and is_chance(both, runs_of_both, now, runs_now)):
        return True
    return min(seen.there, runs.there) > 0 and is_known(seen.there, runs.there, now, runs_now)


def _all_untold(stored: Entry | None, there: Sequence[tuple[Status, frozenset[str]]]) -> Iterator[Status]:
    for status in Status:
        if (status.is_bad and any(each is status and not said for each, said in there)) or (
            status.is_bad and stored and all(each is not status for each, _ in there) and not stored.tells_how(status)
        ):
            yield status


def _sorted(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found, key=lambda each: (-kind_of(each).ending.severity, each)))
