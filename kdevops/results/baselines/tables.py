"""The tables of a baseline: for each suite and profile the sum of all counts of the nearest series."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from kdevops.errors import UserError
from kdevops.results.baselines import committed, counted, notes, old_marks, test_list, usual_seconds
from kdevops.results.baselines.conditions import Conditions, nearest
from kdevops.results.baselines.counted import Unit
from kdevops.results.baselines.entry import Entry, Seen, Table
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import OLD_PATTERN, PATTERN, Folder, counts_among, seconds_among
from kdevops.results.baselines.notes import Note
from kdevops.results.baselines.old_table import OldTable, of_table
from kdevops.results.baselines.summing import Part, total
from kdevops.results.baselines.table_text import parse as parse_old
from kdevops.results.baselines.test_list import TestList
from kdevops.results.nearest import is_kernel

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the counts of a suite and profile may be: a folder with its files, or an old file."""

    folder: Folder
    names: Sequence[PurePosixPath] = ()
    old: PurePosixPath | None = None


def read_tables(
    files: Files, kernels: Sequence[str], conditions: Conditions, today: date | None = None, *, durations: bool = True
) -> dict[Key, Table]:
    """Each suite's and profile's table, of the first of these kernels' directories that has one: give the nearest first.

    What others know of tests that it does not have is in its `older`; last, what is known of kernels without the variant.
    `today`: notes that ended before no longer hold. `durations`: with how long tests take.
    Raises UserError, with file and line, for a file that cannot be read or parsed.
    """
    by_kernel: dict[str, dict[Key, list[Place]]] = {}
    for place in places_of(files, conditions):
        by_kernel.setdefault(place.folder.kernel, {}).setdefault(place.folder.key, []).append(place)
    tables: dict[Key, Table] = {}
    for kernel in kernels:
        for key, several in by_kernel.get(kernel, {}).items():
            order = nearest(conditions.suites.get(key[0], ""), [each.folder.suite_series for each in several])
            for place in sorted(several, key=lambda each: order.index(each.folder.suite_series)):
                if table := read_table(files, place, today, durations=durations):
                    tables[key] = _with_older(tables[key], table) if key in tables else table
    plain = read_tables(files, kernels, conditions.plain, today, durations=durations) if conditions.variant else {}
    for key, table in plain.items():
        known = Table(table.series, seconds=table.seconds, runs=table.runs, suite_series=table.suite_series)
        tables[key] = _with_older(tables.get(key, known), table)
    return tables


def units_of(files: Files, folder: Folder) -> Mapping[Unit, str]:
    """What was counted of runs in a folder, and in the old file of the same suite and profile, each with what is said of it.

    Raises UserError, with file and line, for a file that cannot be read or parsed.
    """
    names = files.named(str(folder.path / "*.txt"))
    found = [part.counted.units for part in _parts(files, names)]
    if (old := _old_file(files, folder)) is not None:
        found.append(_of_old(files, folder, old).counted.units)
    return {unit: about for units in found for unit, about in units.items()}


def _with_older(table: Table, older: Table) -> Table:
    """A table with what an older one knows of other tests."""
    both = {**older.older, **older.entries}
    others = {name: entry for name, entry in both.items() if table.entry(name) is None}
    return replace(table, older={**table.older, **others}, seconds={**older.seconds, **table.seconds})


def read_table(
    files: Files, place: Place, today: date | None = None, *, gone_too: bool = False, durations: bool = True
) -> Table | None:
    """The table that the files of a place make; None without any counts.

    `gone_too`: with tests that no longer exist. `durations`: with how long tests take.
    """
    folder = place.folder
    before = None if place.old is None else read_old(files, place)
    parts, lists = _read_parts(files, place, before)
    if not parts:
        return None
    said = list(read_notes(files, place))
    seconds: dict[str, float] = {}
    if before:
        said += before.notes
        seconds |= before.seconds
    for name in seconds_among(place.names) if durations else ():
        for test, took in usual_seconds.parse(files.read(name), path=files.place(name)).items():
            seconds[test] = max(took, seconds.get(test, 0.0))
    runs = {(unit.mark, unit.tests): about for part in parts for unit, about in part.counted.units.items()}
    entries = _with_notes(total(parts, lists), said, today, gone_too=gone_too)
    return Table(folder.kernel, entries, (), seconds, runs, folder.suite_series)


def read_parts(files: Files, place: Place) -> tuple[list[Part], dict[str, TestList]]:
    """The files of counts of a place, and the lists of tests that they name. Raises UserError as `read_tables` does."""
    return _read_parts(files, place, None if place.old is None else read_old(files, place))


def read_notes(files: Files, place: Place) -> tuple[Note, ...]:
    """What people say of the tests of a place. Raises UserError, with file and line, for a mistake."""
    path = place.folder.path / notes.NAME
    return notes.parse(files.read(path), path=files.place(path)) if path in place.names else ()


