"""What `--set` changes, and what holds of any text and any override."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.fields import MAX_SIZE, format_size, parse_size
from kdevops.lab.load import load_lab
from kdevops.lab.model import Lab, lab_schema
from kdevops.paths import data_dir


def test_overrides_reach_every_field(lab) -> None:
    text = "name: x\nguests: {disks: [{size: 1GiB}]}\nsuites: {kunit: {}}\n"
    loaded = lab(
        text,
        "guests.count=3",
        "guests.disks.0.count=2",
        "guests.disks.1.size=2GiB",
        "kernel.cmdline=[quiet, console=ttyS0]",
        "suites.selftests.targets.0=futex",
        "suites.kunit=null",
    ).lab
    assert loaded.guests.count == 3
    assert [(disk.size, disk.count) for disk in loaded.guests.disks] == [(1 << 30, 2), (2 << 30, 1)]
    assert loaded.kernel.cmdline == ("quiet", "console=ttyS0")
    assert loaded.suites.selftests
    assert loaded.suites.selftests.targets == ("futex",)
    assert loaded.suites.kunit is None
    assert lab(text, "guests.disks.0=").lab.guests.disks == ()


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        ("guests.cpu=2", "--set guests.cpu=2: guests.cpu: no such field; did you mean cpus?"),
        ("guests.count=many", "--set guests.count=many: guests.count: a whole number is needed, found text 'many'"),
        ("guests.count", "--set guests.count: write KEY=VALUE, as in guests.count=2"),
        ("guests..count=1", "--set guests..count=1: write KEY=VALUE, as in guests.count=2"),
        ("guests.disks.3.size=1", "--set guests.disks.3.size=1: 3: there are no fields below a plain value"),
        ("name.x=1", "--set name.x=1: x: there are no fields below a plain value"),
        ("gests=null", "--set gests=null: gests: cannot be removed because it is not set"),
        ("kernel.patches=[", "--set kernel.patches=[: not valid YAML: did not find expected node content"),
        ("kernel.jobs={a: null}", "--set kernel.jobs={a: null}: kernel.jobs.a: the value is empty"),
    ],
)
def test_a_wrong_override_is_told_as_such(problems, assignment: str, line: str) -> None:
    assert any(told.startswith(line) for told in problems("name: x\nguests: {disks: 1GiB}\n", assignment))


def test_arguments_of_selftests_come_from_the_environment_too(lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSELFTEST_RTCTEST_ARGS", '/dev/rtc1 # "x": [1')
    monkeypatch.setenv("KSELFTEST_RUN_SH_ARGS", "-a")
    monkeypatch.setenv("KSELFTEST_ARGS", "of no test")
    text = "name: x\nsuites: {selftests: {targets: [rtc], args: {other: '-b'}}}\n"
    loaded = lab(text, "suites.selftests.args.RUN_SH=-c").lab
    assert loaded.suites.selftests
    assert loaded.suites.selftests.args == {"other": "-b", "RTCTEST": '/dev/rtc1 # "x": [1', "RUN_SH": "-c"}
    assert lab("name: x\n").lab == Lab(name="x"), "a lab without selftests stays without"


def test_an_override_mends_what_the_file_has_wrong(lab) -> None:
    assert lab("name: x\nguests: {count: }\n", "guests.count=2").lab.guests.count == 2
    assert lab("name: x\nguests: many\n", "guests={count: 2}").lab.guests.count == 2


def outcome(path: Path, assignments: Iterable[str] = ()) -> str:
    """What loading ends in; anything but a lab or a UserError passes through and fails the test."""
    try:
        load_lab(path, assignments)
    except UserError as error:
        return error.message
    return "a lab"


WORDS = ["name", "guests", "count", "kernel", "suites", "kunit", "disks", "size", "source", "path", "1", "x", "1GiB"]
SYNTAX = [
    *WORDS,
    ": ",
    ":\n  ",
    "\n",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'",
    '"',
    "|",
    "&a ",
    "*a",
    "!!int ",
    "\t",
    "#",
    "<<",
]
ANY_TEXT = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(SYNTAX), max_size=25).map("".join))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=ANY_TEXT)
def test_any_text_is_a_lab_or_an_error_in_prose(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    said = outcome(path)
    assert said.startswith(f"{path}:") or said == "a lab"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    assignments=st.lists(
        st.one_of(
            ANY_TEXT,
            st.tuples(
                st.lists(st.sampled_from([*WORDS, "0", "9" * 5000]), min_size=1, max_size=4).map(".".join),
                st.just("="),
                ANY_TEXT,
            ).map("".join),
        ),
        max_size=3,
    )
)
def test_any_override_is_applied_or_an_error_in_prose(tmp_path: Path, assignments: list[str]) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\nguests: {disks: [{size: 1GiB}]}\n")
    said = outcome(path, assignments)
    assert said.startswith(("--set ", f"{path}:")) or said == "a lab"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=st.integers(0, 30), after=st.integers(0, 3), indent=st.integers(1, 8))
def test_the_line_and_column_are_those_of_the_field(tmp_path: Path, before: int, after: int, indent: int) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("# a comment\n" * before + "name: x\nguests:\n" + "\n" * after + " " * indent + "cpu: 1\n")
    with pytest.raises(UserError) as caught:
        load_lab(path)
    assert caught.value.message.startswith(f"{path}:{before + after + 3}:{indent + 1}: guests.cpu: ")


def test_what_the_effective_lab_prints_is_the_same_lab(lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = lab(
        "name: x\nguests: {count: 2, memory: 1.5GiB, disks: [{size: 3G}]}\nkernel: {source: {path: .}}\n"
        "suites: {kunit: {}, selftests: {targets: futex}}\n"
    )
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(loaded.lab.model_dump(mode="json", exclude_none=True)))
    monkeypatch.chdir("/")
    assert load_lab(path).digest == loaded.digest


def test_the_schema_knows_the_shipped_labs() -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator(lab_schema())
    for path in data_dir("labs").glob("*.yaml"):
        assert list(validator.iter_errors(yaml.safe_load(path.read_text()))) == []
    assert list(validator.iter_errors({"name": "x", "guests": {"cpu": 1}})) != []


@pytest.mark.parametrize(
    "fstests", [{}, {"source": {"path": "/"}}, {"source": {"git": "https://example.org/x", "ref": "v1"}}]
)
def test_a_lab_in_a_record_can_be_read_again(fstests: dict[str, object]) -> None:
    lab = Lab.model_validate({"name": "x", "suites": {"fstests": {"profiles": ["xfs_crc"], **fstests}}})
    assert Lab.model_validate(lab.model_dump(mode="json")) == lab


@given(
    st.integers(1, MAX_SIZE) | st.builds(lambda number, shift: number << shift, st.integers(1, 999), st.integers(0, 50))
)
def test_a_size_as_people_write_it_is_that_size(size: int) -> None:
    assert parse_size(format_size(size)) == size
