"""The history of a test, for a terminal and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kdevops.report.counting import many
from kdevops.results.history import Event, Failure, History, Rate
from kdevops.results.model import Counts, Status, TestId
from kdevops.text import clean

_MAX_LINE = 500
_MAX_KERNELS = 10
_MAX_FAILURES = 10


def in_full(test: TestId, history: History, limit: int) -> list[str]:
    """All of a history, with the newest `limit` results."""
    return [
        clean(line, _MAX_LINE) if not line.startswith(" ") else _indented(line) for line in _full(test, history, limit)
    ]


def in_a_line(test: TestId, history: History) -> str:
    """A history in one line."""
    since = f" since run {history.began.run}" if history.began else ""
    passed = f"last passed in {_when(history.last_passed)}" if history.last_passed else "never passed"
    return clean(f"{test} in lab {history.lab}: {history.state}{since}; {passed}", _MAX_LINE)


def facts(test: TestId, history: History, limit: int) -> dict[str, Any]:
    """A history for a program, with the newest `limit` results."""
    return {
        "test": str(test),
        "lab": history.lab,
        "state": history.state.value,
        "last_passed": _event(history.last_passed),
        "began": _event(history.began),
        "kernels": [_rate(rate) for rate in history.rates],
        "failures": [_failure(each) for each in history.failures],
        "results": [_event(event) for event in history.events[:limit]],
        "more": max(0, len(history.events) - limit),
    }


def _full(test: TestId, history: History, limit: int) -> Iterator[str]:
    yield in_a_line(test, history)
    if began := history.began:
        after = history.failures[0].after
        yield f"  began to fail in {_when(began)}" + (f", after run {after.run} passed" if after else "")
    if history.rates:
        yield "  passes by kernel, of the times that it ran (95 % interval):"
        yield from (f"    {_named(rate.kernel):<16}  {_share(rate)}" for rate in history.rates[:_MAX_KERNELS])
        yield from _more(len(history.rates) - _MAX_KERNELS, "kernel")
    if history.failures:
        yield "  failures, newest first:"
        yield from (f"    {_lived(each)}" for each in history.failures[:_MAX_FAILURES])
        yield from _more(len(history.failures) - _MAX_FAILURES, "failure")
    yield "  results, newest first:"
    for event in history.events[:limit]:
        yield f"    {_when(event)}: {_told(event.counts)}{', ' if event.reason else ''}{event.reason}"
    yield from _more(len(history.events) - limit, "run")


def _told(counts: Counts) -> str:
    if counts.total == 1:
        return str(next(iter(counts.counts)))
    return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])


def _indented(line: str) -> str:
    text = line.lstrip(" ")
    return " " * (len(line) - len(text)) + clean(text, _MAX_LINE)


def _more(number: int, what: str) -> Iterator[str]:
    if number > 0:
        yield (
            f"    and {many(number, what)} more, listed by --limit 0"
            if what == "run"
            else f"    and {number} more: --json"
        )


def _when(event: Event) -> str:
    return f"run {event.run}, {event.at[:10]}, {_named(event.kernel)}"


def _named(kernel: str) -> str:
    return clean(kernel) or "unknown kernel"


def _share(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.passes} of {rate.runs} ({low:.0%}-{high:.0%})"


def _lived(failure: Failure) -> str:
    after = f"passed in run {failure.after.run}" if failure.after else "never passed before"
    failed = f"failed in {many(failure.runs, 'run')} since {_when(failure.began)}"
    return f"{failed}; {after}; " + (f"fixed in {_when(failure.fixed)}" if failure.fixed else "not fixed")


def _event(event: Event | None) -> Mapping[str, Any] | None:
    if event is None:
        return None
    counts = {status.value: number for status, number in event.counts.counts.items()}
    return {"run": event.run, "at": event.at, "kernel": event.kernel, "counts": counts, "reason": event.reason}


def _rate(rate: Rate) -> Mapping[str, Any]:
    low, high = rate.interval
    return {"kernel": rate.kernel, "passes": rate.passes, "runs": rate.runs, "low": low, "high": high}


def _failure(failure: Failure) -> Mapping[str, Any]:
    return {
        "began": _event(failure.began),
        "after": _event(failure.after),
        "fixed": _event(failure.fixed),
        "runs": failure.runs,
    }
