"""The outcome of each test of one run, from the files that `check` left.

No test passes by default: it passed if a report, or a complete paragraph of `check.log`, says so and nothing
contradicts it. `check.time` is used for seconds only: it lists every test that ever passed there, with any kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.results.model import Outcome, Status
from kdevops.suites.fstests.check_failures import failures_with
from kdevops.suites.fstests.check_lines import MAX_REASON
from kdevops.suites.fstests.check_log import LoggedRun
from kdevops.suites.fstests.xunit_cases import Case, Suite
from kdevops.suites.fstests.xunit_totals import difference
from kdevops.text import clean

UNNAMED = "unnamed"
"""A test that ran, or should have, but whose name is unknown."""
MAX_UNNAMED = 1000
"""Unnamed tests that get a line each."""
MAX_NAMED = 20_000
"""Names that may be listed as missing; fstests has some 2,500, so a longer list is about something else."""
UNFINISHED = "check did not finish"
_MAX_NOTRUN = 4096
_MAX_TOLD = 5
_STRANGERS = {"preempted": "", "timeout": "the machine was stopped because its time was up"}
"""Cases of xfstests-bld that are not tests (gen_results_summary). After `preempted` the tests continued."""

Files = Mapping[str, Sequence[Path]]


@dataclass(slots=True)
class RunOutcomes:
    """The outcomes of a run's tests, by name in order, and notes on contradictions.

    `why`, if not "", says why tests are missing: `lacking` of them, or at least that many unless `counted`. `texts` are the
    differences in the output that explain outcomes.
    """

    ends: dict[str, list[Outcome]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    why: str = ""
    lacking: int = 0
    counted: bool = True
    texts: dict[tuple[str, Outcome], str] = field(default_factory=dict)

    def put(self, name: str, outcome: Outcome) -> None:
        """Add an outcome of a test."""
        self.ends.setdefault(name, []).append(outcome)

    def lacks(self, why: str, number: int = 0, *, counted: bool = False) -> None:
        """Record that this run is incomplete."""
        self.why = self.why or why
        self.lacking += number
        self.counted = self.counted and counted

    def statuses(self, name: str) -> set[Status]:
        """The statuses of a test, over all its runs."""
        return {end.status for end in self.ends.get(name, ())}

    def passed(self) -> list[str]:
        """The tests that passed at least once."""
        return [name for name in self.ends if Status.PASS in self.statuses(name)]

    def replace(self, names: Iterable[str], outcome: Outcome) -> None:
        """Replace the passes of these tests, which are uncertain, by `outcome`."""
        for name in names:
            self.ends[name] = [outcome if end.status is Status.PASS else end for end in self.ends[name]]

    def close(self, known: Iterable[str]) -> dict[str, Outcome]:
        """Every outcome under its own name. Missing tests are named by `known` if possible."""
        if self.why:
            missing = Outcome(Status.MISSING, reason=clean(self.why, MAX_REASON))
            names = sorted({*known} - self.ends.keys())
            if len(names) > MAX_NAMED or (self.counted and len(names) != self.lacking):
                names = []
            for name in names:
                self.put(name, missing)
            some = any(Status.MISSING in self.statuses(name) for name in self.ends)
            for _ in range(min(max(self.lacking - len(names), 0 if some else 1), MAX_UNNAMED)):
                self.put(UNNAMED, missing)
        return {
            f"{name}#{number}" if number > 1 else name: end
            for name, ends in sorted(self.ends.items())
            for number, end in enumerate(ends, 1)
        }


def by_report(name: str, suites: Sequence[Suite], troubles: Sequence[str]) -> RunOutcomes:
    """The outcomes in suites of one profile and kernel in the report `name`, whose problems are `troubles`."""
    collected = RunOutcomes(notes=[*troubles])
    for suite in suites:
        differs = difference(suite)
        words = f"{name} {differs.words}" if differs.words else ""
        for case in suite.cases:
            unsaid = differs.doubtful and case.status is Status.PASS
            end = Outcome(Status.MISSING, reason=f"{words}: unknown which test that was") if unsaid else None
            collected.put(case.name, end or _reported(case, collected.texts))
        said = [*filter(None, dict.fromkeys(_stranger(name, case) for case in suite.strangers))]
        unfinished = "" if suite.finished else UNFINISHED
        collected.notes += filter(None, (words, *said[:_MAX_TOLD]))
        if unfinished and not troubles:
            collected.notes.append(f"{unfinished}; unknown which test was running")
        why = next(filter(None, (unfinished, words, *said, *troubles)), "")
        if why:
            collected.lacks(why, differs.lacking, counted=suite.finished and not said and "tests" in suite.declared)
    if not collected.ends and not collected.why:
        collected.lacks(f"{name} contains no test")
    return collected


def _reported(case: Case, texts: dict[tuple[str, Outcome], str]) -> Outcome:
    subtests = failures_with(case.reason, case.difference) if case.difference else ()
    end = Outcome(case.status, float(case.seconds), case.reason, subtests)
    if case.difference:
        texts[case.name, end] = case.difference
    return end


def by_log(runs: Sequence[LoggedRun], times: Mapping[str, int], files: Files) -> RunOutcomes:
    """The outcomes in the paragraphs of `check.log` that belong to one run."""
    collected = RunOutcomes()
    for run in runs:
        # A paragraph without tests matters only if no other follows.
        if run.broken and (run.names or run is runs[-1]):
            collected.notes.append(run.broken)
            collected.lacks(run.broken)
        if run.interrupted:
            collected.lacks("check was interrupted", counted=True)
        for name in sorted(run.names):
            collected.put(name, _logged(run, name, times, files.get(name, ())))
    return collected


def by_files(files: Files) -> RunOutcomes:
    """The outcomes that test files alone show: they can only show that tests failed or were not run."""
    collected = RunOutcomes()
    for name, paths in files.items():
        if has(paths, ".out.bad"):
            collected.put(name, failed(paths))
        elif has(paths, ".notrun"):
            collected.put(name, skipped(paths))
    collected.lacks("there is no report and no check.log, so nothing shows that it passed")
    return collected


def has(files: Sequence[Path], ending: str) -> bool:
    """Whether one of a test's files has this suffix."""
    return any(path.name.endswith(ending) for path in files)


