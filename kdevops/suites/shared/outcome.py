"""How a kselftest or a script of the lab ended, from its exit code and output."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping

from kdevops.guest.execute import Execution
from kdevops.results.model import Outcome, Status
from kdevops.suites.ktap.grammar import shorten
from kdevops.suites.ktap.parsed_log import ParsedLog
from kdevops.suites.ktap.parser import Parser

# KSFT_* of tools/testing/selftests/kselftest.h. Its runner.sh treats 0 as ok, 4 as skip, all else as not ok.
_PASS = 0
_SKIP = 4
_LOOKED_AT = 1000
"""Characters of a line that may be reported as a test's last line."""
_SHELL = {
    126: "exit code 126: it could not be executed (no permission, or built for another machine)",
    127: "exit code 127: it, its interpreter or a program that it calls was not found",
}
KSELFTEST = {
    2: "exit code 2 (the test calls it an expected failure, kselftest's runner does not)",
    3: "exit code 3 (an unexpected pass)",
}
"""Exit codes with a meaning that is specific to kselftest."""


class KtapReader:
    """Reads the output of a test line by line, KTAP or not; results count even in output that is not kept.

    `words` are exit codes with a special meaning for this kind of test; they override the shell's meanings.
    """

    def __init__(self, words: Mapping[int, str] | None = None) -> None:
        self._meanings = {**_SHELL, **(words or {})}
        self._parser = Parser()
        self._last = ""

    def feed(self, line: str) -> None:
        """Process one line."""
        self._parser.feed(line)
        if said := shorten(line[:_LOOKED_AT].lstrip("# ")):
            self._last = said

    def parsed_log(self) -> ParsedLog | None:
        """What the test's KTAP reported; None if it printed none."""
        return self._parser.finish()

    def outcome(self, execution: Execution) -> Outcome:
        """One status for the test. Exit code and KTAP must agree on success; if they differ, the worse one counts."""
        parsed = self.parsed_log()
        status, reason = _judge(execution, parsed, self._last, self._meanings)
        return Outcome(
            status,
            seconds=execution.seconds,
            reason=shorten(reason),
            subtests=parsed.subtests if parsed else (),
            subtests_cut=parsed.dropped if parsed else 0,
        )


def outcome(execution: Execution, lines: Iterable[str], words: Mapping[int, str] | None = None) -> Outcome:
    """The outcome of a test with exactly these output lines."""
    reader = KtapReader(words)
    for line in lines:
        reader.feed(line)
    return reader.outcome(execution)


def _judge(
    execution: Execution, parsed: ParsedLog | None, last: str, meanings: Mapping[int, str]
) -> tuple[Status, str]:
    if execution.returncode is None:
        return Status.HANG, _timed_out(execution, parsed)
    failure = _failure(parsed)
    if execution.returncode == _PASS:
        return _judge_success(parsed, failure)
    if execution.returncode == _SKIP:
        if parsed and parsed.failed:
            return Status.FAIL, f"exit code 4 says skipped, but its KTAP says: {failure}"
        return Status.SKIP, (parsed.skip_reason if parsed else "") or last or "exit code 4"
    code = _describe(execution.returncode, meanings)
    if failure:
        return Status.FAIL, f"{failure} ({code})"
    if parsed:
        return Status.FAIL, f"{code}, but its KTAP reports no failure"
    return Status.FAIL, f"{code}: {last}" if last else code


def _judge_success(parsed: ParsedLog | None, failure: str) -> tuple[Status, str]:
    if parsed is None:
        return Status.PASS, ""
    if failure:
        return Status.FAIL, f"exit code 0, but its KTAP says: {failure}"
    if parsed.status is Status.SKIP:
        return Status.SKIP, f"exit code 0, but nothing in it ran: {parsed.skip_reason or 'no reason given'}"
    return Status.PASS, ""


def _describe(code: int, meanings: Mapping[int, str]) -> str:
    """Describe an exit code; above 128 a shell reports a signal."""
    if code in meanings:
        return meanings[code]
    if code > 128:
        try:
            return f"killed by {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return f"exit code {code}"


def _failure(parsed: ParsedLog | None) -> str:
    """The first failure in the KTAP, "" if there is none."""
    if parsed is None or parsed.status is not Status.FAIL:
        return ""
    failures = parsed.failures
    if not failures:
        return parsed.faults[0] if parsed.faults else "failed"
    more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
    first = failures[0]
    return f"{first.name} failed{': ' if first.reason else ''}{first.reason}{more}"


def _timed_out(execution: Execution, parsed: ParsedLog | None) -> str:
    where = f" in {parsed.in_flight}" if parsed and parsed.in_flight else ""
    if execution.silent:
        return f"no answer from the guest after {execution.seconds:.0f} s{where}"
    return f"stopped after {execution.seconds:.0f} s{where}; the guest still answered"
