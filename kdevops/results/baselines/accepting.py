"""Adds the results of a run to a baseline: new files, and nothing of the files of other runs changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from pathlib import PurePosixPath
from statistics import median
from typing import Any

from kdevops.errors import UserError
from kdevops.files import digest_of
from kdevops.results.baselines import committed, old_marks, reports, test_list, usual_seconds
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.counted import Counted, Unit, format_counted
from kdevops.results.baselines.entry import of_results
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import ATTRIBUTES, ATTRIBUTES_TEXT, Folder, Texts
from kdevops.results.baselines.tables import units_of
from kdevops.results.complaints import signatures
from kdevops.results.model import Outcome, Status, TestId
from kdevops.text import clean


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run to be accepted. `origin`: what makes it another run than one with the same results (its lab, and when it began);
    `old_mark`: how older versions called it; `said`: in words, for people. `identities`: what imported results are, by
    profile, the same wherever they were imported; `said_of` is then what is said of each.

    `again` has the results of reruns that decided on its failures, `strays` its kernel reports outside of tests.
    """

    origin: Sequence[str]
    said: str
    outcomes: Mapping[TestId, Outcome]
    again: Sequence[Mapping[TestId, Outcome]] = ()
    strays: Sequence[Mapping[str, Any]] = ()
    old_mark: str = ""
    identities: Mapping[str, str] = field(default_factory=dict)
    said_of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What accepting a run writes: `texts`; `already` are the suites and profiles of which nothing is new."""

    texts: Texts = field(default_factory=dict)
    already: tuple[tuple[str, str], ...] = ()


def accept(
    baseline: Baseline,
    conditions: Conditions,
    run: Accepted,
    *,
    only: Collection[TestId] | None = None,
    replace: bool = False,
    today: date | None = None,
) -> Change:
    """The files to write so that the baseline includes a run. `only` these tests; by default all with a result.

    `replace`: what the runs so far had of these tests no longer counts. Kernel reports that gate become known, for any test,
    except those that are allowed for a time that has not ended `today`. Raises UserError for files that are not valid.
    """
    ends: dict[tuple[str, str], dict[str, list[Outcome]]] = {}
    for test, outcome in chain(run.outcomes.items(), *(each.items() for each in run.again)):
        if outcome.status is not Status.MISSING:
            plain = test.plain
            ends.setdefault((plain.suite, plain.profile), {}).setdefault(plain.name, []).append(outcome)
    texts: Texts = {}
    already = []
    for key, tests in ends.items():
        chosen = {name: each for name, each in tests.items() if only is None or TestId(*key, name) in only}
        new = _new_counts(baseline, conditions, run, key, chosen, replace=replace) if chosen else {}
        if new:
            texts |= new
        elif chosen:
            already.append(key)
    if texts and not _there(baseline.files, ATTRIBUTES):
        texts[PurePosixPath(ATTRIBUTES)] = ATTRIBUTES_TEXT
    texts |= _new_reports(baseline, run, only, today)
    return Change(texts, tuple(already))


def mark_of(run: Accepted, key: tuple[str, str]) -> str:
    """The name of what a run has of a suite and profile, the same wherever it is accepted: a hash of its results."""
    if identity := run.identities.get(key[1]):
        return digest_of([identity, *key])[:16]
    ends = sorted(
        [test.name, outcome.status.value, outcome.seconds]
        for test, outcome in run.outcomes.items()
        if (test.suite, test.profile) == key and outcome.status is not Status.MISSING
    )
    return digest_of([*run.origin, *key, ends])[:16]


def _new_counts(
    baseline: Baseline,
    conditions: Conditions,
    run: Accepted,
    key: tuple[str, str],
    tests: Mapping[str, Sequence[Outcome]],
    *,
    replace: bool,
) -> Texts:
    listed = {name: _usual_end(ends) for name, ends in tests.items()}
    text = test_list.format_list(listed)
    unit = Unit(mark_of(run, key), test_list.name_of(text))
    folder = Folder.of(baseline.series, conditions, *key)
    units = units_of(baseline.files, folder)
    before = frozenset(mark for mark, _ in units)
    if old_marks.is_begun(units.get(Unit(run.old_mark, ""), "")) and not replace:
        raise UserError(
            f"accepting the run was interrupted in an older kdevops: its counts may be in only some files of {baseline.series}",
            hint=f"restore them with git and remove the line {run.old_mark} from {old_marks.NAME}",
        )
    if not replace and (unit in units or (run.old_mark and run.old_mark in before)):
        return {}
    entries = {name: of_results(TestId(*key, name), ends) for name, ends in tests.items()}
    lines = {
        name: each for name, each in entries.items() if each.symptoms or each.counts != test_list.ONCE[listed[name]]
    }
    instead = before - {unit.mark} if replace else frozenset()
    counted = Counted({unit: clean(run.said_of.get(key[1], run.said))}, lines, instead=instead)
    found = {folder.list_file(unit.tests): text, folder.file(counted): format_counted(counted)}
    if not _there(baseline.files, folder.seconds_file(unit.tests)):
        found[folder.seconds_file(unit.tests)] = usual_seconds.format_seconds(_seconds(tests))
    return found


def _usual_end(ends: Iterable[Outcome]) -> Status:
    """As what a list has a test: skipped if it never ran."""
    return Status.SKIP if all(end.status is Status.SKIP for end in ends) else Status.PASS


def _seconds(tests: Mapping[str, Sequence[Outcome]]) -> dict[str, float]:
    found = {name: [end.seconds for end in ends if end.status.ran_to_its_end] for name, ends in tests.items()}
    return {name: median(seconds) for name, seconds in found.items() if seconds}


def _new_reports(baseline: Baseline, run: Accepted, only: Collection[TestId] | None, today: date | None) -> Texts:
    def chosen(outcomes: Mapping[TestId, Outcome]) -> Mapping[TestId, Outcome]:
        return outcomes if only is None else {test: end for test, end in outcomes.items() if test.plain in only}

    allowed = baseline.allowed_on(today)
    strays = run.strays if only is None else ()
    found = signatures(chosen(run.outcomes), strays, allowed)
    found = found.union(*(signatures(chosen(each), (), allowed) for each in run.again))
    known = baseline.reports.with_signatures(baseline.series, found)
    if known is baseline.reports:
        return {}
    return {PurePosixPath(baseline.series, reports.NAME): reports.format_reports(known)}


def _there(files: Files, name: str | PurePosixPath) -> bool:
    try:
        files.read(name)
    except committed.AbsentError:
        return False
    return True
