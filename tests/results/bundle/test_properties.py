"""Whatever a store has goes through a bundle as it is; whatever a record has can be told, once it is tidied."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.results.bundle.archive import Archive, Writer, is_plain
from kdevops.results.bundle.leaving import HIDDEN, leaving, tidy, without_credentials
from kdevops.results.check import problems
from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.text import clean
from tests.results import stored
from tests.results.bundle.bundled import exported, imported
from tests.results.stored import NewStore

new_team_store = stored.new_team_store  # a fixture
COUNTER = itertools.count()
text = st.text(max_size=60)
seconds = st.floats(0, 1e9) | st.just(float("nan"))
statuses = st.sampled_from(Status)
reports = st.builds(KernelReport, text, text, text, st.booleans(), text)
outcomes = st.builds(
    Outcome,
    statuses,
    seconds,
    text,
    st.lists(st.builds(Subtest, text, statuses, text), max_size=3).map(tuple),
    st.sampled_from(["", "commands/default/a.log"]),
    text,
    text,
    st.integers(0, 5),
    st.lists(reports, max_size=2).map(tuple),
    st.integers(0, 5),
)
names = st.text(min_size=1, max_size=40).map(clean).filter(bool)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(text, plain, max_size=4)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_away(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Stores in a file, or of a team."""
    if request.param == "postgresql":
        new: NewStore = request.getfixturevalue("new_team_store")
        return new
    return lambda: Store(tmp_path / str(next(COUNTER)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, outcomes, min_size=1, max_size=5), records)
def test_a_run_is_the_same_elsewhere(
    tmp_path: Path, new_away: NewStore, ends: dict[str, Outcome], record: dict[str, Any]
) -> None:
    where = tmp_path / str(next(COUNTER))
    tests = {TestId("commands", "default", name): outcome for name, outcome in ends.items()}
    told = record | {"kernel": {"release": "6.1"}}
    told = {name: value for name, value in told.items() if name not in {"imported", "boot_failure", "compared_with"}}
    with new_away() as away, pytest.MonkeyPatch.context() as alone, contextlib.ExitStack() as stack:
        alone.delenv("KDEVOPS_STORE", raising=False)
        home = stack.enter_context(Store(where / "home"))
        run = home.create_run("demo", [PlannedRow(test, 1.0) for test in tests], told)
        for test, outcome in tests.items():
            home.ended(run, test, replace(outcome, reason=without_credentials(outcome.reason)))
        home.finish(run)
        exported(home, where / "bundle", run)
        assert [each.already for each in imported(away, where / "bundle")] == [False]
        assert away.outcomes(1) == home.outcomes(1)
        assert away.journal(1) == home.journal(1)
        assert away.plan(1) == home.plan(1)
        assert replace(away.run(1), record={}) == replace(home.run(1), record={})
        assert problems(away) == []
        assert [each.already for each in imported(home, where / "bundle")] == [True]
        exported(away, where / "again", 1)
    assert (where / "again").read_bytes() == (where / "bundle").read_bytes()
    shutil.rmtree(where)


@given(plain)
def test_tidying_ends(value: object) -> None:
    once = tidy(value)
    assert tidy(once) == once
    assert json.loads(json.dumps(once)) == once
    json.dumps(once, ensure_ascii=False).encode()


@given(st.recursive(plain, lambda inner: st.fixed_dictionaries({"lab": inner, "provider": inner, "trouble": inner})))
def test_whatever_a_record_is_it_can_leave(value: object) -> None:
    told = leaving({"lab": value, "guests": value, "more": value})
    assert "guests" not in told
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1 << 63, b"x", object()])
def test_what_is_no_data_is_an_error(bad: object) -> None:
    with pytest.raises(ValueError, match="the record has"):
        tidy({"a": [bad]})
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="too deeply"):
        tidy(deep)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("https://me:word@host/x", f"https://{HIDDEN}@host/x"),
        ("see ssh://token@host, and git+https://a@b/c", f"see ssh://{HIDDEN}@host, and git+https://{HIDDEN}@b/c"),
        ("https://lore.kernel.org/r/2024@example.org", "https://lore.kernel.org/r/2024@example.org"),
        ("me@host:/x", "me@host:/x"),
        ("https://host/?q=a@b", "https://host/?q=a@b"),
    ],
)
def test_credentials_in_addresses(said: str, told: str) -> None:
    assert without_credentials(said) == told


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}(/[a-z.]{1,8}){0,2}", fullmatch=True), st.binary(max_size=300), max_size=6
    )
)
def test_files_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    folders = {"/".join(name.split("/")[:n]) for name in files for n in range(1, len(name.split("/")))}
    files = {name: data for name, data in files.items() if is_plain(name) and name not in folders}
    path = tmp_path_factory.mktemp("files") / "bundle"
    with path.open("wb") as file:
        writer = Writer(file)
        for name, data in files.items():
            writer.add(name, [data[:7], data[7:]])
        writer.close([])
    with Archive(path) as archive:
        assert {name: archive.text(name) for name in archive.files} == files
        for number, (name, data) in enumerate(files.items()):
            archive.copy(name, path.parent / f"copy-{number}")
            assert (path.parent / f"copy-{number}").read_bytes() == data


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n"), max_size=30)))
def test_lines(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    told = [line.encode(errors="replace") for line in lines]
    path = tmp_path_factory.mktemp("lines") / "bundle"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.add("a", [line + b"\n" for line in told])
        writer.close([])
    with Archive(path) as archive:
        assert list(archive.lines("a")) == told


@given(st.text())
def test_plain_names_stay_below(name: str) -> None:
    if is_plain(name):
        assert (Path("/a") / name).is_relative_to("/a")
        assert ".." not in Path(name).parts
        assert clean(name) == name
    for bad in (f"/{name}", f"../{name}", f"{name}/..", f"a//{name}", f"{name}\\", f"{name}\0", "", f"./{name}"):
        assert not is_plain(bad)
