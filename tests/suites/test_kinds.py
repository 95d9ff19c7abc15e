"""What suites say of themselves: ours say it right, and what one does not say is taken in the careful way."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab import outside
from kdevops.lab.fields import Model
from kdevops.lab.joined import lab_model, stored_lab, whole_model
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab, Suites, lab_schema
from kdevops.lab.suites import OURS, READERS, find, for_tests, origin
from kdevops.results.model import TestId
from kdevops.run.caches import _KINDS
from kdevops.suites.kind import SuiteKind
from kdevops.suites.registry import asked, check_clients, importer, kind, kind_of_tests, origins_of, ours
from kdevops.text import clean


class Section(Model):
    """Nothing."""


class Silent(SuiteKind[Section]):
    """Says what it must, and nothing else."""

    name = "silent"
    model = Section

    def suites(self, section: Section, lab: Lab) -> tuple[()]:
        return ()


@pytest.mark.parametrize("name", OURS)
def test_what_ours_say_fits_their_sections(name: str) -> None:
    ours = kind(name)
    fields = ours.model.model_fields.keys()
    assert ours.name == name
    assert Suites.model_fields[name].annotation == ours.model | None
    assert ours.chooses <= fields
    assert ours.options <= fields
    assert {loc[0] for loc in ours.paths} <= fields
    assert set(ours.environment.values()) <= fields
    assert {(*loc, *member)[0] for loc, members in ours.exclusive.items() for member in members} <= fields
    assert bool(ours.test_pattern) == bool(ours.options), "who takes -g takes names of tests"
    assert "tests" in fields or not ours.test_pattern
    re.compile(ours.test_pattern)
    for suite in ours.all_test_suites:
        assert suite == name or outside.is_part(suite, name)
        assert kind_of_tests(suite) is ours
    assert not set(ours.caches) & set(_KINDS)


@pytest.mark.parametrize("name", READERS)
def test_what_is_only_imported_cannot_be_run(name: str) -> None:
    reader = kind(name)
    assert (reader.name, reader.imports) == (name, True)
    assert importer(name) is kind_of_tests(name) is reader
    assert origin(name) == ""
    assert name not in OURS
    with pytest.raises(UserError, match=f"suites.{name}: kdevops does not run {name}, but imports its results"):
        lab_model((name,))
    with pytest.raises(UserError, match=f"suites.{name}: kdevops does not run {name}"):
        reader.suites(reader.model(), Lab(name="x"))


def test_one_more_of_ours_is_a_package_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("a_suite_of_ours")
    vars(module)["KIND"] = Silent()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cast("dict[str, str]", OURS), "silent", module.__name__)
    path = tmp_path / "lab.yaml"
    path.write_text("name: x\nsuites: {silent: {}, commands: {tests: {a: 'true'}}}\n")
    lab = load_lab(path).lab
    assert [each.kind.name for each in asked(lab)] == ["commands", "silent"]
    assert origins_of(lab) == {}, "it is ours"
    assert stored_lab(lab.model_dump(mode="json")) == lab
    assert "silent" in lab_schema(whole_model())["$defs"]["Suites"]["properties"]
    path.write_text("name: x\nsuites: {silent: {x: 1}}\n")
    with pytest.raises(UserError, match=r"lab.yaml:2:19: suites.silent.x: no such field"):
        load_lab(path)


def test_ours_are_told_in_the_order_of_the_table() -> None:
    assert [each.name for each in ours()] == list(OURS) == ["commands", "kunit", "selftests", "fstests"]


def test_what_a_suite_does_not_say_is_taken_in_the_careful_way() -> None:
    silent = Silent()
    assert silent.all_test_suites == ("silent",)
    assert silent.chooses == frozenset(), "every field makes the baseline run again"
    assert not silent.repeats
    assert not silent.lab_makes_tests, "a test that is gone was lost"
    assert not silent.explains_failures, "a failure without a subtest is one of its own"
    assert silent.not_chosen({}, "x", ()) == ""
    assert not silent.leaves_out_known(Section()), "known failures are run"
    assert silent.console_marks == (), "no message of the kernel begins a test of it"
    assert silent.caches == (), "nothing of it is thrown away"
    lab = Lab(name="x")
    assert not silent.servers(Section(), lab)
    assert not list(silent.checks(Section(), lab))
    check_clients((), lab)


def test_repeats_are_of_suites_that_say_so() -> None:
    assert TestId("fstests", "xfs", "generic/001#2").plain == TestId("fstests", "xfs", "generic/001")
    for suite in ("selftests", "kunit-modules", "commands", "nobody-knows-it", "fstests-x", "", "-"):
        test = TestId(suite, "default", "a#2")
        assert test.plain == test
        with pytest.raises(ValueError, match="cannot be run for the 2th time"):
            TestId(suite, "default", "a").repeat(2)


@given(st.text(max_size=40))
def test_any_word_is_a_suite_or_none_and_no_error(word: str) -> None:
    found = for_tests(word)
    assert found is None or word in found.all_test_suites


@given(name=st.text(max_size=40), value=st.text(max_size=40))
def test_whatever_an_entry_point_is_called_it_is_used_or_refused_in_words(name: str, value: str) -> None:
    point = EntryPoint(name, value, outside.GROUP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outside, "_found", lambda: {name: [point]})
        outside._tried.cache_clear()
        with pytest.raises(UserError) as refused:
            outside.load(name, lambda _, __: "it is not wanted")
    message = refused.value.message
    assert clean(message) == message
    assert len(message) < 700


@given(word=st.text(max_size=50), name=st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True))
def test_a_part_of_a_suite_is_a_plain_name(word: str, name: str) -> None:
    assert outside.is_part(f"{name}-modules", name)
    if outside.is_part(word, name):
        assert word.startswith(f"{name}-")
        assert re.fullmatch(r"[a-z0-9_-]+", word)


def test_who_is_not_there_is_not_found() -> None:
    assert find("nobody_knows_it") is None
    with pytest.raises(UserError, match="there is no such suite"):
        kind("nobody_knows_it")
