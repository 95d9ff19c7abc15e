"""How one kselftest, or a script of the lab's own, ended, from its exit code and what it printed."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from kdevops.guest.execute import Execution
from kdevops.results.model import Outcome, Status
from kdevops.suites.ktap import parse
from kdevops.suites.ktap_account import Account
from kdevops.suites.ktap_grammar import shorten

# KSFT_* of tools/testing/selftests/kselftest.h. Its runner.sh takes 0 for ok, 4 for a skip, all else for not ok.
_PASS = 0
_SKIP = 4
_SHELL = {
    126: "exit code 126: it could not be executed (no permission, or built for another machine)",
    127: "exit code 127: it, its interpreter or a program that it calls was not found",
}
KSELFTEST = {
    2: "exit code 2 (the test calls it an expected failure, kselftest's runner does not)",
    3: "exit code 3 (an unexpected pass)",
}
"""What only a kselftest means by an exit code."""


def outcome(execution: Execution, lines: Sequence[str], words: Mapping[int, str] | None = None) -> Outcome:
    """One status for the test. Exit code and KTAP must agree on success; where they do not, the worse is believed.

    `words` are what this kind of test means by an exit code, over what a shell means by it.
    """
    account = parse(lines)
    status, reason = _judge(execution, account, lines, {**_SHELL, **(words or {})})
    return Outcome(
        status,
        seconds=execution.seconds,
        reason=shorten(reason),
        subtests=account.subtests if account else (),
    )


def _judge(
    execution: Execution, account: Account | None, lines: Sequence[str], meanings: Mapping[int, str]
) -> tuple[Status, str]:
    if execution.returncode is None:
        return Status.HANG, _timed_out(execution, account)
    failure = _failure(account)
    if execution.returncode == _PASS:
        return _judge_success(account, failure)
    if execution.returncode == _SKIP:
        if account and account.failures:
            return Status.FAIL, f"exit code 4 says skipped, but its KTAP says: {failure}"
        return Status.SKIP, (account.skip_reason if account else "") or _last_words(lines) or "exit code 4"
    code = _describe(execution.returncode, meanings)
    if failure:
        return Status.FAIL, f"{failure} ({code})"
    if account:
        return Status.FAIL, f"{code}, but its KTAP reports no failure"
    words = _last_words(lines)
    return Status.FAIL, f"{code}: {words}" if words else code


def _judge_success(account: Account | None, failure: str) -> tuple[Status, str]:
    if account is None:
        return Status.PASS, ""
    if failure:
        return Status.FAIL, f"exit code 0, but its KTAP says: {failure}"
    if account.status is Status.SKIP:
        return Status.SKIP, f"exit code 0, but nothing in it ran: {account.skip_reason or 'no reason given'}"
    return Status.PASS, ""


def _describe(code: int, meanings: Mapping[int, str]) -> str:
    """An exit code in words; above 128 a shell tells of a signal."""
    if code in meanings:
        return meanings[code]
    if code > 128:
        try:
            return f"killed by {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return f"exit code {code}"


def _failure(account: Account | None) -> str:
    """The first failure in the KTAP, "" when there is none."""
    if account is None or account.status is not Status.FAIL:
        return ""
    failures = account.failures
    if not failures:
        return account.faults[0] if account.faults else "failed"
    more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
    first = failures[0]
    return f"{first.name} failed{': ' if first.reason else ''}{first.reason}{more}"


def _timed_out(execution: Execution, account: Account | None) -> str:
    where = f" in {account.in_flight}" if account and account.in_flight else ""
    if execution.silent:
        return f"no answer from the guest after {execution.seconds:.0f} s{where}"
    return f"stopped after {execution.seconds:.0f} s{where}; the guest still answered"


def _last_words(lines: Sequence[str]) -> str:
    """The last line that is not blank."""
    return next((text for line in reversed(lines) if (text := shorten(line.lstrip("# ")))), "")
