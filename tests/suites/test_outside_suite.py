"""A suite that an installed package brings: one package, one entry point, and no line of ours.

The command line is a process of its own; where guests are needed, they are this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import REPOSITORY
from tests.support.outside_suite import PACKAGE, install

Command = Callable[..., subprocess.CompletedProcess[str]]
LAB = "name: toys\nverdict: {rerun: off}\nsuites:\n  toy: {words: [one, two], wrong: [two]}\n"
COMPARED = "name: toys\nkernel: {cmdline: [new]}\ncompare: {kernel: {cmdline: [old]}}\nsuites:\n  toy: {words: [one]}\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


@pytest.fixture
def kdevops(tmp_path: Path, site: Path) -> Command:
    """The command line with what is installed in `site`; `local=True` has this machine for its guests."""

    def command(*words: str | Path, local: bool = False) -> subprocess.CompletedProcess[str]:
        module = "tests.support.local_command_line" if local else "kdevops"
        environment = {
            **os.environ,
            "KDEVOPS_STATE": str(tmp_path / "state"),
            "KDEVOPS_CACHE": str(tmp_path / "cache"),
            "PYTHONPATH": f"{site}{os.pathsep}{REPOSITORY}",
            "NO_COLOR": "1",
        }
        argv = [sys.executable, "-m", module, *map(str, words)]
        done = subprocess.run(
            argv, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return command


@pytest.fixture
def lab(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "lab.yaml"
        path.write_text(text)
        return path

    return write


def test_it_runs_end_to_end_and_is_marked_once(kdevops, site: Path, lab) -> None:
    install(site)
    path = lab(LAB)
    done = kdevops("run", path, local=True)
    assert done.returncode == 4, done.stderr
    assert done.stdout.count("suite toy from toy-suite 1.0") == 1
    answer = json.loads(kdevops("results", "1", "--json").stdout)
    assert {each["name"]: each["status"] for each in answer["tests"]} == {"one": "pass", "two": "fail"}
    assert answer["suites_from"] == {"toy": "toy-suite 1.0"}
    assert "toy from toy-suite 1.0" in kdevops("results", "1", "--format", "mail").stdout
    again = kdevops("rerun", "1", local=True)
    assert again.returncode == 4, again.stderr
    assert "2 tests that ran (1 pass, 1 fail)" in again.stdout
    accepted = kdevops("baseline", "accept", "2")
    assert accepted.returncode == 0, accepted.stderr
    assert kdevops("run", path, local=True).returncode == 0, "what was accepted is known"
    narrowed = kdevops("run", path, "toy/*/one", local=True)
    assert "1 test that ran (1 pass)" in narrowed.stdout


def test_a_lab_with_a_suite_of_ours_beside_it(kdevops, site: Path, lab) -> None:
    install(site)
    done = kdevops("run", lab(LAB + "  commands: {tests: {three: 'true'}}\n"), "--json", local=True)
    answer = json.loads(done.stdout)
    assert [each["name"] for each in answer["tests"]] == ["three", "one", "two"], "ours come first"
    assert answer["suites_from"] == {"toy": "toy-suite 1.0"}


def test_what_is_wrong_with_its_section_is_told_with_file_line_and_field(kdevops, site: Path, lab) -> None:
    install(site)
    path = lab("name: toys\nsuites:\n  toy:\n    words: []\n    wurong: [two]\n    shout: 3\n")
    done = kdevops("lab", "validate", path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[:3] == [
        f"{path}:4:5: suites.toy.words: a list of 1 or more entries is needed, found an empty list",
        f"{path}:5:5: suites.toy.wurong: no such field; did you mean wrong?",
        f"{path}:6:5: suites.toy.shout: true or false is needed, found number 3",
    ]


def test_its_fields_are_set_shown_and_in_the_schema(kdevops, site: Path, lab) -> None:
    install(site)
    shown = kdevops("lab", "show", lab(LAB), "--set", "suites.toy.shout=true", "--json")
    assert json.loads(shown.stdout)["suites"] == {"toy": {"words": ["one", "two"], "wrong": ["two"], "shout": True}}
    schema = json.loads(kdevops("lab", "schema").stdout)
    assert schema["$defs"]["Suites"]["properties"].keys() == {"commands", "selftests", "kunit", "fstests", "toy"}
    assert schema["$defs"]["Toy"]["properties"].keys() == {"words", "wrong", "shout", "script", "said"}
    assert "toy        Words, each of which is a test. (from toy-suite 1.0)" in kdevops("lab", "suites").stdout


def test_files_that_it_says_to_have_are_made_absolute_and_looked_for(kdevops, site: Path, lab, tmp_path: Path) -> None:
    install(site, facts='paths = {("script",): "file"}')
    path = lab("name: toys\nsuites:\n  toy: {words: [one], script: its.sh}\n")
    assert "suites.toy.script: no such file" in kdevops("lab", "validate", path).stderr
    (tmp_path / "its.sh").touch()
    shown = json.loads(kdevops("lab", "show", path, "--json").stdout)
    assert shown["suites"]["toy"]["script"] == str(tmp_path / "its.sh")


def test_of_fields_that_exclude_each_other_the_one_that_is_set_takes_the_place(kdevops, site: Path, lab) -> None:
    install(site, facts='exclusive = {(): (("script",), ("wrong", "shout"))}')
    shown = kdevops("lab", "show", lab(LAB), "--set", "suites.toy.script=its.sh", "--json")
    assert json.loads(shown.stdout)["suites"]["toy"]["script"] == "its.sh"
    assert json.loads(shown.stdout)["suites"]["toy"]["wrong"] == [], "of the file, and replaced"


def test_the_environment_sets_what_it_says(
    kdevops, site: Path, lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, facts='environment = {"TOY_([a-z]+)_SAYS": "said"}')
    monkeypatch.setenv("TOY_one_SAYS", "good: day")
    assert kdevops("run", lab(LAB), local=True).returncode == 4
    assert (tmp_path / "state/runs/1/toy/default/one.log").read_text().strip() == "good: day"


@pytest.mark.parametrize(("facts", "at_boot"), [("pass", True), ('console_marks = ("toy: begins ",)', False)])
def test_what_a_kept_guest_said_after_a_mark_of_its_harness_was_not_said_at_boot(
    kdevops, site: Path, lab, tmp_path: Path, facts: str, at_boot: bool
) -> None:
    install(site, facts=facts)
    said = tmp_path / "state/local-guests/toys/toys-1/console.log"
    said.parent.mkdir(parents=True)
    said.write_text(
        "[    0.1] Linux version 6.1.0\n[    7.1] toy: begins one\n[    7.2] WARNING: CPU: 0 PID: 9 at fs/toy.c:1 toy+0x1/0x2\n"
    )
    done = kdevops("run", lab(LAB), local=True)
    assert ("at boot, kernel report: WARNING" in done.stderr) == at_boot, done.stderr


def test_an_unknown_suite_is_told_which_there_are_and_which_do_not_load(kdevops, site: Path, lab) -> None:
    install(site)
    install(site, name="lame", distribution="lame-suite", source="import nowhere_to_be_found\n")
    done = kdevops("lab", "validate", lab("name: x\nsuites: {toi: {}}\n"))
    assert done.returncode == 2
    line = done.stderr.splitlines()[0]
    there = "there are commands, fstests, kunit, selftests, toy (of toy-suite 1.0); did you mean toy?"
    assert f":2:10: suites.toi: no such suite; {there}" in line
    assert "the suite lame of lame-suite 1.0 cannot be used: it does not load: ModuleNotFoundError" in line


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": "raise SystemExit(3)\n"}, "it does not load: SystemExit: 3"),
        ({"source": "KIND = 7\n"}, "its entry point must be a SuiteKind of kdevops.suites.kind, found int"),
        ({"source": "def f(:\n"}, "it does not load: SyntaxError"),
        ({"source": PACKAGE.replace("class Toy(Model)", "class Toy(__import__('pydantic').BaseModel)")},
         "its model is not a subclass of kdevops.lab.fields.Model"),
        ({"source": PACKAGE.replace('    name = "toy"\n', '    name = "tyo"\n')}, "its own name is 'tyo'"),
        ({"source": PACKAGE.replace("def suites(", "def sweets(")}, "it does not load: TypeError: Can't instantiate"),
        ({"facts": 'test_suites = ("toy", "fstests")'}, "ids of tests would begin with 'fstests'"),
        ({"facts": 'chooses = frozenset({"wrods"})'}, "it refers to the field wrods, which its section does not have"),
        ({"facts": 'test_pattern = "x"'}, "it refers to the field tests, which its section does not have"),
        ({"facts": 'console_marks = (" x ",)'}, "a console mark must have 4 or more characters"),
        ({"facts": 'environment = {"A_.*": "said"}'}, "the regular expression 'A_.*' of its environment must have one"),
        ({"facts": 'environment = {"A_(.*)": "siad"}'}, "it refers to the field siad, which its section does not have"),
        ({"facts": 'exclusive = {("srcipt",): (("a",),)}'}, "it refers to the field srcipt"),
        ({"facts": 'caches = ("kernels",)'}, "a cache would begin with 'kernels'"),
        ({"facts": 'caches = ("toy-/../../x",)'}, "a cache would begin with 'toy-/../../x'"),
    ],
)  # fmt: skip
def test_one_that_cannot_be_used_is_refused_in_words(
    kdevops, site: Path, lab, changes: dict[str, Any], why: str
) -> None:
    install(site, **changes)
    done = kdevops("lab", "validate", lab(LAB))
    assert done.returncode == 2
    assert f"4:3: suites.toy: the suite toy of toy-suite 1.0 cannot be used: {why}" in done.stderr
    listed = kdevops("lab", "suites")
    assert listed.returncode == 3
    assert why in listed.stdout


@pytest.mark.parametrize("name", ["fstests", "dev", "model_fields", "Toy", "a-b"])
def test_a_name_that_is_taken_or_none_is_refused(kdevops, site: Path, lab, name: str) -> None:
    install(site, name=name, source=PACKAGE.replace('    name = "toy"\n', f'    name = "{name}"\n'))
    listed = kdevops("lab", "suites")
    assert listed.returncode == 3
    assert f"the suite {name} of toy-suite 1.0 cannot be used: " in listed.stdout
    schema = kdevops("lab", "schema")
    assert schema.returncode == 0
    assert f"the suite {name} of toy-suite 1.0 cannot be used: " in schema.stderr
    if name == "fstests":
        assert "kdevops has a suite of that name" in listed.stdout
        assert (
            kdevops("lab", "validate", lab("name: x\nsuites: {fstests: {profiles: tmpfs_default}}\n")).returncode == 0
        )


def test_of_two_that_bring_the_same_suite_none_is_used(kdevops, site: Path, lab) -> None:
    install(site)
    install(site, distribution="other-suite")
    done = kdevops("lab", "validate", lab(LAB))
    assert done.returncode == 2
    assert "1.0 and " in done.stderr
    assert "only one of them may provide it" in done.stderr


@pytest.mark.parametrize(("facts", "again"), [("pass", True), ('chooses = frozenset({"shout"})', False)])
def test_a_field_that_is_not_said_to_choose_has_the_baseline_run_again(
    kdevops, site: Path, lab, facts: str, again: bool
) -> None:
    install(site, facts=facts)
    path = lab(COMPARED)
    assert "is used for the comparison" not in kdevops("run", path, local=True).stderr
    assert "is used for the comparison" in kdevops("run", path, local=True).stderr, "the same is not done again"
    changed = kdevops("run", path, "--set", "suites.toy.shout=true", local=True)
    assert ("is used for the comparison" not in changed.stderr) == again


def test_another_version_of_it_has_the_baseline_run_again(kdevops, site: Path, lab) -> None:
    install(site)
    path = lab(COMPARED)
    kdevops("run", path, local=True)
    metadata = next(site.glob("*.dist-info")) / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    done = kdevops("run", path, local=True)
    assert "is used for the comparison" not in done.stderr
    assert "suite toy from toy-suite 1.1" in done.stdout
    refused = kdevops("rerun", "1", local=True)
    assert refused.returncode == 2
    assert "suite toy (toy-suite 1.0 then, toy-suite 1.1 now) changed since" in refused.stderr


def test_a_suite_that_plans_tests_of_another_is_refused(kdevops, site: Path, lab) -> None:
    install(site, source=PACKAGE.replace('TestId("toy", ', 'TestId("fstests", '))
    done = kdevops("run", lab(LAB), local=True)
    assert done.returncode == 2
    assert "the suite toy of toy-suite 1.0 plans tests of fstests, which is not its own" in done.stderr


def test_options_of_run_are_for_the_suite_that_takes_them(kdevops, site: Path, lab) -> None:
    more = "    groups: Strings = ()\n    tests: Strings = ()\n"
    source = PACKAGE.replace("    shout: bool = False\n", f"    shout: bool = False\n{more}")
    install(site, source=source, facts='options = frozenset({"groups"})\n    test_pattern = "word/[a-z]+"')
    path = lab(LAB)
    assert kdevops("run", path, "-g", "any", local=True).returncode == 4
    soaked = kdevops("run", path, "--soak", "1h", local=True)
    assert (soaked.returncode, soaked.stderr.startswith("--soak is for fstests, and ")) == (2, True)
    both = kdevops("run", lab(LAB + "  fstests: {profiles: tmpfs_default}\n"), "-g", "quick", local=True)
    assert both.returncode == 2
    assert "-g could mean fstests and toy" in both.stderr


def test_what_it_prints_when_it_is_loaded_is_no_answer_of_ours(kdevops, site: Path, lab) -> None:
    install(site, source=f"{PACKAGE}print('hello')\n")
    assert json.loads(kdevops("lab", "show", lab(LAB), "--json").stdout)["name"] == "toys"


def test_a_fault_in_it_is_told_as_its_own(kdevops, site: Path, lab) -> None:
    source = PACKAGE.replace("        if self.toy.script is None:", "        if {}['oh']:", 1)
    assert source != PACKAGE
    install(site, source=source)
    done = kdevops("run", lab(LAB), local=True)
    assert done.returncode == 3
    assert "this is a bug in the suite toy of toy-suite 1.0: KeyError: 'oh'" in done.stderr
    assert "please report it to its authors" in done.stderr


def test_what_another_version_of_it_recorded_explains_nothing(kdevops, site: Path, lab) -> None:
    facts = "def not_chosen(self, section, name, passed_over):\n        return section['new']"
    install(site, facts=facts)
    path = lab(LAB)
    kdevops("run", path, local=True)
    assert kdevops("baseline", "accept", "1").returncode == 0
    done = kdevops("run", path, "--set", "suites.toy.words=[one]", local=True)
    assert done.returncode == 4, "a test that is gone, and nothing says why, was lost"
    assert "toy/default/two" in done.stdout


def test_results_stay_readable_and_guests_stoppable_when_it_is_gone(kdevops, site: Path, lab) -> None:
    install(site)
    path = lab(LAB)
    kdevops("run", path, local=True)
    for file in sorted(site.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    shown = kdevops("results", "1")
    assert shown.returncode == 4
    assert "suite toy from toy-suite 1.0" in shown.stdout
    path.rename(path.with_name("kept.yaml"))
    assert kdevops("down", "toys").returncode == 0, "the lab as it was, without its suite"
    assert kdevops("down", "kept.yaml").returncode == 0
    refused = kdevops("rerun", "1", local=True)
    assert refused.returncode == 2
    assert "install the packages it ran with: toy-suite 1.0" in refused.stderr


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["run", "--help"], ["lab", "validate", "lab.yaml"]])
def test_what_needs_no_suite_from_outside_does_not_look_for_any(kdevops, site: Path, lab, words: list[str]) -> None:
    lab("name: x\nsuites: {commands: {tests: {a: 'true'}}}\n")
    install(site, source="from pathlib import Path\nPath('loaded').touch()\n")
    reading = (
        "import importlib.metadata as metadata\n"
        "real = metadata.entry_points\n"
        "def entry_points(**params):\n"
        "    assert params.get('group') != 'kdevops.suites', 'they were read'\n"
        "    return real(**params)\n"
        "metadata.entry_points = entry_points\n"
    )
    (site / "sitecustomize.py").write_text(reading)
    done = kdevops(*words)
    assert done.returncode == 0, done.stderr
    assert not (site.parent / "loaded").exists()
