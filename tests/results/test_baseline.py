from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.results import baseline as module
from kdevops.results.baseline import Baseline, Mode, accept, load, save, series_of
from kdevops.results.baseline_text import format_table, parse
from kdevops.results.entry import Entry
from kdevops.results.model import Counts, Outcome, Status, TestId

S = Status


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
    path = module.file_of(directory, series, suite, "default")
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
    module.file_of(tmp_path, "6.1", "selftests", "default").write_bytes(b"a \xff\n")
    with pytest.raises(UserError, match=r"default\.txt is not UTF-8 text"):
        load(tmp_path, "6.1")


def test_accept_adds_counts_and_keeps_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "6.1", "# head\na  pass=2  10.0s  # bug 7\nb  pass=1\nd  fail=2\n")
    outcomes = {
        tid("a"): Outcome(S.FAIL, seconds=11.0),
        tid("c"): Outcome(S.PASS, seconds=0.26),
        tid("d"): Outcome(S.MISSING),
    }
    new = accept(load(tmp_path, "6.1"), outcomes)
    (written,) = save(tmp_path, new)
    expected = "# head\na  pass=2 fail=1  10.0s  # bug 7\na>fail  seen=1\nb  pass=1\nc  pass=1  0.3s\nd  fail=2\n"
    assert written.read_text() == expected
    assert load(tmp_path, "6.1") == new
    assert save(tmp_path, new) == ()


def test_replace_forgets_the_counts_of_what_ran() -> None:
    text = "a  pass=9 fail=1  2.0s  # note\na>sub:x  seen=1\nb  pass=9\n"
    old = Baseline("6.1", {("selftests", "default"): parse(text, path=Path("x"), series="6.1")})
    new = accept(old, {tid("a"): Outcome(S.PASS, seconds=60)}, mode=Mode.REPLACE)
    assert format_table(new.tables["selftests", "default"]) == "a  pass=1  60.0s  # note\nb  pass=9\n"


def test_a_new_series_begins_with_what_the_older_one_knew(tmp_path: Path) -> None:
    put(tmp_path, "6.1", "# head\na  pass=9 fail=1  # note\na>fail  seen=1\nb  fail=9\nb>fail  seen=9\n")
    save(tmp_path, accept(load(tmp_path, "6.6"), {tid("a"): Outcome(S.PASS, seconds=1)}))
    assert module.file_of(tmp_path, "6.6", "selftests", "default").read_text() == (
        "# head\na  pass=1  1.0s  # note\nb  fail=9\nb>fail  seen=9\n"
    )
    assert module.file_of(tmp_path, "6.1", "selftests", "default").read_text().startswith("# head\na  pass=9")


def test_what_was_only_read_of_an_older_series_is_not_written(tmp_path: Path) -> None:
    put(tmp_path, "6.1", "a  pass=9\n")
    assert save(tmp_path, load(tmp_path, "6.6")) == ()
    assert not (tmp_path / "6.6").exists()


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
@example("..", "..")
def test_no_name_leads_out_of_the_directory(suite: str, profile: str) -> None:
    path = module.file_of(Path("/base"), "6.1", suite, profile)
    assert len(path.parts) == 5
    assert not any(part.startswith(".") for part in path.parts)


def test_a_suite_with_a_strange_name_comes_back(tmp_path: Path) -> None:
    test = TestId("../x y", ".hidden", "t")
    save(tmp_path, accept(Baseline("6.1"), {test: Outcome(S.PASS)}))
    assert load(tmp_path, "6.1").entry(test) == Entry(Counts({S.PASS: 1}), 0.0)


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "6.1").write_text("in the way")
    with pytest.raises(InfrastructureError, match="cannot write"):
        save(tmp_path, accept(Baseline("6.1"), {tid("a"): Outcome(S.PASS)}))
