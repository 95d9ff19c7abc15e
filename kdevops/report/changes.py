"""What judging a run by another baseline changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kdevops.report.counting import many
from kdevops.results.compare import Verdict
from kdevops.results.model import TestId
from kdevops.results.store import JSON
from kdevops.results.verdict import RunVerdict
from kdevops.text import clean

_MAX = 40
_KNOWN = ("not known", "known")
_LOST = ("no coverage is lost", "coverage is lost")


@dataclass(frozen=True, slots=True)
class Change:
    """A test of which the verdict changed."""

    test: TestId
    before: Verdict
    now: Verdict


@dataclass(frozen=True, slots=True)
class Changes:
    """The tests of which the verdict changed, both exit codes, and what beside a test's verdict may change that.

    `reports`: signatures of kernel reports, and whether they are known now, which they were not, or the other way round.
    `lost`: tests that were not planned, and whether that loses coverage now, which it did not, or the other way round.
    """

    tests: Sequence[Change]
    code_before: int
    code: int
    reports: Mapping[str, bool] = field(default_factory=dict)
    lost: Mapping[TestId, bool] = field(default_factory=dict)


def changed(before: RunVerdict, now: RunVerdict) -> Changes:
    """Compare two verdicts on one run."""
    old = {each.test: each.verdict for each in before.tests}
    tests = [
        Change(each.test, old[each.test], each.verdict) for each in now.tests if old[each.test] is not each.verdict
    ]
    reports = {each: each not in now.troubles for each in sorted(before.troubles ^ now.troubles)}
    lost = {test: test in now.lost for test in sorted(set(before.lost) ^ set(now.lost))}
    return Changes(tests, int(before.exit_code), int(now.exit_code), reports, lost)


def changes_text(changes: Changes) -> list[str]:
    """The lines below a summary."""
    code = (
        f"exit code {changes.code_before}, now {changes.code}"
        if changes.code_before != changes.code
        else f"exit code {changes.code} as before"
    )
    lines = ["", f"Judged anew: {many(len(changes.tests), 'verdict')} changed, {code}"]
    told = [f"{each.test}: {each.before}, now {each.now}" for each in changes.tests]
    told += [f"kernel report {name}: {_now(_KNOWN, known)}" for name, known in changes.reports.items()]
    told += [f"{test}, not planned: {_now(_LOST, lost)}" for test, lost in changes.lost.items()]
    lines += [f"  {clean(line)}" for line in told[:_MAX]]
    if rest := len(told[_MAX:]):
        lines.append(f"  and {rest} more")
    return lines


def _now(words: tuple[str, str], state: bool) -> str:
    return f"{words[not state]}, now {words[state]}"


def changes_json(changes: Changes | None) -> dict[str, JSON]:
    """`changed` for the JSON of a run that was judged anew: the exit code before, and all that changed."""
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
    reports: list[JSON] = [{"signature": name, "known": known} for name, known in changes.reports.items()]
    lost: list[JSON] = [{"test": str(test), "lost": lost} for test, lost in changes.lost.items()]
    return {
        "changed": {"exit_code_before": changes.code_before, "tests": tests, "reports": reports, "not_planned": lost}
    }
