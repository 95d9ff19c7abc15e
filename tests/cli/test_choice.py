import asyncio
import importlib
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from kdevops.cli.choice import Choice
from kdevops.cli.options import Context
from kdevops.errors import UserError
from kdevops.lab.fstests import Fstests
from kdevops.run import arms
from kdevops.suites.registry import Asked, kind

LAB = """name: xfs
kernel: {source: {path: .}}
suites:
  selftests: {targets: [futex]}
  fstests: {profiles: [xfs_crc], groups: [auto], tests: [xfs/001], exclude_groups: [dangerous], known: run}
"""
run_module = importlib.import_module("kdevops.cli.run")


class _StartedError(Exception):
    pass


class Command:
    """`kdevops run LAB …`, up to where the run would begin."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab = path / "lab.yaml"
        self.lab.write_text(LAB)
        self.options: dict[str, Any] = {}
        monkeypatch.setattr(arms, "start", self._start)
        monkeypatch.setattr(run_module, "watch", self._watch)

    def _watch(self, context: object, work: Callable[[object], Coroutine[Any, Any, object]], *_: object) -> int:
        with pytest.raises(_StartedError):
            asyncio.run(work(None))
        return 0

    async def _start(self, loaded: Any, dirs: Any, watcher: Any, **options: Any) -> None:
        self.options = {"fstests": loaded.lab.suites.fstests, **options}
        raise _StartedError

    def __call__(self, *arguments: str) -> Fstests:
        result = self.result(*arguments)
        assert result.exception is None, result.exception
        assert result.exit_code == 0, result.output
        found: Fstests = self.options["fstests"]
        return found

    def result(self, *arguments: str) -> Result:
        return CliRunner().invoke(run_module.run, [str(self.lab), *arguments], obj=Context())


@pytest.fixture
def kdevops_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    return Command(tmp_path, monkeypatch)


def test_without_options_the_lab_counts(kdevops_run: Command) -> None:
    fstests = kdevops_run()
    assert (fstests.groups, fstests.tests, fstests.exclude_groups) == (("auto",), ("xfs/001",), ("dangerous",))
    assert (kdevops_run.options["only"], kdevops_run.options["failures_of"]) == ((), None)


def test_groups_take_the_place_of_the_labs_choice_and_nothing_is_narrowed(kdevops_run: Command) -> None:
    fstests = kdevops_run("-g", "quick,xfs/rw", "-g", "soak")
    assert (fstests.groups, fstests.tests) == (("quick", "xfs/rw", "soak"), ())
    assert not kdevops_run.options["only"]


def test_excluded_groups_are_added_to_the_labs(kdevops_run: Command) -> None:
    fstests = kdevops_run("-x", "stress,clone")
    assert (fstests.groups, fstests.exclude_groups) == (("auto",), ("dangerous", "stress", "clone"))


@pytest.mark.parametrize(
    ("names", "tests", "only"),
    [
        (["generic/001"], ("generic/001",), ["fstests/*"]),
        (["generic/001", "xfs/*"], ("generic/001", "xfs/*"), ["fstests/*"]),
        (["generic/001", "futex:*"], ("generic/001",), ["futex:*", "fstests/*"]),
    ],
)
def test_tests_of_fstests_are_chosen_and_the_plan_has_them_alone(
    kdevops_run: Command, names: list[str], tests: tuple[str, ...], only: list[str]
) -> None:
    fstests = kdevops_run(*names)
    assert (fstests.groups, fstests.tests) == ((), tests)
    assert kdevops_run.options["only"] == only


@pytest.mark.parametrize(
    "name",
    ["futex:run.sh", "selftests/*", "kunit/default/example", "fstests/xfs_crc/generic/001", "default/x", "fstests/*"],
)
def test_any_other_name_narrows_the_plan(kdevops_run: Command, name: str) -> None:
    assert kdevops_run(name).groups == ("auto",)
    assert kdevops_run.options["only"] == [name]


def test_groups_and_names_add_up(kdevops_run: Command) -> None:
    assert kdevops_run("-g", "quick", "generic/900").groups == ("quick",)
    assert kdevops_run.options["only"] == ["fstests/*"]
    kdevops_run("-g", "quick", "futex:*")
    assert kdevops_run.options["only"] == ["futex:*", "fstests/*"]


def test_the_other_options_are_fields_of_the_lab(kdevops_run: Command) -> None:
    fstests = kdevops_run("--start-after", "generic/100", "--count", "3", "--soak", "5m", "--known", "skip")
    assert (fstests.start_after, fstests.count, fstests.soak, fstests.known) == ("generic/100", 3, 300.0, "skip")
    kdevops_run("--failures-of", "12")
    assert kdevops_run.options["failures_of"] == 12


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90", 90), ("1.5h", 5400), ("1d", 86400), ("2w", 1209600), ("0", 0)]
)
def test_a_duration(kdevops_run: Command, text: str, seconds: float) -> None:
    assert kdevops_run("--soak", text).soak == seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--soak", "5 min"], "'5 min' is not a duration such as 90s, 5m or 1h"),
        (["--soak", "-1"], "'-1' is not a duration"),
        (["--count", "0"], "0 is not in the range"),
        (["--count", "many"], "'many' is not a valid integer"),
        (["--known", "ignore"], "'ignore' is not one of"),
        (["--failures-of", "last"], "'last' is not a valid integer"),
    ],
)
def test_what_is_no_value_is_refused(kdevops_run: Command, arguments: list[str], message: str) -> None:
    result = kdevops_run.result(*arguments)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-g", "Quick!"], "suites.fstests.groups"),
        (["--start-after", "generic"], "suites.fstests.start_after"),
        (["generic/001", "--only", "futex:*"], "generic/001 and --only futex:\\*: both select tests"),
    ],
)
def test_nonsense_is_refused(kdevops_run: Command, arguments: list[str], message: str) -> None:
    error = kdevops_run.result(*arguments).exception
    assert isinstance(error, UserError)
    with pytest.raises(UserError, match=message):
        raise error


@pytest.mark.parametrize(
    "arguments",
    [
        ["-g", "quick"],
        ["-x", "stress"],
        ["--start-after", "xfs/1"],
        ["--count", "2"],
        ["--soak", "1h"],
        ["--known", "run"],
    ],
)
def test_options_of_fstests_need_fstests(kdevops_run: Command, arguments: list[str]) -> None:
    kdevops_run.lab.write_text(LAB[: LAB.index("  fstests:")])
    error = kdevops_run.result(*arguments).exception
    assert isinstance(error, UserError)
    assert str(error).startswith(f"{arguments[0]} is for fstests, and {kdevops_run.lab} does not list it")
    kdevops_run("generic/001")
    assert kdevops_run.options["only"] == ["generic/001"]


@given(
    st.lists(st.from_regex(r"[a-z0-9_]+(/[a-z0-9_]+)?", fullmatch=True), max_size=3),
    st.integers(1, 10_000),
    st.floats(0, 1e9),
)
def test_what_is_assigned_is_what_was_chosen(groups: list[str], count: int, soak: float) -> None:
    lab = Fstests(profiles=("x",), groups=("auto",), exclude_groups=("dangerous",))
    choice = Choice(groups=tuple(groups), exclude_groups=tuple(groups), count=count, soak=soak)
    fields = {"profiles": ["x"], "exclude_groups": ["dangerous"]}
    for assignment in choice.assignments((), Asked(kind("fstests"), lab)):
        name, _, value = assignment.removeprefix("suites.fstests.").partition("=")
        fields[name] = json.loads(value)
    found = Fstests.model_validate(fields)
    assert found.groups == tuple(groups)
    assert found.exclude_groups == (*lab.exclude_groups, *groups)
    assert (found.count, found.soak) == (count, soak)


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("generic/001", "generic/001"),
        ("futex:*", "'futex:*'"),
        ("selftests/*", "'selftests/*'"),
        ("kunit/default/bits-test", "kunit/default/bits-test"),
    ],
)
def test_a_test_where_the_lab_belongs_is_told_apart_from_a_lab(word: str, quoted: str) -> None:
    error = CliRunner().invoke(run_module.run, [word], obj=Context()).exception
    assert isinstance(error, UserError)
    assert error.message == f"{word}: no such lab file"
    assert error.hint == f"the lab goes before the tests: kdevops run lab.yaml {quoted}"


@pytest.mark.parametrize("word", ["labs/nosuch.yaml", "../x.yml", "nosuch", "/tmp/nosuch/lab"])
def test_a_lab_that_is_not_there_is_no_test(word: str) -> None:
    error = CliRunner().invoke(run_module.run, [word], obj=Context()).exception
    assert isinstance(error, UserError)
    assert error.hint == "create one with kdevops lab init"