def failed(files: Sequence[Path]) -> Outcome:
    """A failure, with the reason as far as the test's files show it."""
    if has(files, ".out.bad"):
        return Outcome(Status.FAIL, reason="output mismatch")
    return Outcome(Status.FAIL, reason="something found in dmesg" if has(files, ".dmesg") else "")


def skipped(files: Sequence[Path]) -> Outcome:
    """A skip, with the reason as far as the test's files show it."""
    notrun = next((path for path in files if path.name.endswith(".notrun")), None)
    return Outcome(Status.SKIP, reason=_first_line(notrun) if notrun else "")


def _logged(run: LoggedRun, name: str, times: Mapping[str, int], files: Sequence[Path]) -> Outcome:
    status = run.status(name)
    if status is Status.FAIL:
        return failed(files)
    if status is Status.SKIP:
        return skipped(files)
    if status is Status.MISSING:
        return Outcome(status, reason=run.broken or "check was interrupted while it ran")
    if times and name not in times:
        return Outcome(Status.MISSING, reason="check.log says pass, but check.time does not list it as ever passed")
    return Outcome(status, float(times.get(name, 0)))


def _stranger(file: str, case: Case) -> str:
    if case.name in _STRANGERS:
        return _STRANGERS[case.name]
    return (
        f"{file} has a test {clean(case.name, 80)!a}, {case.status}"
        if case.name
        else f"{file} has a test without a name"
    )


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        lines = file.read(_MAX_NOTRUN).decode(errors="replace").splitlines()
    return clean(lines[0], MAX_REASON) if lines else ""
