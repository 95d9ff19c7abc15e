"""Find reports of kirk: one file, or all in a directory. The profile is the file's name, because none of them names a suite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from kdevops.errors import UserError
from kdevops.results.model import Outcome, Status
from kdevops.suites.ltp.report import COUNTS, MAX_SIZE, Report, parse
from kdevops.suites.ltp.result import Entry, read_entry
from kdevops.suites.shared.given_files import directories, read_given
from kdevops.suites.shared.grouping import as_profile, release, release_above
from kdevops.suites.shared.imports import MAX_FILE, Section

UNNAMED = "unnamed"
"""A test of which the report does not have the name, or that it lacks."""
_NO_SUITE = frozenset({"results", "result", "report", "kirk", "ltp", "output"})
_REPEAT = re.compile(r"#(?=\d+\Z)")
_MACHINE = re.compile(r"[a-z0-9_]{1,20}", re.ASCII)
_MAX_NAMED = 5


def find_sections(place: Path, kernel: str = "") -> list[Section]:
    """The results in every report in or below `place`, which may be one. `kernel` is the release that ran, "" if it is told.

    Raises UserError if there is no report, the kernel is unknown, or a file cannot be read.
    """
    if place.is_file():
        paths = [place]
    elif place.is_dir():
        paths = [path / name for path, names in directories(place) for name in names if name.endswith(".json")]
    else:
        raise UserError(f"{place} is neither a file nor a directory", hint="name a JSON report of kirk")
    found = [(path, report) for path in paths if (report := _read(path)) and report.results]
    if not found:
        raise UserError(
            f"there are no results of LTP in {place}: no JSON report of kirk with a test",
            hint="kirk writes one with --json-report FILE",
        )
    return [_section(path, report, kernel) for path, report in found]


def _read(path: Path) -> Report | None:
    found = read_given(path, MAX_SIZE)
    return parse(found[0], cut=found[1] > MAX_SIZE) if found else None


def _section(path: Path, report: Report, kernel: str) -> Section:
    facts = report.environment
    ran = kernel or next(filter(None, map(release, facts.get("kernel", "").split())), "") or release_above(path.parent)
    if not ran:
        raise UserError(f"nothing says which kernel ran in {path}", hint="specify it: --kernel 6.1.192")
    profile = "default" if path.stem.lower() in _NO_SUITE else as_profile(path.stem)
    entries = [read_entry(value) for value in report.results]
    troubles = [*_troubles(report, entries)]
    outcomes: dict[str, Outcome] = {}
    texts: dict[tuple[str, Outcome], str] = {}
    ends: dict[str, list[Entry]] = {}
    for entry in entries:
        ends.setdefault(_REPEAT.sub("_", entry.name) or UNNAMED, []).append(entry)
    for name, same in ends.items():
        for repeat, entry in enumerate(same, 1):
            outcomes[f"{name}#{repeat}" if repeat > 1 else name] = entry.outcome
            if entry.outcome.status.is_bad and entry.log:
                texts[name, entry.outcome] = entry.log[:MAX_FILE]
    if troubles:
        number = len(ends.get(UNNAMED, ())) + 1
        outcomes[f"{UNNAMED}#{number}" if number > 1 else UNNAMED] = Outcome(Status.MISSING, reason=troubles[0])
    machine = facts.get("arch", "") if _MACHINE.fullmatch(facts.get("arch", "")) else ""
    notes = tuple(f"{profile}: {note}" for note in troubles)
    return Section(path, profile, ran, outcomes, {}, notes, None, facts, machine, _made(facts), texts)


def _troubles(report: Report, entries: Iterable[Entry]) -> Iterator[str]:
    """Why tests are missing in the report."""
    if report.trouble:
        yield f"the report {report.trouble}"
    sums = dict.fromkeys(COUNTS, 0)
    for entry in entries:
        for name, count in entry.counts.items():
            sums[name] += count
    differing = [f"{name} {total} and has {sums[name]}" for name, total in report.stats.items() if total != sums[name]]
    if differing:
        yield f"the report declares {', '.join(differing[:_MAX_NAMED])}"


def _made(facts: Mapping[str, str]) -> str:
    return " ".join(filter(None, (facts.get("distribution"), facts.get("distribution_version"))))
