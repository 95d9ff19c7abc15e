import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.results.baselines import committed
from kdevops.results.baselines.accepting import Accepted, accept
from kdevops.results.baselines.baseline import Baseline, kept, load, series_of
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.entry import Entry
from kdevops.results.baselines.layout import Folder
from kdevops.results.baselines.table_text import format_table, parse
from kdevops.results.baselines.writing import write
from kdevops.results.model import Counts, Outcome, Status, TestId
from tests.support.baselines import accepted_into, learnt

S = Status
KEY = ("selftests", "default")


def tid(name: str) -> TestId:
    return TestId("selftests", "default", name)


@pytest.mark.parametrize(
    ("release", "series"), [("6.1.192+", "6.1"), ("6.12-rc3", "6.12"), ("7.2", "7.2"), ("5.10.0-33-amd64", "5.10")]
)
def test_series(release: str, series: str) -> None:
    assert series_of(release) == series


@pytest.mark.parametrize("release", ["", "linux", "6", "v6.1\x1b[2J"])
def test_no_series(release: str) -> None:
    with pytest.raises(UserError, match="is not a kernel release"):
        series_of(release)


def put(directory: Path, series: str, text: str, suite: str = "selftests") -> None:
    path = directory / series / suite / "default.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_each_suite_falls_back_to_its_nearest_older_series(tmp_path: Path) -> None:
    put(tmp_path, "6.1", "a  pass=1\n")
    put(tmp_path, "6.1", "k  pass=1\n", suite="kunit")
    put(tmp_path, "6.6", "a  pass=6\n")
    put(tmp_path, "6.12", "a  pass=12\n")
    (tmp_path / "README.md").write_text("")
    at = {series: load(tmp_path, series) for series in ("5.15", "6.1", "6.7", "6.12")}
    assert at["5.15"].tables == {}
    assert {key[0]: table.series for key, table in at["6.7"].tables.items()} == {"selftests": "6.6", "kunit": "6.1"}
    newest = at["6.12"].entry(tid("a"))
    assert newest is not None
    assert newest.counts[S.PASS] == 12
    assert at["6.1"].entry(tid("unknown")) is None
    assert at["6.1"].table(TestId("fstests", "xfs", "generic/001")) is None


def test_no_directory_is_an_empty_baseline_and_a_file_is_an_error(tmp_path: Path) -> None:
    assert load(tmp_path / "none", "6.1") == Baseline("6.1")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a directory"):
        load(tmp_path / "file", "6.1")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    put(tmp_path, "6.1", "")
    (tmp_path / "6.1/selftests/default.txt").write_bytes(b"a \xff\n")
    with pytest.raises(UserError, match=r"default\.txt is not UTF-8 text"):
        load(tmp_path, "6.1")


def test_accept_adds_counts_and_keeps_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "6.1", "# head\na  pass=2  10.0s  # bug 7\nb  pass=1\nd  fail=2\n")
    outcomes = {
        tid("a"): Outcome(S.FAIL, seconds=11.0),
        tid("c"): Outcome(S.PASS, seconds=0.26),
        tid("d"): Outcome(S.MISSING),
    }
    before = (tmp_path / "6.1/selftests/default.txt").read_text()
    accepted_into(tmp_path, "6.1", outcomes)
    assert (tmp_path / "6.1/selftests/default.txt").read_text() == before, "nothing of other runs is written again"
    after = load(tmp_path, "6.1").tables[KEY]
    assert format_table(after) == "a  pass=2 fail=1  # bug 7\na>fail  seen=1\nb  pass=1\nc  pass=1\nd  fail=2\n"
    assert after.seconds == {"a": 11.0}


def test_replace_forgets_the_counts_of_what_ran() -> None:
    text = "a  pass=9 fail=1  2.0s  # note\na>sub:x  seen=1\nb  pass=9\n"
    old = Baseline("6.1", {KEY: parse(text, path=Path("x"), series="6.1")})
    new = learnt(old, {tid("a"): Outcome(S.PASS, seconds=60)}, replace=True)
    assert format_table(new.tables[KEY]) == "a  pass=1  # note\nb  pass=9\n"


