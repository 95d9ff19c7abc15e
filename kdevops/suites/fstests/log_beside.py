"""Compare a report with `check.log`: which paragraphs belong to the same run, and what they add to the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from enum import Enum, auto

from kdevops.results.model import Outcome, Status
from kdevops.suites.fstests.check_log import LoggedRun
from kdevops.suites.fstests.record import REPORT, Record
from kdevops.suites.fstests.run_outcomes import Files, RunOutcomes, by_log
from kdevops.suites.fstests.xunit_cases import Suite
from kdevops.suites.fstests.xunit_totals import difference


def add_log(
    collected: RunOutcomes,
    name: str,
    suites: Sequence[Suite],
    record: Record,
    files: Files,
    kernel: str,
    release: Callable[[str], str],
) -> list[LoggedRun]:
    """Add what the log has about this run to `collected`; returns its paragraphs. `name` is the report's file name."""
    own, others = _own_and_others(record.runs, suites, kernel, release)
    for run in others:
        when = ", ".join(filter(None, (run.kernel, run.printed))) or "without kernel and date"
        collected.notes.append(f"check.log contains another run ({when}), which is not imported together with {name}")
    logged = by_log(own, record.times, files)
    collected.notes += logged.notes
    if logged.why:
        collected.lacks(logged.why, counted=collected.counted)
    added = _take(collected, name, logged.ends)
    # For a test with "no such test?", `check` writes a pass into its report, and nothing into the log.
    surplus = any(difference(suite).surplus for suite in suites)
    beside = name == REPORT and all(suite.finished and suite.began and suite.ended for suite in suites)
    if own and not any(run.broken for run in own) and (surplus or beside):
        _doubt_what_the_log_lacks(collected, name, logged.ends)
    if beside and added:
        words = f"check.log contains {added} tests more than {name}"
        collected.notes.append(words)
        collected.lacks(words, counted=collected.counted)
    return own


def _own_and_others(
    runs: Sequence[LoggedRun], suites: Sequence[Suite], kernel: str, release: Callable[[str], str]
) -> tuple[list[LoggedRun], list[LoggedRun]]:
    """The paragraphs that belong to this run of `kernel`, and the others."""
    last = (release(runs[-1].kernel), runs[-1].day) if runs else None
    own: list[LoggedRun] = []
    others: list[LoggedRun] = []
    for run in runs:
        said = release(run.kernel)
        same = (not said or not kernel or said == kernel) and _same_time(run, suites, (said, run.day) == last)
        (own if same else others).append(run)
    return own, others


def _take(collected: RunOutcomes, name: str, logged: Mapping[str, list[Outcome]]) -> int:
    """Add outcomes from the log for tests without one in the report; returns how many are not in the report at all."""
    added = 0
    for test, ends in logged.items():
        if collected.statuses(test) <= {Status.MISSING}:
            added += test not in collected.ends
            collected.ends[test] = ends
        else:
            _compare(collected, name, test, ends)
    collected.lacking = max(0, collected.lacking - added)
    return added


def _doubt_what_the_log_lacks(collected: RunOutcomes, name: str, logged: Mapping[str, list[Outcome]]) -> None:
    for test in [test for test in collected.ends if test not in logged]:
        words = f"{name} says {'/'.join(sorted(collected.statuses(test)))}, but check.log does not list it"
        collected.notes.append(f"{test}: {words}")
        collected.replace([test], Outcome(Status.MISSING, reason=words))
        collected.lacks(words, counted=collected.counted)


def _same_time(run: LoggedRun, suites: Iterable[Suite], last: bool) -> bool:
    """Whether the paragraph is from the time of these suites; without times, the last one is, if they finished."""
    spans = [(suite.began, suite.ended) for suite in suites if suite.began and suite.ended]
    if not run.when or not spans:
        return last and all(suite.finished for suite in suites)
    began, ended = min(span[0] for span in spans), max(span[1] for span in spans)
    if run.timed:
        return began <= run.when <= ended
    return began.date() <= run.when.date() <= ended.date()


class Agreement(Enum):
    """How report and log compare for one test: they AGREE; it FAILED according to the log; or the result is UNCLEAR."""

    AGREE = auto()
    FAILED = auto()
    UNCLEAR = auto()


def agreement(said: Set[Status], logged: Set[Status]) -> Agreement:
    """Compare a test's statuses in a report with those in the log, which cannot express crashes and hangs."""
    logged = logged - {Status.MISSING}
    if logged <= said or all(any(each.is_bad for each in ends) for ends in (said, logged)):
        return Agreement.AGREE
    return Agreement.FAILED if Status.FAIL in logged else Agreement.UNCLEAR


def _compare(collected: RunOutcomes, name: str, test: str, ends: Sequence[Outcome]) -> None:
    said, logged = collected.statuses(test), {end.status for end in ends} - {Status.MISSING}
    found = agreement(said, logged)
    if found is Agreement.AGREE:
        return
    status = Status.FAIL if found is Agreement.FAILED else min(logged - said)
    words = f"{name} says {'/'.join(sorted(said))}, but check.log says {status}"
    collected.notes.append(f"{test}: {words}")
    if found is Agreement.FAILED:
        collected.replace([test], next(end for end in ends if end.status is Status.FAIL))
    else:
        collected.replace([test], Outcome(Status.MISSING, reason=words))
