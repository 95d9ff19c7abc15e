"""Tables of older versions take the form of today."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from kdevops.results.baselines import notes, old_marks, test_list, usual_seconds
from kdevops.results.baselines.compaction import with_lines
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.counted import Counted, format_counted
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import Folder, Texts
from kdevops.results.baselines.old_table import OldTable
from kdevops.results.baselines.tables import all_places, places_of, read_notes, read_old
from kdevops.results.model import Status


def migrating(files: Files, conditions: Conditions) -> tuple[Texts, list[PurePosixPath]]:
    """The files that say what all old tables of a baseline say, and those that they stand for.

    `conditions`: those under which the tests ran, which the old form does not say. Raises UserError for an invalid file.
    """
    texts: Texts = {}
    old: list[PurePosixPath] = []
    for place in all_places(files):
        if place.old is None:
            continue
        kernel, (suite, profile) = place.folder.kernel, place.folder.key
        folder = Folder.of(kernel, conditions, suite, profile)
        new = migrated(folder, read_old(files, place))
        path = folder.path / notes.NAME
        if path in new:
            there = next((each for each in places_of(files, conditions) if each.folder == folder), place)
            both = (*read_notes(files, there), *notes.parse(new[path], path=files.place(path)))
            new[path] = notes.format_notes(both)
        texts |= new
        old += [place.old, PurePosixPath(kernel, old_marks.NAME)]
    return texts, list(dict.fromkeys(old))


def migrated(folder: Folder, old: OldTable) -> Texts:
    """The files that say what an old table says."""
    counts = {name: entry.counts for name, entry in old.counted.entries.items()}
    passes = {name: each[Status.PASS] for name, each in counts.items() if each[Status.PASS]}
    skips = {name: each[Status.SKIP] for name, each in counts.items() if each[Status.SKIP] and name not in passes}
    levels = test_list.level_lists(passes, skips)
    texts = {folder.list_file(test_list.name_of(text)): text for text in levels}
    if seconds := usual_seconds.format_seconds(old.seconds):
        texts[folder.seconds_file(test_list.name_of(next(iter(levels), "")))] = seconds
    lists = {test_list.name_of(text): test_list.parse(text, path=Path(folder.list_file(""))) for text in levels}
    unnamed = {test_list.name_of(text): times for text, times in levels.items()}
    counted = with_lines(Counted(old.counted.units, {}, unnamed, header=old.counted.header), old.counted.entries, lists)
    texts[folder.file(counted)] = format_counted(counted)
    if old.notes:
        texts[folder.path / notes.NAME] = notes.format_notes(old.notes)
    return texts