def test_a_new_series_knows_the_other_tests_of_the_older_one(tmp_path: Path) -> None:
    put(tmp_path, "6.1", "a  pass=9 fail=1  # note\na>fail  seen=1\nb  fail=9\nb>fail  seen=9\n")
    accepted_into(tmp_path, "6.6", {tid("a"): Outcome(S.PASS, seconds=1)})
    known = load(tmp_path, "6.6")
    assert format_table(known.tables[KEY]) == "a  pass=1\n", "results of an older kernel are no evidence about this one"
    assert known.entry(tid("b")) == load(tmp_path, "6.1").entry(tid("b"))
    assert known.ever_ran({KEY}) == {tid("a")}


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
@example("..", "..")
def test_no_name_leads_out_of_the_directory(suite: str, profile: str) -> None:
    path = Folder.of("6.1", Conditions("../x", "../y", {suite: "../z"}), suite, profile).list_file("0" * 16)
    assert len(path.parts) == 5
    assert not any(part.startswith(".") for part in path.parts)
    assert Folder.of_path(path).key == (suite, profile)


def test_a_suite_with_a_strange_name_comes_back(tmp_path: Path) -> None:
    test = TestId("../x y", ".hidden", "t")
    accepted_into(tmp_path, "6.1", {test: Outcome(S.PASS)})
    assert load(tmp_path, "6.1").entry(test) == Entry(Counts({S.PASS: 1}))


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "6.1").write_text("in the way")
    with pytest.raises(InfrastructureError, match="cannot write"):
        accepted_into(tmp_path, "6.1", {tid("a"): Outcome(S.PASS)})


def test_the_nearest_of_all_kernels_that_apply_is_known_first(tmp_path: Path) -> None:
    for kernel, text in {
        "any": "a  fail=1\nb  fail=1\nc  fail=1\nd  fail=1\n",
        "6.0": "a  fail=2\nb  fail=2\nc  fail=2\n",
        "6.1.y": "a  fail=3\nb  fail=3\n",
        "6.1.100": "a  fail=4\n",
        "6.1.120": "a  fail=5\nb  fail=5\nc  fail=5\nd  fail=5\n",
    }.items():
        put(tmp_path, kernel, text)
    for release in ("6.1.119-rc1", "6.1.101", "6.1.100-mine+"):
        known = load(tmp_path, release)
        assert {name: entry.counts.bad for name in "abcd" if (entry := known.entry(tid(name)))} == {
            "a": 4,
            "b": 3,
            "c": 2,
            "d": 1,
        }, release
    assert load(tmp_path, "5.4.1").tables[KEY].series == "any"


def test_other_conditions_are_other_knowledge(tmp_path: Path) -> None:
    plain, kasan = Conditions("x86_64"), Conditions("x86_64", "kasan")
    test = TestId("fstests", "xfs", "generic/001")
    for conditions, end in ((plain, S.PASS), (kasan, S.FAIL), (Conditions("aarch64"), S.HANG)):
        before = load(tmp_path, "6.1", conditions)
        write(tmp_path, accept(before, conditions, Accepted(["x"], "x", {test: Outcome(end)})).texts)
    for conditions, end in ((plain, S.PASS), (kasan, S.FAIL), (Conditions("aarch64"), S.HANG)):
        assert load(tmp_path, "6.1", conditions).entry(test).counts == Counts({end: 1})  # type: ignore[union-attr]
    assert load(tmp_path, "6.1", Conditions("aarch64", "lockdep")).entry(test) != load(tmp_path, "6.1", kasan).entry(
        test
    )
    assert load(tmp_path, "6.1", Conditions("riscv64")).entry(test) is None


def test_what_is_known_without_the_variant_is_known_at_last(tmp_path: Path) -> None:
    plain, kasan = Conditions("x86_64"), Conditions("x86_64", "kasan")
    first, second = TestId("fstests", "xfs", "generic/001"), TestId("fstests", "xfs", "generic/002")
    for conditions, ends in ((plain, {first: S.FAIL, second: S.FAIL}), (kasan, {first: S.CRASH})):
        run = Accepted(["x"], "x", {test: Outcome(end) for test, end in ends.items()})
        write(tmp_path, accept(load(tmp_path, "6.1", conditions), conditions, run).texts)
    kept_files = kept(tmp_path, "6.1.5", {("fstests", "xfs")}, kasan)
    for files in (tmp_path, kept_files):
        known = load(files, "6.1.5", kasan)
        assert [known.entry(test).counts for test in (first, second)] == [  # type: ignore[union-attr]
            Counts({S.CRASH: 1}),
            Counts({S.FAIL: 1}),
        ]
        assert known.ever_ran({("fstests", "xfs")}) == {first}
        lockdep = load(files, "6.1.5", Conditions("x86_64", "lockdep"))
        assert lockdep.entry(first).counts == Counts({S.FAIL: 1})  # type: ignore[union-attr]
        assert not lockdep.ever_ran({("fstests", "xfs")})