def _read_parts(files: Files, place: Place, old: OldTable | None) -> tuple[list[Part], dict[str, TestList]]:
    parts = _parts(files, place.names)
    if old and place.old:
        parts.append(Part(files.place(place.old), old.counted))
    return parts, _lists(files, place.folder, parts)


def _parts(files: Files, names: Iterable[PurePosixPath]) -> list[Part]:
    found = []
    for name in counts_among(names):
        part = Part(files.place(name), counted.parse(files.read(name), path=files.place(name)))
        if Folder.of_path(name).file(part.counted).name != name.name:
            raise UserError(
                f"{part.path} was changed: its name no longer fits the runs that it counts",
                hint="restore it with git: people may edit the counts in it, but not the lines of runs",
            )
        found.append(part)
    return found


def read_old(files: Files, place: Place) -> OldTable:
    """The old file of a place that has one. Raises UserError, with file and line, for a mistake."""
    if place.old is None:
        raise ValueError("the place has no table of an older version")
    return _of_old(files, place.folder, place.old)


def _of_old(files: Files, folder: Folder, old: PurePosixPath) -> OldTable:
    text = files.read(old)
    table = parse_old(text, path=files.place(old), series=folder.kernel)
    return of_table(table, text, old_marks.marks(files, folder.kernel))


def _old_file(files: Files, folder: Folder) -> PurePosixPath | None:
    """The file of the form of older versions for the same suite and profile."""
    return next((name for name in files.named(f"{folder.kernel}/*/*.txt") if _old_key(name) == folder.key), None)


def _old_key(name: PurePosixPath) -> Key:
    return unquote(name.parts[1]), unquote(name.stem)


def places_of(files: Files, conditions: Conditions) -> Iterator[Place]:
    """All places of these conditions. An old file, of unknown conditions, goes with the folder of its suite and profile."""
    old = {(name.parts[0], *_old_key(name)): name for name in files.named(OLD_PATTERN)}
    for folder, names in _folders(files).items():
        if folder.conditions == conditions.folder:
            own = folder.suite_series == conditions.suites.get(folder.suite, "")
            yield Place(folder, names, old.pop((folder.kernel, *folder.key), None) if own else None)
    for (kernel, suite, profile), name in old.items():
        yield Place(Folder.of(kernel, conditions, suite, profile), (), name)


def all_places(files: Files) -> Iterator[Place]:
    """All places of all conditions; those of old files have none."""
    for folder, names in _folders(files).items():
        yield Place(folder, names)
    for name in filter(lambda each: is_kernel(each.parts[0]), files.named(OLD_PATTERN)):
        yield Place(Folder.of_old(name.parts[0], *_old_key(name)), (), name)


def _folders(files: Files) -> dict[Folder, list[PurePosixPath]]:
    found: dict[Folder, list[PurePosixPath]] = {}
    for name in files.named(PATTERN):
        if is_kernel(name.parts[0]):
            found.setdefault(Folder.of_path(name), []).append(name)
    return found


def _lists(files: Files, folder: Folder, parts: Iterable[Part]) -> dict[str, TestList]:
    found: dict[str, TestList] = {}
    for part in parts:
        for name in part.counted.lists:
            if name not in found:
                path = folder.list_file(name)
                try:
                    found[name] = test_list.read(files.read(path), path=files.place(path))
                except committed.AbsentError:
                    raise UserError(
                        f"{part.path} counts the tests of {path.name}, which is not beside it",
                        hint=_restoring(files.directory, path),
                    ) from None
    return found


def _restoring(directory: Path, path: PurePosixPath) -> str:
    """The command that brings a list back which a revert removed, or a cherry-pick left behind: all that had it are the same."""
    git, name = f"git -C {shlex.quote(str(directory))}", shlex.quote(str(path))
    return f"restore it: {git} checkout $({git} log --all --full-history --diff-filter=A -1 --format=%H -- {name}) -- {name}"


def _with_notes(
    entries: dict[str, Entry], said: Iterable[Note], today: date | None, *, gone_too: bool
) -> dict[str, Entry]:
    for name, several in notes.by_test(said).items():
        if (entry := entries.get(name)) is None:
            continue
        gone = any(note.gone for note in several)
        if gone and not gone_too:
            del entries[name]
            continue
        symptoms = dict(entry.symptoms)
        for note in several:
            if note.symptom in symptoms:
                symptoms[note.symptom] = Seen(symptoms[note.symptom].times, note.text)
        own = [note for note in several if not note.symptom]
        text = "; ".join(dict.fromkeys(note.text for note in own if note.text))
        text = f"gone: {text}".rstrip(": ") if gone else text
        until = max((note.until for note in own if note.until), default=None)
        entries[name] = replace(entry, note=text, symptoms=symptoms, until=until).on(today)
    return entries
