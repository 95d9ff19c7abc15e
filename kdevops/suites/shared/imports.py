"""Store results that others produced as finished runs. The originals stay unchanged; the same results are stored once."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import kdevops
from kdevops.errors import InfrastructureError
from kdevops.results.imported import IMPORTED, identities, identity_of, is_imported, of_all
from kdevops.results.model import Counts, Outcome, TestId
from kdevops.results.store import JSON, PlannedRow, Run, Store
from kdevops.suites.kind import Imported
from kdevops.suites.shared.given_files import read_given

MAX_FILE = 1 << 20
"""Bytes kept of each output file of a failed test; output of other tests is not copied."""
MAX_FILES = 16
"""Files kept per test."""
_KNOWN = "known"
"""In a run's record, as `kdevops.run.plan.known` reads it."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+=,-]")
_MAX_PART = 100


@dataclass(frozen=True, slots=True)
class Section:
    """Results of one profile in one run. `outcomes` and `files` are by test name; `notes` describe contradictions.

    `when` is the latest known moment of that run, in local time of the machine that ran the tests. `facts` are about machine
    and configuration, as the results name them, `made` is the most important of it in a few words, and `machine` is the
    architecture. `texts` are stored as the output of a test, by its name without a repeat's number, and outcome.
    """

    directory: Path
    profile: str
    kernel: str
    outcomes: Mapping[str, Outcome]
    files: Mapping[str, Sequence[Path]]
    notes: tuple[str, ...]
    when: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    made: str = ""
    texts: Mapping[tuple[str, Outcome], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What the runs get: the `suite` of their tests, the store, and `place`, which returns the directory of a run.

    `directory` is what was imported, `baseline` what the runs are compared with. The output of a failed test is the first of
    its files that has one of the endings `telling`. `known` returns the tests that are known to fail, with the reasons.
    """

    suite: str
    store: Store
    place: Callable[[int], Path]
    lab: str
    baseline: Path
    directory: Path
    telling: Sequence[str] = field(default=())
    known: Callable[[Section], Mapping[str, str]] | None = None

    def test(self, section: Section, name: str) -> TestId:
        """The test of this name."""
        return TestId(self.suite, section.profile, name)


def store_runs(runs: Iterable[Sequence[Section]], target: Target) -> list[Imported]:
    """Store each run, without the profiles that the store has already.

    Raises UserError for output that cannot be read, InfrastructureError if it cannot be stored.
    """
    return [done for sections in runs for done in _import(sections, target)]


def _import(sections: Sequence[Section], target: Target) -> list[Imported]:
    store, kernel = target.store, sections[0].kernel
    named = {section.profile: _identity(section, target) for section in sections}
    try:
        runs = target.place(0).parent
        runs.mkdir(parents=True, exist_ok=True)
        while True:
            there = _there(store, kernel, named.values())
            new = [section for section in sections if named[section.profile] not in there]
            old = [section for section in sections if named[section.profile] in there]
            done = _already(old, named, there, target)
            with tempfile.TemporaryDirectory(prefix=".import-", dir=runs) as temporary:
                kept = Path(temporary) / "run"
                kept.mkdir()
                outcomes = {test: end for section in new for test, end in _outcomes(section, target, kept).items()}
                with store.together():  # files are copied before, because nobody else can write to the store meanwhile
                    if _there(store, kernel, named.values()).keys() != there.keys():
                        continue  # another process has imported the same
                    return [*done, _store(new, outcomes, named, target, kept)] if new else done
    except OSError as error:
        raise InfrastructureError(f"cannot store the output of tests below {runs}: {error.strerror}") from error


def _identity(section: Section, target: Target) -> str:
    ends = {target.test(section, name): outcome for name, outcome in section.outcomes.items()}
    return identity_of(section.kernel, _moment(section), ends)


def _moment(section: Section) -> str:
    return section.when.isoformat() if section.when else ""


def _there(store: Store, kernel: str, wanted: Iterable[str]) -> dict[str, Run]:
    """Which of the wanted identities are stored, and in which run, the oldest of several."""
    left, found = set(wanted), dict[str, Run]()
    for run in store.runs():
        if is_imported(run) and run.record["kernel"]["release"] == kernel:
            found |= dict.fromkeys(left & identities(store, run), run)
    return found


def _already(
    old: Sequence[Section], named: Mapping[str, str], there: Mapping[str, Run], target: Target
) -> list[Imported]:
    by_run: dict[int, list[Section]] = {}
    for section in old:
        by_run.setdefault(there[named[section.profile]].id, []).append(section)
    return [
        Imported(
            run,
            parts[0].kernel,
            tuple(part.profile for part in parts),
            Counts.of(outcome.status for part in parts for outcome in part.outcomes.values()),
            (),
            already=True,
            known=_told_again(run, parts, target),
        )
        for run, parts in sorted(by_run.items())
    ]


def _told_again(run: int, sections: Sequence[Section], target: Target) -> int | None:
    """Whoever imports the same results again, with expunge lists, wants these for the run that there is."""
    if target.known is None:
        return None
    known = _known(sections, target)
    with target.store.together():
        before: Mapping[str, Mapping[str, Any]] = target.store.run(run).record.get(_KNOWN, {}).get("tests", {})
        profiles = {**before.get(target.suite, {}), **known}
        target.store.update_record(run, {_KNOWN: {"tests": {**before, target.suite: profiles}, "left_out": []}})
    return sum(map(len, known.values()))


def _known(sections: Sequence[Section], target: Target) -> dict[str, dict[str, str]]:
    """The tests of each profile that are known to fail, with the reasons."""
    return {section.profile: dict(target.known(section)) for section in sections} if target.known else {}


def _outcomes(section: Section, target: Target, kept: Path) -> dict[TestId, Outcome]:
    tests = {target.test(section, name): outcome for name, outcome in section.outcomes.items()}
    return {test: _keep(section, test, outcome, kept, target.telling) for test, outcome in tests.items()}


def _store(
    sections: Sequence[Section],
    outcomes: Mapping[TestId, Outcome],
    named: Mapping[str, str],
    target: Target,
    kept: Path,
) -> Imported:
    """Store one run; `kept` is a directory with its output, which becomes the run's. Within a transaction."""
    store, place = target.store, target.place
    notes = tuple(note for section in sections for note in section.notes)
    known = _known(sections, target)
    record = _record(sections, named, target) | {_KNOWN: {"tests": {target.suite: known}, "left_out": []}}
    run = store.create_run(target.lab, [PlannedRow(test, 0.0) for test in outcomes], record)
    store.all_ended(run, outcomes)
    for note in notes:
        store.infrastructure(run, "", note)
    store.finish(run)
    shutil.rmtree(place(run), ignore_errors=True)  # from an import that was killed before this point
    kept.rename(place(run))
    counts = Counts.of(outcome.status for outcome in outcomes.values())
    listed = sum(map(len, known.values())) if target.known else None
    return Imported(
        run, sections[0].kernel, tuple(section.profile for section in sections), counts, notes, known=listed
    )


def _record(sections: Sequence[Section], named: Mapping[str, str], target: Target) -> dict[str, JSON]:
    own = {section.profile: named[section.profile] for section in sections}
    machines = {section.machine for section in sections if section.machine}
    return {
        "kdevops": kdevops.__version__,
        "kernel": {"release": sections[0].kernel} | ({"machine": machines.pop()} if len(machines) == 1 else {}),
        "baseline": str(target.baseline),
        IMPORTED: {
            "directory": str(target.directory.absolute()),
            "sections": {section.profile: str(section.directory.absolute()) for section in sections},
            "ran": {section.profile: _moment(section) for section in sections if section.when},
            "facts": {section.profile: dict(section.facts) for section in sections if section.facts},
            "made": {section.profile: section.made for section in sections if section.made},
            "identity": of_all(own.values()),
            "identities": own,
            "notes": [note for section in sections for note in section.notes],
        },
    }


def _keep(section: Section, test: TestId, outcome: Outcome, kept: Path, telling: Sequence[str]) -> Outcome:
    """Copy the files of a failed test, and name the most useful one."""
    if not outcome.status.is_bad:
        return outcome
    plain = test.plain.name
    where = _path_of(test).parent
    files = [file for file in section.files.get(plain, ())[:MAX_FILES] if _copy(file, kept / where / file.name)]
    if text := section.texts.get((plain, outcome)):
        name = f"{_part(test.name.split('/')[-1])}.txt"
        (kept / where).mkdir(parents=True, exist_ok=True)
        (kept / where / name).write_text(text[:MAX_FILE], errors="replace")
        return replace(outcome, output=str(where / name))
    named = [file.name for ending in telling for file in files if file.name.endswith(ending)]
    return replace(outcome, output=str(where / named[0])) if named else outcome


def _path_of(test: TestId) -> Path:
    """Where the output of a test is kept: below the run's directory, whatever the test is called."""
    parts = [test.suite, test.profile, *test.plain.name.split("/")]
    return Path(*(_part(part) for part in parts))


def _part(text: str) -> str:
    safe = _UNSAFE.sub("_", text)[:_MAX_PART].lstrip(".") or "_"
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def _copy(source: Path, target: Path) -> bool:
    """Copy a file that is not empty; False if it is, or if it is a link, a FIFO or a device by now."""
    found = read_given(source, MAX_FILE)
    if not found or not found[0]:
        return False
    content, size = found
    if size > MAX_FILE:
        content += f"\n[kdevops: the first {MAX_FILE} bytes of {size}]\n".encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return True
