"""The results in a KTAP log, as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kdevops.results.model import Status, Subtest


@dataclass(frozen=True, slots=True)
class Result:
    """One result line and the results nested below it. MISSING: it started and never ended."""

    name: str
    status: Status
    reason: str = ""
    children: tuple[Result, ...] = ()

    def leaves(self) -> Iterator[Result]:
        """The results with nothing below them."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


@dataclass(frozen=True, slots=True)
class ParsedLog:
    """The parsed log. `status` is FAIL, PASS (something passed and nothing failed) or SKIP (nothing ran).

    `faults` make the log a failure, regardless of its results (planned tests without a result, bail out); `notes` are
    oddities that do not (numbers out of order). `in_flight` is the path of the test that started and never ended, "" if
    all ended. `dropped` results exceeded the parser's limit and were only counted. `skip_reason` is the first reason
    given for a skip. `failed`: something ran and failed, regardless of what is missing.
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
        """All faults and notes, the worst first."""
        return self.faults + self.notes

    @property
    def subtests(self) -> tuple[Subtest, ...]:
        """All results in the order of the log: children before their parent."""
        return subtests_of(self.results)

    @property
    def failures(self) -> tuple[Subtest, ...]:
        """The results that failed by themselves."""
        return failures_of(self.results)


def subtests_of(results: Iterable[Result]) -> tuple[Subtest, ...]:
    """Every result, children before their parent."""
    return tuple(_flatten(results, ()))


def failures_of(results: Iterable[Result]) -> tuple[Subtest, ...]:
    """The results that failed by themselves, not only because of a nested failure."""
    return tuple(_flatten(results, (), failures_only=True))


def summarize(results: Iterable[Result]) -> Status:
    """FAIL if anything failed, else PASS if any result with nothing below it passed, else SKIP."""
    results = tuple(results)
    if any(_is_bad(result) for result in results):
        return Status.FAIL
    passed = any(leaf.status is Status.PASS for result in results for leaf in result.leaves())
    return Status.PASS if passed else Status.SKIP


def first_skip_reason(results: Iterable[Result]) -> str:
    """The first reason given for a skip, "" if there is none."""
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
