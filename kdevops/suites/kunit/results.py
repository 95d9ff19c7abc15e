"""KUnit's results: from a kernel log (or a console, which may end in the middle), or from a suite's debugfs file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.ktap.grammar import shorten
from kdevops.suites.ktap.parsed_log import ParsedLog, Result, failures_of, first_skip_reason, subtests_of
from kdevops.suites.ktap.parser import parse


@dataclass(frozen=True, slots=True)
class ConsoleOutcomes:
    """The outcomes in a log. `in_flight` was running when the log ended; its outcome is a crash."""

    outcomes: Mapping[TestId, Outcome]
    in_flight: TestId | None


def outcomes_from_console(lines: Iterable[str], planned: Sequence[TestId]) -> ConsoleOutcomes:
    """An outcome for every planned suite in the log; the name of a planned id is the suite's.

    A suite that started but whose end was lost while others ran has none: the log cannot tell.
    """
    parsed = parse(lines) or ParsedLog(Status.SKIP)
    outcomes = {test: told for test in planned if (told := outcome_in(parsed, test.name))}
    flying = parsed.in_flight.split(" / ")[0]
    in_flight = next((test for test in planned if test.name == flying), None)
    if in_flight:
        outcomes[in_flight] = _crash(parsed, flying)
    return ConsoleOutcomes(outcomes, in_flight)


def outcome_from_debugfs(text: str, suite: str) -> Outcome | None:
    """The outcome in /sys/kernel/debug/kunit/<suite>/results; None if the suite has not run."""
    return outcome_in(parse(text.splitlines()), suite)


def outcome_in(parsed: ParsedLog | None, suite: str) -> Outcome | None:
    """The suite's outcome, the worst if it ran several times; None if there is no result line for it."""
    results = parsed.results if parsed else ()
    told = [outcome_of(each) for each in results if each.name == suite and each.status is not Status.MISSING]
    return max(told, key=lambda outcome: outcome.status.ending.severity, default=None)


def outcome_of(result: Result) -> Outcome:
    """The outcome of one suite's result line, with its cases as subtests."""
    subtests = subtests_of(result.children)
    skipped = first_skip_reason([result]) or "every case was skipped"
    if result.status is Status.PASS and all(leaf.status is Status.SKIP for leaf in result.leaves()):
        return Outcome(Status.SKIP, reason=skipped, subtests=subtests)
    if result.status is Status.SKIP:
        return Outcome(Status.SKIP, reason=result.reason or skipped, subtests=subtests)
    reason = "" if result.status is Status.PASS else _failure(result)
    return Outcome(result.status, reason=reason, subtests=subtests)


def _failure(result: Result) -> str:
    failures = failures_of(result.children)
    if not failures:
        return result.reason or "the suite itself failed in its set-up or tear-down"
    more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
    return shorten(f"{failures[0].name} failed{': ' if failures[0].reason else ''}{failures[0].reason}{more}")


def _crash(parsed: ParsedLog, suite: str) -> Outcome:
    children = next((result.children for result in reversed(parsed.results) if result.name == suite), ())
    subtests = subtests_of(children)
    last = f" after {subtests[-1].name}" if subtests else ""
    return Outcome(Status.CRASH, reason=shorten(f"the kernel died in {parsed.in_flight}{last}"), subtests=subtests)
