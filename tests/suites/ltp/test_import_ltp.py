"""Reports of kirk, the runner of LTP."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.__main__ import main
from kdevops.errors import UserError
from kdevops.paths import state_dir
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import Store
from kdevops.results.symptoms import symptoms
from kdevops.suites.ltp import report as kirk
from kdevops.suites.ltp.archive import UNNAMED, find_sections
from kdevops.suites.ltp.report import COUNTS, parse
from kdevops.suites.ltp.result import read_entry
from kdevops.text import clean
from tests.support.baselines import counts_in

PASS, FAIL, SKIP, CRASH, HANG, MISSING = Status
PANIC = """\
[   12.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008
[   12.000001] Oops: 0000 [#1] SMP
[   12.000002] RIP: 0010:foo_bar+0x10/0x20
[   12.000003] Kernel panic - not syncing: Fatal exception
"""
WARNING = """\
[   11.000000] WARNING: CPU: 0 PID: 7 at kernel/foo.c:12 foo_bar+0x10/0x20
[   11.000001] RIP: 0010:foo_bar+0x10/0x20
[   11.000002] ---[ end trace 0000000000000000 ]---
"""


def entry(
    name: str = "abs01", status: str = "pass", code: object = "0", log: str = "ok\n", **more: Any
) -> dict[str, Any]:
    counts = dict.fromkeys(COUNTS, 0) | {"pass": {"passed": 3}, "fail": {"failed": 1}}.get(status, {})
    test = {"command": name, "arguments": [], "log": log, "retval": [code], "duration": 0.5, "result": status}
    return {"test_fqn": name, "status": status, "test": {**test, **counts, **more}}


def report(*entries: Any, **more: Any) -> dict[str, Any]:
    stats = {name: sum(each["test"][name] for each in entries if isinstance(each, dict)) for name in COUNTS}
    environment = {"kernel": "Linux 6.1.192 #1 SMP PREEMPT", "arch": "x86_64", "distribution": "debian"}
    environment["distribution_version"] = "12"
    return {"results": list(entries), "stats": {"runtime": 1.0, **stats}, "environment": environment, **more}


def write(path: Path, what: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(what if isinstance(what, str) else json.dumps(what, indent=4))
    return path


FAILED = "\x1b[1;31mabs01.c:78: TFAIL: labs(-1) returned 17\x1b[0m\nabs01.c:80: TCONF: no\n"


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (entry(), PASS, ""),
        (entry(status="conf", code="32", log="a.c:1: TCONF: no root\n"), SKIP, "no root"),
        (entry(status="conf", code="32"), SKIP, "TCONF"),
        (
            entry(status="conf", code="32", log="", duration=0.0),
            MISSING,
            "it did not run: the time of its suite was up",
        ),
        (entry(status="fail", code="1", log=FAILED), FAIL, "1 TFAIL; TFAIL: labs(-1) returned 17"),
        (entry(status="fail", code="33", log=FAILED), FAIL, "1 TFAIL; TFAIL: labs(-1) returned 17"),
        (entry(status="brok", code="2", broken=1), FAIL, "1 TBROK"),
        (entry(status="brok", code="2"), FAIL, "TBROK; exit code 2"),
        (entry(status="warn", code="4", warnings=2), FAIL, "2 TWARN"),
        (entry(status="fail", code="-9", failed=0), FAIL, "TFAIL; killed by SIGKILL"),
        (entry(status="fail", code="127", failed=0), FAIL, "TFAIL; exit code 127"),
        (entry(status="brok", code="-1", broken=1), HANG, "kirk stopped it: it did not end in time"),
        (entry(status="brok", code="-1", broken=1, log=PANIC), CRASH, "BUG: kernel NULL pointer dereference"),
        (entry(failed=1), FAIL, "1 TFAIL"),
        (entry(broken=1), FAIL, "1 TBROK"),
        (entry(code="1"), FAIL, "exit code 1"),
        (entry(result="fail"), FAIL, "TFAIL"),
        (entry(passed=0), MISSING, "the report does not say how it ended: status pass, exit code ['0'], 0 passed"),
        (entry(passed="3"), MISSING, "the report does not say"),
        (entry(passed=True), MISSING, "the report does not say"),
        (entry(failed=None), MISSING, "the report does not say"),
        (entry(retval=[]), MISSING, "the report does not say"),
        (entry(retval=["0", "x"]), MISSING, "the report does not say"),
        (entry(retval=["0", 1]), FAIL, "exit code 1"),
        (entry(retval="0"), MISSING, "the report does not say"),
        (entry(code="32"), MISSING, "the report does not say"),
        (entry(status="conf", code="0"), MISSING, "the report does not say"),
        (entry(status="PASS"), MISSING, "the report does not say"),
        (entry(status="sound"), MISSING, "the report does not say how it ended: status sound"),
        ({"test_fqn": "abs01", "status": "pass"}, MISSING, "the report does not say"),
        ({"test_fqn": "abs01", "status": "pass", "test": []}, MISSING, "the report does not say"),
        ([1], MISSING, "the report does not say how it ended: status none"),
    ],
)
def test_how_a_test_ended(said: object, status: Status, reason: str) -> None:
    end = read_entry(said).outcome
    assert end.status is status
    assert end.reason.startswith(reason)
    assert bool(end.reason) == bool(reason)


def test_checks_that_failed_are_subtests_without_their_numbers() -> None:
    old = "abs01    2  TBROK  :  abs01.c:99: mmap failed: errno=12\n"
    end = read_entry(entry(status="fail", code="3", log=FAILED + old)).outcome
    assert [(each.name, each.reason) for each in end.subtests] == [
        ("abs01.c TFAIL: labs(-N) returned N", "labs(-1) returned 17"),
        ("abs01.c TBROK: mmap failed: errno=N", "mmap failed: errno=12"),
    ]
    again = read_entry(entry(status="fail", code="3", log=(FAILED + old).replace("17", "18"))).outcome
    test = TestId("ltp", "math", "abs01")
    assert symptoms(test, again) == symptoms(test, end) != frozenset()


def test_a_report_of_the_kernel_in_the_log_does_not_leave_a_test_green() -> None:
    end = read_entry(entry(log=WARNING)).outcome
    assert (end.status, [each.signature for each in end.reports]) == (PASS, ["WARNING in foo_bar"])
    unstamped = "".join(line.partition("] ")[2] + "\n" for line in WARNING.splitlines())
    assert read_entry(entry(log=unstamped)).outcome.reports == (), "a test may print that"
    assert read_entry(entry(status="fail", code="1", log=unstamped)).outcome.reports


def test_the_report_as_a_whole(tmp_path: Path) -> None:
    tests = (entry("a"), entry("b/c d"), entry("a"), entry("x#2"))
    (section,) = find_sections(write(tmp_path / "syscalls.json", report(*tests)))
    assert (section.profile, section.kernel, section.machine, section.made) == (
        "syscalls",
        "6.1.192",
        "x86_64",
        "debian 12",
    )
    assert {name: end.status for name, end in section.outcomes.items()} == dict.fromkeys(
        ["a", "a#2", "b/c d", "x_2"], PASS
    )
    assert (section.notes, section.when) == ((), None)
    assert section.facts["kernel"] == "Linux 6.1.192 #1 SMP PREEMPT"


def test_all_reports_of_a_directory(tmp_path: Path) -> None:
    write(tmp_path / "one/results.json", report(entry()))
    write(tmp_path / "two/syscalls.json", report(entry()))
    write(tmp_path / "two/other.json", {"results": {}})
    write(tmp_path / "two/more.json", [1])
    write(tmp_path / "two/broken.json", "{")
    assert [section.profile for section in find_sections(tmp_path)] == ["default", "syscalls"]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"results": []}', '{"results": 1}', "[" * 100_000, "\ufeff"])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="there are no results of LTP in"):
        find_sections(write(tmp_path / "x.json", text))


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is neither a file nor a directory"):
        find_sections(tmp_path / "no")
    path = write(tmp_path / "x.json", report(entry(), environment={"kernel": "Linux"}))
    with pytest.raises(UserError, match="nothing says which kernel ran in"):
        find_sections(path)
    (section,) = find_sections(path, "6.1.9")
    assert section.kernel == "6.1.9"
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "link.json").symlink_to(path)
    assert len(find_sections(tmp_path, "6.1.9")) == 1


def test_with_a_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(report(entry()), indent=4).replace("\n", "\r\n").encode())
    assert find_sections(path)[0].outcomes["abs01"].status is PASS


def test_totals_that_differ(tmp_path: Path) -> None:
    whole = report(entry("a"), entry("b", "fail", "1"))
    whole["stats"]["passed"] = 9
    (section,) = find_sections(write(tmp_path / "x.json", whole))
    assert section.notes == ("x: the report declares passed 9 and has 3",)
    assert section.outcomes[UNNAMED] == Outcome(MISSING, reason="the report declares passed 9 and has 3")


def test_items_that_are_no_tests_are_missing(tmp_path: Path) -> None:
    (section,) = find_sections(write(tmp_path / "x.json", report(entry("a"), 1, "x", None)))
    assert [end.status for end in section.outcomes.values()] == [PASS, MISSING, MISSING, MISSING]


TEXT = json.dumps(report(entry("a"), entry("b", "fail", "1"), entry("c", log='"}]' * 3)), indent=4)


@given(st.integers(0, len(TEXT) - 1))
def test_cut_off_anywhere_what_is_lost_is_missing(at: int) -> None:
    found = parse(TEXT[:at].encode())
    if found is not None:
        assert found.trouble.startswith("cannot be read completely")
        ends = [read_entry(value).outcome.status for value in found.results]
        assert ends == [PASS, FAIL, PASS][: len(ends)]


def test_a_report_that_is_cut_off_is_incomplete(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", TEXT[: TEXT.index('"test_fqn": "c"')])
    (section,) = find_sections(path, "6.1.9")
    assert {name: end.status for name, end in section.outcomes.items()} == {"a": PASS, "b": FAIL, UNNAMED: MISSING}
    assert section.notes[0].startswith("x: the report cannot be read completely: ")


def test_a_report_without_end_is_read_as_far_as_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdevops.suites.ltp.archive.MAX_SIZE", TEXT.index('"test_fqn": "b"'))
    (section,) = find_sections(write(tmp_path / "x.json", TEXT), "6.1.9")
    assert {name: end.status for name, end in section.outcomes.items()} == {"a": PASS, UNNAMED: MISSING}
    monkeypatch.setattr(kirk, "MAX_TESTS", 2)
    assert parse(TEXT.encode()) == kirk.Report(
        json.loads(TEXT)["results"][:2],
        parse(TEXT.encode()).environment,
        parse(TEXT.encode()).stats,
        "has more than 2 tests",
    )  # type: ignore[union-attr]


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["status", "test", "retval", "log", "duration", *COUNTS]), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(JSONS)
def test_whatever_an_item_is_it_is_no_pass(value: object) -> None:
    end = read_entry(value)
    assert end.outcome.status is not PASS
    assert end.outcome.reason == clean(end.outcome.reason)
    assert 0 <= end.outcome.seconds < 1 << 31


@given(st.sampled_from(["status", "result", "retval", *COUNTS]), JSONS)
def test_one_wrong_value_is_enough(field: str, value: object) -> None:
    said = entry()
    (said if field == "status" else said["test"])[field] = value
    end = read_entry(said).outcome
    if end.status is PASS:
        assert value in (
            {"status": "pass", "result": "pass", "passed": value, "skipped": value}.get(field, 0),
            None,
            ["0"],
        )


@given(st.binary(max_size=200))
def test_any_bytes_are_read(data: bytes) -> None:
    parse(data)
    parse(b'{"results": [' + data)


def test_they_are_a_run_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "baselines").mkdir()
    write(tmp_path / "syscalls.json", report(entry("a"), entry("b", "fail", "1", FAILED), entry("../c", "brok", "2")))
    for name in ("syscalls.json", "."):
        assert main(["results", "import", "--suite", "ltp", name]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "run 1: 6.1.192, syscalls: 1 pass, 2 fail"
    assert told[2] == "already imported as run 1: 6.1.192, syscalls"
    main(["results", "1"])
    told_ = capsys.readouterr().out
    assert "ran on an unknown date on x86_64, imported" in told_
    assert "syscalls: debian 12\n" in told_
    main(["results", "1", "--test", "syscalls/b"])
    told_ = capsys.readouterr().out
    assert "abs01.c:78: TFAIL: labs(-1) returned 17\n" in told_
    assert "\x1b" not in told_
    assert main(["baseline", "accept", "1"]) == 0
    assert "b>sub:abs01.c%20TFAIL" in counts_in(tmp_path / "baselines/6.1")
    with Store(state_dir()) as store:
        (end,) = (each for test, each in store.outcomes(1).items() if test.name == "../c")
    assert (state_dir() / "runs/1" / end.output).resolve().is_relative_to(state_dir() / "runs/1")
