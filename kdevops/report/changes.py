"""What judging a run by another baseline changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdevops.report.counting import many
from kdevops.results.compare import Verdict
from kdevops.results.model import TestId
from kdevops.results.store import JSON
from kdevops.results.verdict import RunVerdict
from kdevops.text import clean

_MAX = 40


@dataclass(frozen=True, slots=True)
class Change:
    """A test of which the verdict changed."""

    test: TestId
    before: Verdict
    now: Verdict


@dataclass(frozen=True, slots=True)
class Changes:
    """The tests of which the verdict changed, and both exit codes."""

    tests: Sequence[Change]
    code_before: int
    code: int


def changed(before: RunVerdict, now: RunVerdict) -> Changes:
    """Compare two verdicts on one run."""
    old = {each.test: each.verdict for each in before.tests}
    tests = [
        Change(each.test, old[each.test], each.verdict) for each in now.tests if old[each.test] is not each.verdict
    ]
    return Changes(tests, int(before.exit_code), int(now.exit_code))


def changes_text(changes: Changes) -> list[str]:
    """The lines below a summary."""
    code = (
        f"exit code {changes.code_before}, now {changes.code}"
        if changes.code_before != changes.code
        else f"exit code {changes.code} as before"
    )
    lines = ["", f"Judged anew: {many(len(changes.tests), 'verdict')} changed, {code}"]
    lines += [f"  {clean(str(each.test))}: {each.before}, now {each.now}" for each in changes.tests[:_MAX]]
    if rest := len(changes.tests[_MAX:]):
        lines.append(f"  and {rest} more")
    return lines


def changes_json(changes: Changes | None) -> dict[str, JSON]:
    """`changed` for the JSON of a run that was judged anew: the exit code before, and each test with another verdict."""
    if changes is None:
        return {}
    tests: list[JSON] = [
        {
            "suite": each.test.suite,
            "profile": each.test.profile,
            "name": each.test.name,
            "before": each.before.value,
            "now": each.now.value,
        }
        for each in changes.tests
    ]
    return {"changed": {"exit_code_before": changes.code_before, "tests": tests}}
