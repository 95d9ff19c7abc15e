"""The ways in which a test goes bad now, compared with those in which it went bad before.

A symptom is known if the baseline has it, or the baseline kernel showed it. Fails, crashes and hangs are told apart: where
the baseline counts fails and does not say how the test failed (an older file, imported results), any fail is the known one,
but no crash. The results of the baseline kernel, where it has this kind of outcome, say how better than such counts do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kdevops.results.entry import Entry
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.symptoms import kind_of, symptoms


@dataclass(frozen=True, slots=True)
class Ways:
    """Symptoms that were never seen before, and the known ones; each sorted, the worst first.

    `untold`: statuses that the test had before of which nothing says in what way: any failure of that kind is a known one.
    """

    unknown: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    untold: frozenset[Status] = frozenset()


NO_WAYS = Ways()
"""Those of a test that did not go bad."""


def ways(test: TestId, stored: Entry | None, arm: Sequence[Outcome], now: Iterable[Outcome]) -> Ways:
    """Compare the symptoms of all results of `test`; `arm` are its results on the baseline kernel.

    An expunge list does not say how a test goes bad: with one, nothing is unknown.
    """
    found = frozenset(each for outcome in now for each in symptoms(test, outcome))
    if not found or (stored and stored.expunged):
        return NO_WAYS
    there = [(outcome.status, symptoms(test, outcome)) for outcome in arm if outcome.status.is_bad]
    seen_there = {status for status, _ in there}
    untold = {status for status, each in there if not each}
    if stored:
        untold |= {
            status for status in map(kind_of, found) if status not in seen_there and not stored.tells_how(status)
        }
    known = frozenset(stored.symptoms if stored else ()).union(*(each for _, each in there))
    unknown = (each for each in found - known if kind_of(each) not in untold)
    return Ways(_sorted(unknown), _sorted(known), frozenset(_all_untold(stored, there)))


def _all_untold(stored: Entry | None, there: Sequence[tuple[Status, frozenset[str]]]) -> Iterator[Status]:
    for status in Status:
        if (status.is_bad and any(each is status and not said for each, said in there)) or (
            status.is_bad and stored and all(each is not status for each, _ in there) and not stored.tells_how(status)
        ):
            yield status


def _sorted(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(found, key=lambda each: (-kind_of(each).ending.severity, each)))
