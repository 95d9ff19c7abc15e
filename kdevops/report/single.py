"""Single tests of a run: find them by part of a name, show each in one line or in full with its output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from kdevops.report.troubles import brief
from kdevops.results.model import Outcome, TestId
from kdevops.text import clean

_MAX_LINES = 50
_MAX_WHOLE = 5
"""Tests shown with their whole output, which may be a MiB each."""
_FEW = 2
"""Up to this number of matching tests, each is shown in full, even if it passed."""


def line(test: TestId, outcome: Outcome) -> str:
    """A test in one line: how it ended and why."""
    told = f"{test}: {outcome.status}"
    if outcome.status.ran:
        told += f" after {outcome.seconds:.1f} s"
    parts = [told, *filter(None, [outcome.reason, brief(outcome)])]
    return clean(", ".join(parts))


def listed(tests: Mapping[TestId, Outcome]) -> list[str]:
    """Each test in one line."""
    return [line(test, outcome) for test, outcome in tests.items()] or ["no test"]


def told(run: int, tests: Mapping[TestId, Outcome], directory: Path) -> list[str]:
    """One test in full; of several, each in one line, then the failed ones (or all, if few) in full.

    `directory` is the run's.
    """
    if len(tests) == 1:
        return [text for test, outcome in tests.items() for text in _whole(test, outcome, directory)]
    lines = [line(test, outcome) for test, outcome in tests.items()]
    if len(lines) > _MAX_LINES:
        lines[_MAX_LINES:] = [f"and {len(lines) - _MAX_LINES} more, listed by: kdevops results {run} --json"]
    wrong = {test: outcome for test, outcome in tests.items() if outcome.status.is_bad}
    chosen: Sequence[tuple[TestId, Outcome]] = list((tests if len(tests) <= _FEW else wrong).items())
    for test, outcome in chosen[:_MAX_WHOLE]:
        lines += ["", *_whole(test, outcome, directory)]
    if rest := len(chosen[_MAX_WHOLE:]):
        lines += ["", f"and {rest} more that failed: give a name with its profile to see one"]
    return lines


def facts(test: TestId, outcome: Outcome, directory: Path) -> dict[str, object]:
    """A test for a program."""
    return {"test": str(test), **asdict(outcome), "output": str(directory / outcome.output) if outcome.output else None}


def _whole(test: TestId, outcome: Outcome, directory: Path) -> Iterator[str]:
    on = f" on {outcome.guest}" if outcome.guest else ""
    yield f"{test}: {outcome.status} after {outcome.seconds:.1f} s{on}"
    if outcome.reason:
        yield f"reason: {outcome.reason}"
    for subtest in outcome.subtests:
        yield f"  {subtest.status:<5} {subtest.name}  {subtest.reason}".rstrip()
    if outcome.oops:
        yield from ("", "kernel messages:", outcome.oops)
    for report in outcome.reports:
        if report.text != outcome.oops:
            notice = "" if report.gates else " (a test may provoke this)"
            yield from ("", f"kernel report {report.signature}{notice}:", report.text or report.title)
    if outcome.reports_cut:
        yield from ("", f"and {outcome.reports_cut} more kernel reports, which were not kept")
    path = directory / outcome.output
    if outcome.output and not directory.exists():
        yield from ("", "its output was removed")
    elif outcome.output and path.is_file():
        yield from ("", f"output ({path}):", clean(path.read_text(errors="replace"), lines=True))
