import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.baselines.entry import Entry, Seen, Table
from kdevops.results.baselines.table_text import escape, format_table, parse
from kdevops.results.model import Counts, Status
from kdevops.text import clean

S = Status
FILE = Path("baselines/6.1/selftests/default.txt")
SAMPLE = """\
# Debian's 6.1, lean configuration
# kept by the demo
a%20b  skip=3
futex:run.sh  pass=12 fail=1  1.4s  # flaky since 6.1.20 https://bugzilla.kernel.org/1 # seen twice
sync:sync_test  crash=1 hang=2
sync:sync_test>crash:WARNING%20in%20foo  seen=1  # https://bugs.example/2
sync:sync_test>hang  seen=2
sync:sync_test>sub:a%3Eb  seen=1
sync:sync_test>more  left-out=7  # ways to go bad beyond the 10000 that are kept
sync:sync_test!  pass=1
"""


def read(text: str) -> Table:
    return parse(text, path=FILE, series="6.1")


def test_a_file_is_read() -> None:
    table = read(SAMPLE)
    assert table.header == ("# Debian's 6.1, lean configuration", "# kept by the demo")
    assert table.entries == {
        "a b": Entry(Counts({S.SKIP: 3})),
        "futex:run.sh": Entry(
            Counts({S.PASS: 12, S.FAIL: 1}), 1.4, "flaky since 6.1.20 https://bugzilla.kernel.org/1 # seen twice"
        ),
        "sync:sync_test": Entry(
            Counts({S.CRASH: 1, S.HANG: 2}),
            symptoms={
                "crash:WARNING in foo": Seen(1, "https://bugs.example/2"),
                "hang": Seen(2),
                "sub:a>b": Seen(1),
            },
            symptoms_cut=7,
        ),
        "sync:sync_test!": Entry(Counts({S.PASS: 1})),
    }
    assert format_table(table) == SAMPLE


names = st.text(min_size=1)
counts = st.dictionaries(
    st.sampled_from([s for s in Status if s is not S.MISSING]), st.integers(1, 999999999), min_size=1
)
notes = st.text(max_size=30).map(clean)
seconds = st.none() | st.integers(0, 99_999_999).map(lambda tenths: tenths / 10)
symptoms = st.dictionaries(names, st.builds(Seen, st.integers(1, 999999999), notes), max_size=4)
cuts = st.just(0) | st.integers(1, 999999999)
entries = st.builds(Entry, counts.map(Counts), seconds, notes, st.just(False), symptoms, cuts)
headers = st.lists(st.text(max_size=30).map(lambda text: clean("# " + text)), max_size=3).map(tuple)
tables = st.builds(Table, st.just("6.1"), st.dictionaries(names, entries, max_size=6), headers)


@given(tables)
def test_what_is_written_is_read_back(table: Table) -> None:
    text = format_table(table)
    assert read(text) == table
    assert format_table(read(text)) == text


@given(names)
def test_a_name_is_one_word_and_no_conflict_marker(name: str) -> None:
    line = format_table(Table("6.1", {name: Entry(Counts({S.PASS: 1}))}))
    assert line.split() == [escape(name), "pass=1"]
    assert line[0] not in "#<=>|"


@given(names, names)
def test_a_symptom_is_one_word_below_its_test(name: str, symptom: str) -> None:
    entry = Entry(Counts({S.FAIL: 1}), symptoms={symptom: Seen(1)})
    _, line = format_table(Table("6.1", {name: entry})).splitlines()
    assert line.split() == [f"{escape(name)}>{escape(symptom)}", "seen=1"]


@given(st.text(alphabet=st.sampled_from("ab#=%<> \n\t.0123s") | st.characters(), max_size=80))
def test_symptoms_of_any_text_are_read_back_or_refused_with_their_line(text: str) -> None:
    try:
        table = read(f"a  fail=1\na>{text}")
    except UserError as error:
        refused = str(error)
    else:
        refused = ""
        assert read(format_table(table)) == table
    assert not refused or refused.startswith(f"{FILE}:")


@given(tables, st.randoms())
def test_symptoms_are_read_in_any_place(table: Table, random: Random) -> None:
    header, lines = list(table.header), format_table(table).splitlines()[len(table.header) :]
    random.shuffle(lines)
    assert read("\n".join([*header, *lines])) == table


