"""Hold a report against `check.log`: which of its paragraphs are of the same run, and what they say that the report does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from enum import Enum, auto

from kdevops.results.model import Outcome, Status
from kdevops.suites.fstests.account import Account, Files, by_log
from kdevops.suites.fstests.check_log import LoggedRun
from kdevops.suites.fstests.record import REPORT, Record
from kdevops.suites.fstests.xunit_cases import Suite
from kdevops.suites.fstests.xunit_totals import difference


def add_log(
    account: Account,
    name: str,
    suites: Sequence[Suite],
    record: Record,
    files: Files,
    kernel: str,
    release: Callable[[str], str],
) -> list[LoggedRun]:
    """Take from the log what it knows of this run, and give its paragraphs. `name` is that of the report's file."""
    own, others = _own_and_others(record.runs, suites, kernel, release)
    for run in others:
        when = ", ".join(filter(None, (run.kernel, run.printed))) or "without kernel and date"
        account.notes.append(f"check.log tells of another run ({when}), which is not imported beside {name}")
    logged = by_log(own, record.times, files)
    account.notes += logged.notes
    if logged.why:
        account.lacks(logged.why, counted=account.counted)
    added = _take(account, name, logged.ends)
    # `check` writes a pass into its report, and nothing into the log, for a test of which it says "no such test?".
    surplus = any(difference(suite).surplus for suite in suites)
    beside = name == REPORT and all(suite.finished and suite.began and suite.ended for suite in suites)
    if own and not any(run.broken for run in own) and (surplus or beside):
        _doubt_what_the_log_lacks(account, name, logged.ends)
    if beside and added:
        words = f"check.log knows of {added} tests more than {name}"
        account.notes.append(words)
        account.lacks(words, counted=account.counted)
    return own


def _own_and_others(
    runs: Sequence[LoggedRun], suites: Sequence[Suite], kernel: str, release: Callable[[str], str]
) -> tuple[list[LoggedRun], list[LoggedRun]]:
    """The paragraphs that are of this run of `kernel`, and those that are not."""
    last = (release(runs[-1].kernel), runs[-1].day) if runs else None
    own: list[LoggedRun] = []
    others: list[LoggedRun] = []
    for run in runs:
        said = release(run.kernel)
        same = (not said or not kernel or said == kernel) and _same_time(run, suites, (said, run.day) == last)
        (own if same else others).append(run)
    return own, others


def _take(account: Account, name: str, logged: Mapping[str, list[Outcome]]) -> int:
    """Take from the log the ends of tests that the report has none of; how many tests that the report does not know."""
    added = 0
    for test, ends in logged.items():
        if account.statuses(test) <= {Status.MISSING}:
            added += test not in account.ends
            account.ends[test] = ends
        else:
            _compare(account, name, test, ends)
    account.lacking = max(0, account.lacking - added)
    return added


def _doubt_what_the_log_lacks(account: Account, name: str, logged: Mapping[str, list[Outcome]]) -> None:
    for test in [test for test in account.ends if test not in logged]:
        words = f"{name} says {'/'.join(sorted(account.statuses(test)))}, and check.log does not know that it ran"
        account.notes.append(f"{test}: {words}")
        account.replace([test], Outcome(Status.MISSING, reason=words))
        account.lacks(words, counted=account.counted)


def _same_time(run: LoggedRun, suites: Iterable[Suite], last: bool) -> bool:
    """Whether the paragraph was written while these suites ran; where nothing says when, the last one was, if they ended."""
    spans = [(suite.began, suite.ended) for suite in suites if suite.began and suite.ended]
    if not run.when or not spans:
        return last and all(suite.finished for suite in suites)
    began, ended = min(span[0] for span in spans), max(span[1] for span in spans)
    if run.timed:
        return began <= run.when <= ended
    return began.date() <= run.when.date() <= ended.date()


class Agreement(Enum):
    """What a report and the log say of one test: AGREE; or one that FAILED by the log; or the end is UNCLEAR."""

    AGREE = auto()
    FAILED = auto()
    UNCLEAR = auto()


def agreement(said: Set[Status], logged: Set[Status]) -> Agreement:
    """Compare what a report says of a test's ends with what the log does, which knows neither crashes nor hangs."""
    logged = logged - {Status.MISSING}
    if logged <= said or all(any(each.is_bad for each in ends) for ends in (said, logged)):
        return Agreement.AGREE
    return Agreement.FAILED if Status.FAIL in logged else Agreement.UNCLEAR


def _compare(account: Account, name: str, test: str, ends: Sequence[Outcome]) -> None:
    said, logged = account.statuses(test), {end.status for end in ends} - {Status.MISSING}
    found = agreement(said, logged)
    if found is Agreement.AGREE:
        return
    status = Status.FAIL if found is Agreement.FAILED else min(logged - said)
    words = f"{name} says {'/'.join(sorted(said))}, and check.log says {status}"
    account.notes.append(f"{test}: {words}")
    if found is Agreement.FAILED:
        account.replace([test], next(end for end in ends if end.status is Status.FAIL))
    else:
        account.replace([test], Outcome(Status.MISSING, reason=words))
