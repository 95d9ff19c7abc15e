"""Imported results: the same are stored once, wherever they are from."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results import imported
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import Store
from kdevops.suites.kind import Imported
from kdevops.suites.shared.imports import MAX_FILE, Section, Target, store_runs

PASS, FAIL = Status.PASS, Status.FAIL
WHEN = datetime(2024, 5, 17, 22, 3, 6)  # noqa: DTZ001


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "state") as opened:
        yield opened


def section(profile: str = "xfs", *, seconds: float = 1.0, where: str = "/a", files: Sequence[Path] = ()) -> Section:
    ends = {"g/1": Outcome(PASS, seconds), "g/2": Outcome(FAIL, 2.0, "bad")}
    return Section(Path(where) / profile, profile, "6.1.9", ends, {"g/2": files}, (), WHEN)


def take(store: Store, *runs: Sequence[Section], known: dict[str, str] | None = None) -> list[Imported]:
    runs_directory = store.path.parent / "runs"
    place = lambda run: runs_directory / str(run)  # noqa: E731
    target = Target("toy", store, place, "imported", Path("/b"), Path("/a"), (".bad",))
    return store_runs(runs, replace(target, known=lambda _: known) if known else target)


def told(done: Sequence[Imported]) -> list[tuple[int, tuple[str, ...], bool]]:
    return [(each.run, each.profiles, each.already) for each in done]


def test_one_profile_is_found_again_among_several(store: Store) -> None:
    assert told(take(store, [section("xfs")])) == [(1, ("xfs",), False)]
    more = [section("ext4", where="/b"), section("xfs", where="/b")]
    assert told(take(store, more)) == [(1, ("xfs",), True), (2, ("ext4",), False)]
    assert told(take(store, more)) == [(1, ("xfs",), True), (2, ("ext4",), True)]
    assert [test.profile for test in store.outcomes(2)] == ["ext4", "ext4"]
    assert told(take(store, [section("ext4", seconds=1.5)])) == [(3, ("ext4",), False)]


def test_a_copy_in_the_same_directory_is_the_same(store: Store) -> None:
    assert told(take(store, [section()], [section(where="/copy")])) == [(1, ("xfs",), False), (1, ("xfs",), True)]


def test_what_an_older_kdevops_imported_is_found(store: Store) -> None:
    (done,) = take(store, [section("ext4"), section("xfs")])
    facts = dict(store.run(done.run).record["imported"])
    for name in ("identity", "identities"):
        del facts[name]
    store.update_record(done.run, {"imported": facts})
    assert imported.identity(store.run(done.run)) == ""
    assert told(take(store, [section("xfs")])) == [(1, ("xfs",), True)]


def test_the_identity_of_a_run_is_of_all_its_profiles(store: Store, tmp_path: Path) -> None:
    take(store, [section("ext4"), section("xfs")])
    with Store(tmp_path / "another machine") as other:
        take(other, [section("unrelated")])
        take(other, [section("xfs", where="/z"), section("ext4", where="/z")])
        assert imported.identity(other.run(2)) == imported.identity(store.run(1))
    assert len(imported.identity(store.run(1))) == 64


@given(st.permutations(range(6)), st.text(max_size=5))
def test_an_identity_depends_on_nothing_but_the_results(order: list[int], reason: str) -> None:
    tests = [TestId("toy", "xfs", f"g/{number}") for number in range(6)]
    first = {test: Outcome(PASS, 1) for test in tests}
    second = {tests[number]: Outcome(PASS, 1.0, reason, guest="x") for number in order}
    whose = imported.identity_of("6.1.9", "", first)
    assert whose == imported.identity_of("6.1.9", "", second)
    assert whose != imported.identity_of("6.1.9", "2024", first)
    assert whose != imported.identity_of("6.1.10", "", first)
    assert whose != imported.identity_of("6.1.9", "", first | {tests[0]: Outcome(FAIL, 1)})
    assert whose != imported.identity_of("6.1.9", "", first | {tests[0]: Outcome(PASS, 1.1)})


def test_files_that_became_something_else_are_not_read(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    link, good = tmp_path / "2.full", tmp_path / "2.bad"
    link.symlink_to(tmp_path / "secret")
    good.write_bytes(b"x" * (MAX_FILE + 5))
    (done,) = take(store, [section(files=[good])])
    kept = store.path.parent / "runs" / str(done.run)
    assert store.outcomes(done.run)[TestId("toy", "xfs", "g/2")].output == "toy/xfs/g/2.bad"
    assert (kept / "toy/xfs/g/2.bad").read_bytes().endswith(f"the first {MAX_FILE} bytes of {MAX_FILE + 5}]\n".encode())
    (done,) = take(store, [section(seconds=5, files=[link])])
    assert not list((store.path.parent / "runs" / str(done.run)).rglob("*.full"))
    fifo = tmp_path / "2.dmesg"
    os.mkfifo(fifo)
    (done,) = take(store, [section(seconds=6, files=[fifo])])
    assert not list((store.path.parent / "runs" / str(done.run)).rglob("*.dmesg"))


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "a/../../b", "..", "x" * 300, "a b\u2028c", "%s"]
)
def test_no_name_leads_out_of_the_directory_of_the_run(store: Store, tmp_path: Path, name: str) -> None:
    file = tmp_path / "1.bad"
    file.write_text("bad")
    ends = {name: Outcome(FAIL, 1.0)}
    odd = Section(tmp_path, "x/../../y", "6.1.9", ends, {name: [file]}, (), None)
    if name.isprintable():
        (done,) = take(store, [odd])
        kept = store.path.parent / "runs" / str(done.run)
        (end,) = store.outcomes(done.run).values()
        assert (kept / end.output).resolve().is_relative_to(kept)
        assert (kept / end.output).read_text() == "bad"


def test_known_failures_are_where_verdicts_look_for_them(store: Store) -> None:
    from kdevops.run.plan.known import expunged

    take(store, [section("xfs")], known={"g/2": "why"})
    assert expunged(store.run(1)) == {TestId("toy", "xfs", "g/2"): "why"}
    take(store, [section("xfs")])
    assert expunged(store.run(1)), "nothing was said of them"
    take(store, [section("ext4"), section("xfs")], known={"g/1": "other"})
    assert expunged(store.run(1)) == {TestId("toy", "xfs", "g/1"): "other"}
    assert expunged(store.run(2)) == {TestId("toy", "ext4", "g/1"): "other"}


def test_each_test_has_its_own_text(store: Store) -> None:
    end = Outcome(FAIL, 1.0, "bad")
    texts = {("g/1", end): "one", ("g/2", end): "two"}
    both = Section(Path("/a"), "xfs", "6.1.9", {"g/1": end, "g/2": end}, {}, (), None, texts=texts)
    (done,) = take(store, [both])
    kept = store.path.parent / "runs" / str(done.run)
    told = {test.name: (kept / end.output).read_text() for test, end in store.outcomes(done.run).items()}
    assert told == {"g/1": "one", "g/2": "two"}
