"""The runs in the record of a section's directory.

If there is a report, its suites are the runs, and only paragraphs of `check.log` with the same kernel and time belong
to them; the others get a note. Without a report, `check.log` has one run per kernel and day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from kdevops.results.model import Outcome, Status
from kdevops.suites.fstests.check_log import LoggedRun
from kdevops.suites.fstests.facts import facts
from kdevops.suites.fstests.log_beside import add_log
from kdevops.suites.fstests.parts import Part, by_kernel_and_day, divide
from kdevops.suites.fstests.record import REPORT, Record
from kdevops.suites.fstests.run_outcomes import Files, RunOutcomes, by_files, by_log, by_report, has
from kdevops.suites.fstests.xunit_cases import TEST_NAME, Suite

_MAX_NAMED = 5
_MAX_RUNS = 200
"""Maximum number of runs imported from one check.log."""
Properties: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Naming:
    """Functions that find a kernel release in a text, "" for none, and the profile in a report's properties."""

    release: Callable[[str], str]
    profile: Callable[[Properties], str]

    def kernel(self, properties: Properties) -> str:
        """The kernel in a report: `6.1.9`, `kernel 6.1.9 #1 SMP …` or `Linux/x86_64 host 6.1.9 #1 SMP …`."""
        words = (properties.get("KERNEL", "").split(), properties.get("PLATFORM", "").split()[2:3])
        return next(filter(None, map(self.release, (*words[0], *words[1]))), "")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run: `when` is its last known moment, local time of that machine, and `files` are its files.

    `facts` are about machine and configuration; `texts` explain outcomes of tests.
    """

    profile: str
    kernel: str
    when: datetime | None
    outcomes: Mapping[str, Outcome]
    files: Files
    notes: tuple[str, ...]
    facts: Mapping[str, str]
    texts: Mapping[tuple[str, Outcome], str]


def recorded_runs(record: Record, files: Files, naming: Naming) -> list[Recorded]:
    """The runs, the oldest first; `kernel` is "" if unknown. `files` are all files of tests there."""
    groups = _groups(record, naming)
    if not groups:
        return _logged(record, files, naming)
    alone = len(groups) == 1
    return [_reported(record, suites, files if alone else {}, naming, alone=alone) for suites in groups]


def _groups(record: Record, naming: Naming) -> list[list[tuple[str, Suite]]]:
    """The suites of all reports, each with its file name, by profile and kernel."""
    reports = dict(record.reports)
    cases = reports[REPORT].cases if REPORT in reports else ()
    if cases and any(name != REPORT and each.cases[-len(cases) :] == cases for name, each in reports.items()):
        del reports[REPORT]  # it was merged into the other one, or is a copy of it
    groups: dict[tuple[str, str], list[tuple[str, Suite]]] = {}
    for name, report in reports.items():
        for suite in report.suites:
            key = (naming.profile(suite.properties), naming.kernel(suite.properties))
            groups.setdefault(key, []).append((name, suite))
    for profile, kernel in [key for key in groups if not key[1]]:
        others = [key for key in groups if key[0] == profile and key[1]]
        if len(others) == 1:
            groups[others[0]] += groups.pop((profile, kernel))
    return list(groups.values())


def _reported(
    record: Record, told: Sequence[tuple[str, Suite]], files: Files, naming: Naming, *, alone: bool
) -> Recorded:
    suites = [suite for _, suite in told]
    names = "/".join(dict.fromkeys(name for name, _ in told))
    troubles = [f"{name} {report.trouble}" for name, report in record.reports.items() if report.trouble]
    collected = by_report(names, suites, troubles)
    properties = suites[0].properties
    kernel = next(filter(None, (naming.kernel(suite.properties) for suite in suites)), "")
    own: list[LoggedRun] = []
    if alone:
        own = add_log(collected, names, suites, record, files, kernel, naming.release)
        kernel = kernel or next(filter(None, (naming.release(run.kernel) for run in reversed(own))), "")
    _contradict(collected, files)
    found = facts([*(suite.properties for suite in suites), *(dict(run.config) for run in own)])
    stamps = [suite.stamp for suite in suites if suite.stamp] or [run.when for run in own if run.when]
    outcomes = collected.close({*_known(record), *files})
    return Recorded(
        naming.profile(properties),
        kernel,
        max(stamps, default=None),
        outcomes,
        files,
        tuple(collected.notes),
        found,
        collected.texts,
    )


def _logged(record: Record, files: Files, naming: Naming) -> list[Recorded]:
    damage = [f"{name} {report.trouble or 'contains no test'}" for name, report in record.reports.items()]
    groups = by_kernel_and_day(record.runs, naming.release)
    taken = groups[-_MAX_RUNS:] or ([[]] if files or damage else [])
    parts = divide(taken, files)
    if damage and len(taken) > 1:
        damage.append(f"check.log contains {len(taken) - 1} more runs, which are not imported together with that")
    cut = [f"only the last {_MAX_RUNS} of {len(groups)} runs in check.log are imported"] * (len(groups) > len(taken))
    # A damaged report belongs to the newest run.
    return [_part(part, record, naming, damage, cut if part.last else ()) for part in (parts[-1:] if damage else parts)]


def _part(part: Part, record: Record, naming: Naming, damage: Sequence[str], notes: Sequence[str]) -> Recorded:
    collected = by_log(part.runs, record.times, part.files) if part.runs else by_files(part.files)
    collected.notes += damage
    if damage:
        collected.lacks(damage[0])
    _contradict(collected, part.files)
    collected.notes += notes
    when = max((run.when for run in part.runs if run.when), default=None)
    outcomes = collected.close({*_known(record), *part.files} if part.last else ())
    kernel = naming.release(part.runs[0].kernel) if part.runs else ""
    found = facts(dict(run.config) for run in part.runs)
    return Recorded(naming.profile({}), kernel, when, outcomes, part.files, tuple(collected.notes), found, {})


def _known(record: Record) -> Iterable[str]:
    return {*filter(TEST_NAME.fullmatch, record.times), *(name for run in record.runs for name in run.names)}


def _contradict(collected: RunOutcomes, files: Files) -> None:
    """`check` removes both files of a test when it starts, so a passed test has neither."""
    for name in collected.passed():
        for ending in (".out.bad", ".notrun"):
            if len(collected.ends[name]) == 1 and has(files.get(name, ()), ending):
                words = f"it is recorded as passed, but there is its {ending}"
                collected.notes.append(f"{name}: {words}")
                collected.replace([name], Outcome(Status.MISSING, reason=words))
    stray = sorted(name for name, paths in files.items() if name not in collected.ends and has(paths, ".out.bad"))
    if stray and not collected.why:
        more = f" and {len(stray) - _MAX_NAMED} more" if len(stray) > _MAX_NAMED else ""
        collected.notes.append(f"there is .out.bad of tests that did not run: {', '.join(stray[:_MAX_NAMED])}{more}")
