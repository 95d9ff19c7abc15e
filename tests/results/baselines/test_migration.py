"""Old tables say the same in the form of today, and so do sums of several files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines.baseline import load
from kdevops.results.baselines.compaction import compacting
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.migration import migrating
from kdevops.results.baselines.table_text import format_table
from kdevops.results.baselines.tables import all_places
from kdevops.results.model import Counts, Outcome, Status, TestId
from tests.results.baselines.strategies import COUNTS, NAMES, NOTES, SYMPTOMS
from tests.support.baselines import learnt

DIRECTORY = Path("/baselines")
HERE = Conditions("x86_64")
KEY = ("selftests", "default")
SECONDS = st.one_of(st.none(), st.integers(10, 5000).map(lambda tenths: tenths / 10))
TABLES = st.dictionaries(NAMES, st.builds(Entry, COUNTS, SECONDS, NOTES, symptoms=SYMPTOMS), min_size=1, max_size=8)


@given(TABLES)
def test_an_old_table_says_the_same_when_it_is_migrated(entries: dict[str, Entry]) -> None:
    text = format_table(Table("6.1", entries, ("# head",)))
    mark = "0" * 16
    old = {"6.1/selftests/default.txt": text, "6.1/accepted.txt": f"{mark}  x, lab demo\n"}
    before = load(Files(DIRECTORY, old), "6.1", HERE)
    texts, replaced = migrating(Files(DIRECTORY, old), HERE)
    assert set(map(str, replaced)) == old.keys()
    new = {str(name): said for name, said in texts.items()}
    after = load(Files(DIRECTORY, new), "6.1", HERE)
    assert after.tables[KEY] == before.tables[KEY]
    assert after.tables[KEY].labs == {"demo"}
    assert migrating(Files(DIRECTORY, new), HERE) == ({}, [])
    both = load(Files(DIRECTORY, {**old, **new}), "6.1", HERE)  # killed before the old files were removed
    assert both.tables[KEY].entries == before.tables[KEY].entries


def test_two_versions_of_an_old_table_are_not_added_up() -> None:
    """Two people migrated it on branches, one after the other had counted more: nobody can say which runs both have."""
    texts: dict[str, str] = {}
    for text in ("a  pass=3\n", "a  pass=4\n"):
        migrated, _ = migrating(Files(DIRECTORY, {"6.1/selftests/default.txt": text}), HERE)
        texts |= {str(name): said for name, said in migrated.items()}
    with pytest.raises(UserError, match="which may have counted the same runs"):
        load(Files(DIRECTORY, texts), "6.1", HERE)
    again = {"6.1/selftests/default.txt": "a  pass=5\n"}
    with pytest.raises(UserError, match="which may have counted the same runs"):
        load(Files(DIRECTORY, {**{name: texts[name] for name in list(texts)[:2]}, **again}), "6.1", HERE)


ENDS = st.sampled_from([Outcome(status) for status in Status])
RUNS = st.lists(st.dictionaries(st.sampled_from("abcdef"), ENDS, min_size=1), min_size=2, max_size=5)


@given(RUNS, st.lists(st.booleans(), min_size=5, max_size=5))
def test_a_sum_of_files_says_the_same(runs: list[dict[str, Outcome]], replacing: list[bool]) -> None:
    known = load(Files(DIRECTORY, {}), "6.1", HERE)
    for run, replace in zip(runs, replacing, strict=False):
        known = learnt(known, {TestId(*KEY, name): end for name, end in run.items()}, replace=replace)
    texts = dict(known.files.texts or {})
    for place in all_places(known.files):
        if found := compacting(known.files, place):
            texts = {name: text for name, text in texts.items() if PurePosixPath(name) not in found[1]}
            texts |= {str(name): text for name, text in found[0].items()}
            assert len(known.files.texts or ()) > len(texts)
    after = load(Files(DIRECTORY, texts), "6.1")
    assert _counts(after.tables.get(KEY)) == _counts(known.tables.get(KEY))
    assert {test: entry.symptoms for test, entry in _entries(after.tables.get(KEY)).items()} == {
        test: entry.symptoms for test, entry in _entries(known.tables.get(KEY)).items()
    }


def _entries(table: Table | None) -> dict[str, Entry]:
    return {name: each for name, each in (table.entries if table else {}).items() if each.counts.total}


def _counts(table: Table | None) -> dict[str, Counts]:
    return {name: entry.counts for name, entry in _entries(table).items()}
