"""Why a run is not green apart from the results of its tests, as failed tests for formats that only support tests."""

from __future__ import annotations

from dataclasses import dataclass

from kdevops.report.troubles import OUTSIDE, unknown_outside
from kdevops.results.compare import Verdict
from kdevops.results.verdict import Judged, RunVerdict

NOT_WATCHED = "tests during which the kernel's messages could not be read"
NOT_PLANNED = "tests of the baseline that were not planned"
"""These replace a test's name."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """One such cause as a failed test: the `suite` and the `name` that replace a test's, a `message`, and details."""

    suite: str
    name: str
    kind: str
    messages: tuple[str, ...]
    text: str = ""


def beyond(verdict: RunVerdict) -> tuple[Beyond, ...]:
    """Unknown kernel reports outside of tests, tests that were not watched, and tests that were lost from the plan."""
    said = "\n".join(f"{each.when} on {each.guest}:\n{each.complaint.report.text}" for each in verdict.strays)
    unseen = tuple(map(str, verdict.unwatched.tests))
    lost = tuple(map(str, verdict.lost))
    found = (
        Beyond("kernel", OUTSIDE, "kernel report", unknown_outside(verdict), said),
        Beyond("console", NOT_WATCHED, "console", unseen, "\n".join(unseen)),
        Beyond("coverage", NOT_PLANNED, "coverage", lost, "\n".join(lost)),
    )
    return tuple(each for each in found if each.messages)


def skipped_now(judged: Judged) -> str:
    """Why a skipped test keeps the run from being green, "" if it does not: it ran before."""
    if judged.verdict is not Verdict.SKIPPED_NOW or judged.allowed:
        return ""
    return f"skipped now, ran before: {judged.outcome.reason or 'no reason given'}"