@given(st.text(alphabet=st.sampled_from("ab#=%< \n\t.0123s") | st.characters(), max_size=80))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        table = read(text)
    except UserError as error:
        refused = str(error)
    else:
        refused = ""
        assert read(format_table(table)).entries.keys() == table.entries.keys()
    assert not refused or refused.startswith(f"{FILE}:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a  pass=1\nb\n", ":2: not a test line: b"),
        ("pass=12 fail=1\n", ":1: not a test line"),
        ("a b  pass=1\n", ":1: not a test line"),
        ("a  pas=1\n", ":1: unknown status 'pas'"),
        ("a  missing=1\n", ":1: unknown status 'missing'"),
        ("a  fail=0\n", ":1: fail=0: a count must be a whole number"),
        ("a  pass=1 fail=0\n", ":1: fail=0: a count must be a whole number"),
        ("a  pass=x\n", ":1: pass=x: a count must be a whole number"),
        ("a  pass=1 pass=2\n", ":1: pass is counted twice"),
        ("a  pass=1  soon\n", ":1: not a test line"),
        ("a  pass=1\n\na  fail=1\n", ":3: a is already on line 1"),
        ("a  pass=1\n# b\nc  pass=1\n", ":2: a comment between tests"),
        ("a  pass=1\n<<<<<<< HEAD\n", ":2: an unresolved git conflict: <<<<<<< HEAD"),
        ("# x\n=======\n", ":2: an unresolved git conflict"),
        (">>>>>>> theirs\n", ":1: an unresolved git conflict"),
        ("||||||| base\n", ":1: an unresolved git conflict"),
        ("a  fail=1\na>sub:b\n", ":2: not a line about how a test went bad: a>sub:b"),
        ("a  fail=1\na>sub:b  fail=1\n", ":2: not a line about how a test went bad"),
        ("a  fail=1\na>  seen=1\n", ":2: not a line about how a test went bad"),
        (">hang  seen=1\n", ":1: not a line about how a test went bad"),
        ("a  fail=1\na>hang  seen=0\n", ":2: seen=0: a count must be a whole number"),
        ("a  fail=1\nb>hang  seen=1\n", ":2: the line of b itself is missing"),
        ("a  fail=1\na>hang  seen=1\na>hang  seen=1\n", ":3: a>hang is already on line 2"),
        ("a>hang  seen=1\n# b\na  fail=1\n", ":2: a comment between tests"),
    ],
)
def test_bad_lines_are_named(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(text)
    assert f"{FILE}{message}" in str(caught.value)


BASE = {f"t{n:02}": Entry(Counts({S.PASS: 1})) for n in range(20)}
FAILED = {"ours": ("t03", "sub:alpha"), "theirs": ("t15", "sub:beta")}


def merged(tmp_path: Path, failed: dict[str, tuple[str, str]]) -> tuple[int, str]:
    """What git makes of two people's changes: the number of conflicts, and the text."""
    for name in ("ours", "base", "theirs"):
        test, symptom = failed.get(name, ("t00", ""))
        entry = Entry(Counts({S.FAIL: 1}), symptoms={symptom: Seen(1)}) if symptom else BASE[test]
        (tmp_path / name).write_text(format_table(Table("6.1", {**BASE, test: entry})))
    done = subprocess.run(
        ["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_git_merges_what_two_people_accept(tmp_path: Path) -> None:
    """Separate tests changed on separate branches merge without a conflict."""
    conflicts, text = merged(tmp_path, FAILED)
    bad = {name: entry for name, entry in read(text).entries.items() if entry.counts.bad}
    assert conflicts == 0
    assert {name: set(entry.symptoms) for name, entry in bad.items()} == {"t03": {"sub:alpha"}, "t15": {"sub:beta"}}


def test_two_people_who_add_symptoms_of_one_test_are_told(tmp_path: Path) -> None:
    conflicts, text = merged(tmp_path, {"ours": ("t03", "sub:alpha"), "theirs": ("t03", "sub:beta")})
    assert conflicts == 1
    with pytest.raises(UserError, match="an unresolved git conflict"):
        read(text)
    # With the lines of both sides, which is what remains to be done:
    kept = "".join(line for line in text.splitlines(keepends=True) if line[0] not in "<=>|")
    assert set(read(kept).entries["t03"].symptoms) == {"sub:alpha", "sub:beta"}
