"""What the tree offers, what an installation lists, and what the lab wants of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.model import Selftests
from kdevops.suites.selftests import catalogue as lists
from kdevops.suites.selftests.catalogue import InstalledTest
from tests.suites.selftests.toy import make_tree


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "linux")


def test_targets_of_the_makefile(tree):
    assert lists.targets_of(tree) == ("broken", "empty", "good", "net/deep", "partial", "slow")


def test_tree_without_selftests(tmp_path):
    with pytest.raises(UserError, match="has no selftests"):
        lists.targets_of(tmp_path)


def test_unknown_target_names_the_nearest(tree):
    with pytest.raises(UserError, match=r"no target 'goood'; did you mean good\?"):
        lists.check_targets(tree, ["good", "goood"])


def test_kernel_options_of_all_targets(tree):
    options = lists.kernel_options(tree, ["good", "net/deep"])
    assert options.required == {
        "ALPHA": "y", "BETA": "y", "TEXT": '"a b"', "NUMBER": "4", "INTEL": "y",
    }  # fmt: skip
    assert options.optional == {"GAMMA": "n"}


def test_kernel_options_of_another_architecture(tree):
    assert "OTHER" in lists.kernel_options(tree, ["good"], arch="s390x").required
    assert "INTEL" not in lists.kernel_options(tree, ["good"], arch="s390x").required


def install(tmp_path, text, files=()):
    (tmp_path / "kselftest-list.txt").write_text(text)
    for name, content, mode in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    return lists.read_list(tmp_path)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", 45.0),
        ("timeout=120\n", 120.0),
        ("timeout=0\n", lists.UNBOUNDED_TIMEOUT),
        ("# timeout=7\ntimeout=10\ntimeout=20\n", 20.0),
        ('timeout="30"\n', 30.0),
        ("timeout=soon\n", 45.0),
    ],
)
def test_timeout_of_a_target(tmp_path, settings, expected):
    (test,) = install(tmp_path, "a:b\n", [("a/settings", settings, 0o644)])
    assert test.timeout == expected


@pytest.mark.parametrize(
    ("content", "mode", "argv"),
    [
        ("\x7fELF", 0o755, ("./b",)),
        ("#!/bin/sh\n", 0o644, ("/bin/sh", "./b")),
        ("#! /usr/bin/env -S python3 -u\n", 0o644, ("/usr/bin/env", "-S", "python3", "-u", "./b")),
        ("no interpreter\n", 0o644, ("./b",)),
    ],
)
def test_how_a_test_is_started(tmp_path, content, mode, argv):
    (test,) = install(tmp_path, "a:b\n", [("a/b", content, mode)])
    assert test.argv == argv


@pytest.mark.parametrize(
    "line", ["no colon", "../x:y", "a/../../b:c", ":x", "a:", "a:b/c", "a:$(reboot)", "a:b;c", "-rf:x"]
)
def test_hostile_list_is_refused(tmp_path, line):
    with pytest.raises(UserError, match="expected target:test"):
        install(tmp_path, f"{line}\n")


TESTS = tuple(
    InstalledTest(*name.split(":"), ("./x",), 45.0) for name in ("futex:run.sh", "mqueue:open", "mqueue:perf")
)


def test_all_are_chosen_unless_said_otherwise():
    assert lists.choose(TESTS, Selftests(targets=["futex", "mqueue"])) == TESTS


def test_tests_and_skip_narrow():
    lab = Selftests(targets=["mqueue"], tests=["mqueue:*"], skip=["mqueue:perf"])
    assert [str(test.id) for test in lists.choose(TESTS, lab)] == ["selftests/default/mqueue:open"]


@pytest.mark.parametrize("field", ["tests", "skip"])
def test_unknown_test_names_the_nearest(field):
    with pytest.raises(UserError, match=rf"selftests.{field}: .*'futex:run'; did you mean futex:run.sh"):
        lists.choose(TESTS, Selftests(targets=["futex"], **{field: ["futex:run"]}))


def test_nothing_left_is_an_error():
    with pytest.raises(UserError, match="nothing to run"):
        lists.choose(TESTS, Selftests(targets=["futex"], skip=["*"]))


def test_the_labs_timeout_goes_first():
    assert lists.plan(TESTS, Selftests(targets=["futex"]))[0].timeout == 45.0
    assert lists.plan(TESTS, Selftests(targets=["futex"], timeout=3))[0].timeout == 3.0


@given(st.text(max_size=200))
def test_reading_a_list_gives_tests_or_a_user_error(tmp_path_factory, text):
    directory = tmp_path_factory.getbasetemp()
    try:
        tests = install(directory, text)
    except UserError:
        return
    assert all(".." not in test.target.split("/") and not test.target.startswith("/") for test in tests)