def test_the_series_of_a_suite_is_that_or_the_nearest_older(tmp_path: Path) -> None:
    test = TestId("fstests", "xfs", "generic/001")
    for series, times in (("", 1), ("2023", 2), ("2025", 3)):
        conditions = Conditions("x86_64", "", {"fstests": series} if series else {})
        for number in range(times):
            before = load(tmp_path, "6.1", conditions)
            run = Accepted([series, str(number)], "x", {test: Outcome(S.FAIL)})
            write(tmp_path, accept(before, conditions, run).texts)
    for series, times in (("2022", 1), ("2023", 2), ("2024", 2), ("2025", 3), ("2026", 3)):
        entry = load(tmp_path, "6.1", Conditions("x86_64", "", {"fstests": series})).entry(test)
        assert entry is not None
        assert entry.counts.bad == times, series


@pytest.mark.parametrize("what", ["counts", "tests", "seconds", "notes"])
@pytest.mark.parametrize("damage", ["conflict", "big", "fifo", "endless", "binary"])
def test_no_file_keeps_anybody_waiting_or_is_misread(
    tmp_path: Path, what: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted_into(tmp_path, "6.1", {tid("a"): Outcome(S.FAIL, seconds=9.0)})
    folder = tmp_path / "6.1" / Conditions().folder / "selftests/default"
    (folder / "notes.txt").write_text("a  # note\n")
    files = {path.name.partition("-")[0].removesuffix(".txt"): path for path in folder.iterdir()}
    path = files.get(what) or next(path for name, path in files.items() if name not in {"tests", "seconds", "notes"})
    text = path.read_text()
    path.unlink()
    match damage:
        case "conflict":
            path.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n")
        case "big":
            monkeypatch.setattr(committed, "MAX_BYTES", 1000)
            path.write_text(text + "#" * 2000)
        case "fifo":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "binary":
            path.write_bytes(text.encode() + b"\xff\xfe")
    with pytest.raises(UserError, match=re.escape(path.name)) as told:
        load(tmp_path, "6.1")
    assert told.value.hint or damage == "binary"


def test_a_byte_order_mark_and_other_line_ends_change_nothing(tmp_path: Path) -> None:
    accepted_into(tmp_path, "6.1", {tid("a"): Outcome(S.FAIL, seconds=9.0), tid("b"): Outcome(S.PASS)})
    before = load(tmp_path, "6.1")
    for path in (tmp_path / "6.1").rglob("*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load(tmp_path, "6.1").tables == before.tables


def test_a_list_that_is_not_there_or_was_edited_is_told(tmp_path: Path) -> None:
    accepted_into(tmp_path, "6.1", {tid("a"): Outcome(S.FAIL), tid("b"): Outcome(S.PASS)})
    (tests,) = (tmp_path / "6.1").rglob("tests-*.txt")
    tests.write_text("a\n")
    with pytest.raises(UserError, match="was changed: its name no longer fits"):
        load(tmp_path, "6.1")
    tests.unlink()
    with pytest.raises(UserError, match="which is not beside it"):
        load(tmp_path, "6.1")


def test_counts_too_large_are_refused(tmp_path: Path) -> None:
    accepted_into(tmp_path, "6.1", {tid("a"): Outcome(S.FAIL)})
    (counts,) = [path for path in (tmp_path / "6.1").rglob("*.txt") if "fail=1" in path.read_text()]
    counts.write_text(counts.read_text().replace("fail=1", "fail=12345678901234567890"))
    with pytest.raises(UserError, match="a count must be a whole number from 1 to 999999999"):
        load(tmp_path, "6.1")
