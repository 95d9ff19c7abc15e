"""What a KTAP log told, as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kdevops.results.model import Status, Subtest


@dataclass(frozen=True, slots=True)
class Result:
    """One result line and what was nested below it. MISSING: it was begun and never ended."""

    name: str
    status: Status
    reason: str = ""
    children: tuple[Result, ...] = ()

    def leaves(self) -> Iterator[Result]:
        """The results that have nothing below them."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


@dataclass(frozen=True, slots=True)
class Account:
    """All that was said. `status` is FAIL, PASS (something passed and nothing failed) or SKIP (nothing ran).

    `faults` are what makes the account a failure whatever its results say (planned tests without a result, bail out);
    `notes` are oddities that do not (numbers out of order). `in_flight` is the path of the test that was begun and
    never ended, "" when all ended. `dropped` results came after the parser's limit and were only counted.
    `skip_reason` is the first reason given for anything that was skipped. `failed`: something ran and failed, whatever is
    missing besides.
    """

    status: Status
    results: tuple[Result, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    in_flight: str = ""
    dropped: int = 0
    skip_reason: str = ""
    failed: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that was wrong with the account itself, the worst first."""
        return self.faults + self.notes

    @property
    def subtests(self) -> tuple[Subtest, ...]:
        """All results, as the log has them: children before their parent."""
        return subtests_of(self.results)

    @property
    def failures(self) -> tuple[Subtest, ...]:
        """What failed by itself."""
        return failures_of(self.results)


def subtests_of(results: Iterable[Result]) -> tuple[Subtest, ...]:
    """Every result, children before their parent."""
    return tuple(_flatten(results, ()))


def failures_of(results: Iterable[Result]) -> tuple[Subtest, ...]:
    """The results that failed by themselves, not only because something below them did."""
    return tuple(_flatten(results, (), failures_only=True))


def summarize(results: Iterable[Result]) -> Status:
    """FAIL when anything failed, else PASS when any result with nothing below it passed, else SKIP."""
    results = tuple(results)
    if any(_is_bad(result) for result in results):
        return Status.FAIL
    passed = any(leaf.status is Status.PASS for result in results for leaf in result.leaves())
    return Status.PASS if passed else Status.SKIP


def first_skip_reason(results: Iterable[Result]) -> str:
    """The first reason given for a skip, "" when none was."""
    leaves = (leaf for result in results for leaf in result.leaves())
    return next((leaf.reason for leaf in leaves if leaf.status is Status.SKIP and leaf.reason), "")


def _is_bad(result: Result) -> bool:
    return not result.status.is_well or any(map(_is_bad, result.children))


def _flatten(results: Iterable[Result], path: tuple[str, ...], *, failures_only: bool = False) -> Iterator[Subtest]:
    for result in results:
        here = (*path, result.name)
        yield from _flatten(result.children, here, failures_only=failures_only)
        own = not result.status.is_well and not any(map(_is_bad, result.children))
        if own or not failures_only:
            yield Subtest(" / ".join(here), result.status, result.reason)
