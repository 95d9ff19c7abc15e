"""KTAP: the shapes that logs have, and properties that no log may break."""

from __future__ import annotations

import pytest

from kdevops.suites.ktap import parser as ktap
from kdevops.suites.ktap import tally
from kdevops.suites.ktap.parser import parse
from tests.suites.ktap.reading import FAIL, MISSING, PASS, SKIP, flat, read


@pytest.mark.parametrize(
    "text", ["", "hello\nworld", "ok", "ok done", "[OK]\tfine", "# ok 1 a comment", "# not ok", "Not ok", "not okay"]
)
def test_no_ktap_is_none(text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ok 1 name", ("name", PASS, "")),
        ("ok 1 - name", ("name", PASS, "")),
        ("not ok 1 name", ("name", FAIL, "")),
        ("ok 1 name # SKIP no such device", ("name", SKIP, "no such device")),
        ("not ok 1 name # SKIP", ("name", SKIP, "")),
        ("ok 1 name # skip: lower case", ("name", SKIP, "lower case")),
        ("ok 1 # SKIP only a reason", ("1", SKIP, "only a reason")),
        ("not ok 1 name # TODO later", ("name", PASS, "expected failure: later")),
        ("not ok 1 name # XFAIL known", ("name", PASS, "expected failure: known")),
        ("ok 1 name # XFAIL", ("name", PASS, "expected failure")),
        ("not ok 1 name # TIMEOUT 30 seconds", ("name", FAIL, "timeout: 30 seconds")),
        ("ok 1 name # ERROR contradictory", ("name", FAIL, "error: contradictory")),
        ("ok 1 name # rcode=0", ("name", PASS, "rcode=0")),
        ("ok 1 page #3 of 4", ("page #3 of 4", PASS, "")),
        ("ok 1", ("1", PASS, "")),
        ("ok 1 tab\tseparated \x1b[32mcolour\x1b[0m", ("tab\tseparated colour", PASS, "")),
    ],
)
def test_result_line(line, expected):
    parsed = read(f"TAP version 13\n1..1\n{line}")
    result = parsed.results[0]
    assert (result.name, result.status, result.reason) == expected
    assert not parsed.problems
    assert parsed.status is expected[1]


def test_result_without_number_counts_on():
    parsed = read("TAP version 13\nok - a\nnot ok - b\nok 3 c")
    assert flat(parsed) == [("a", PASS), ("b", FAIL), ("c", PASS)]
    assert not parsed.problems


def test_results_without_any_header_count():
    assert flat(read("hello\nnot ok 1 a")) == [("a", FAIL)]


@pytest.mark.parametrize("plan_first", [True, False])
def test_plan_before_or_after(plan_first):
    results = "ok 1 a\nok 2 b"
    parsed = read(f"KTAP version 1\n1..2\n{results}" if plan_first else f"KTAP version 1\n{results}\n1..2")
    assert parsed.status is PASS
    assert not parsed.problems


def test_planned_tests_without_result_are_a_failure():
    parsed = read("KTAP version 1\n1..3\nok 1 a\nok 2 b")
    assert parsed.status is FAIL
    assert parsed.faults == ("the top level: 1 of 3 planned tests gave no result",)
    assert not parsed.failures


def test_more_results_than_planned_are_noted():
    parsed = read("KTAP version 1\n1..1\nok 1 a\nok 2 b")
    assert parsed.status is PASS
    assert parsed.notes == ("the top level: 2 results where 1 were planned",)


def test_line_printed_twice_by_a_fork_counts_once():
    parsed = read("TAP version 13\n1..2\nok 1 a\nok 1 a\nok 2 b")
    assert flat(parsed) == [("a", PASS), ("b", PASS)]
    assert parsed.notes == ("the top level: the line of number 1 came twice",)
    assert read("TAP version 13\n1..2\nok 1 a\nok 1 a").status is FAIL


TOTALS = "# Totals: pass:{} fail:{} xfail:0 xpass:0 skip:0 error:0"


def test_totals_account_for_tests_without_result_lines():
    parsed = read("TAP version 13\n1..3\nPASS: as expected\n" + TOTALS.format(3, 0))
    assert parsed.status is PASS
    assert parsed.notes == ("the top level: 3 tests are in its totals, but gave no result",)
    assert read("TAP version 13\n1..3\n" + TOTALS.format(2, 0)).status is FAIL


def test_failures_that_only_the_totals_tell_are_failures():
    parsed = read("TAP version 13\n1..3\n" + TOTALS.format(2, 1))
    assert parsed.status is FAIL
    assert parsed.faults == ("the top level: its totals count 1 failures, but no result tells of them",)
    assert not read("TAP version 13\n1..1\nnot ok 1 a\n" + TOTALS.format(0, 1)).faults


@pytest.mark.parametrize("between", ["", "TAP version 13\n", "TAP version 13\n1..2\n"])
def test_the_totals_of_the_next_program_do_not_undo_failures_that_only_totals_tell(between: str):
    parsed = read(f"TAP version 13\n{TOTALS.format(2, 1)}\n{between}{TOTALS.format(2, 0)}")
    assert parsed.status is FAIL
    assert set(parsed.faults) == {"the top level: its totals count 1 failures, but no result tells of them"}


def test_number_left_out_is_a_missing_test():
    parsed = read("KTAP version 1\nok 1 a\nok 3 c")
    assert parsed.status is FAIL
    assert parsed.faults == ("the top level: 1 of 3 planned tests gave no result",)
    assert parsed.notes == ("the top level: number 3 follows 1",)


def test_duplicate_number_is_noted():
    parsed = read("KTAP version 1\n1..2\nok 1 a\nok 1 b")
    assert parsed.status is PASS
    assert parsed.notes == ("the top level: number 1 came again or too late",)


def test_bail_out_is_a_failure():
    parsed = read("TAP version 13\n1..1\nok 1 a\nBail out! no memory")
    assert parsed.status is FAIL
    assert parsed.faults == ("Bail out! no memory",)


def test_nothing_planned_is_a_skip():
    parsed = read("TAP version 13\n1..0 # SKIP needs root")
    assert parsed.status is SKIP
    assert parsed.skip_reason == "needs root"


def test_header_alone_is_a_failure():
    assert read("TAP version 13").status is FAIL


def test_unknown_version_is_noted():
    parsed = read("KTAP version 7\nok 1 a")
    assert parsed.status is PASS
    assert parsed.notes == ("unknown version: KTAP version 7",)


def test_nesting_by_indentation():
    parsed = read("""
KTAP version 1
1..2
  KTAP version 1
  1..2
    KTAP version 1
    1..2
    not ok 1 test_1
    ok 2 test_2
  not ok 1 test_3
  ok 2 test_4 # SKIP
not ok 1 example_test_1
ok 2 example_test_2
""")
    assert flat(parsed) == [
        ("example_test_1 / test_3 / test_1", FAIL),
        ("example_test_1 / test_3 / test_2", PASS),
        ("example_test_1 / test_3", FAIL),
        ("example_test_1 / test_4", SKIP),
        ("example_test_1", FAIL),
        ("example_test_2", PASS),
    ]
    assert [failure.name for failure in parsed.failures] == ["example_test_1 / test_3 / test_1"]
    assert not parsed.problems


def test_nesting_by_kselftest_prefix():
    parsed = read("""
TAP version 13
1..1
# selftests: net: a.sh
# TAP version 13
# 1..2
# ok 1 one
# # just talk
# not ok 2 two
ok 1 selftests: net: a.sh
""")
    assert flat(parsed) == [
        ("selftests: net: a.sh / one", PASS),
        ("selftests: net: a.sh / two", FAIL),
        ("selftests: net: a.sh", FAIL),
    ]
    assert parsed.results[0].reason == "says ok, but two below it failed"


def test_several_programs_one_after_the_other():
    parsed = read("TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..2\nok 1 b\nok 2 c")
    assert parsed.status is PASS
    assert not parsed.problems
    assert read("TAP version 13\n1..2\nok 1 a\nTAP version 13\n1..1\nok 1 b").status is FAIL


def test_parent_whose_children_did_not_all_report():
    parsed = read("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 parent")
    assert parsed.status is FAIL
    assert parsed.results[0].status is FAIL
    assert parsed.results[0].reason == "says ok, but 1 of 2 planned tests gave no result"


def test_cut_by_a_crash():
    parsed = read("""
KTAP version 1
1..2
    KTAP version 1
    # Subtest: alpha
    1..1
    ok 1 a
ok 1 alpha
    KTAP version 1
    # Subtest: beta
    1..3
    ok 1 b
        KTAP version 1
        # Subtest: deep
        ok 1 c
Kernel panic - not syncing: Fatal exception
""")
    assert parsed.in_flight == "beta / deep"
    assert parsed.status is FAIL
    assert flat(parsed)[2:] == [
        ("beta / b", PASS),
        ("beta / deep / c", PASS),
        ("beta / deep", MISSING),
        ("beta", MISSING),
    ]


def test_module_without_a_top_level_header():
    text = "    KTAP version 1\n    # Subtest: example\n    1..2\n    ok 1 a\n    ok 2 b\n"
    assert parse((text + "ok 1 example").splitlines()).in_flight == ""
    assert parse(text.splitlines()).in_flight == "example"


def test_lost_result_line_does_not_give_its_cases_to_the_next_suite():
    parsed = read("""
KTAP version 1
1..2
    KTAP version 1
    # Subtest: alpha
    ok 1 a
    KTAP version 1
    # Subtest: beta
    ok 1 b
ok 2 beta
""")
    assert parsed.status is FAIL
    assert flat(parsed) == [("alpha / a", PASS), ("alpha", MISSING), ("beta / b", PASS), ("beta", PASS)]


def test_reason_comes_from_the_diagnostics():
    parsed = read("""
KTAP version 1
1..1
    # Subtest: suite
    1..1
    # a: initializing
    # a: EXPECTATION FAILED at lib/a.c:30
    # a: a failed
    not ok 1 a
not ok 1 suite
""")
    assert parsed.failures[0].reason == "a: EXPECTATION FAILED at lib/a.c:30"


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(tally, "MAX_RESULTS", 10)
    monkeypatch.setattr(tally, "MAX_PROBLEMS", 5)
    parser = ktap.Parser()
    parser.feed("KTAP version 1")
    for number in range(1, 100):
        parser.feed(f"not ok 1 {number}{'x' * 10_000}")
        parser.feed("# " + "y" * 100_000)
    parsed = parser.finish()
    assert len(parsed.subtests) == 20
    assert parsed.dropped == 79
    assert len(parsed.faults) <= 5
    assert len(parsed.notes) <= 5
    assert max(len(subtest.name) for subtest in parsed.subtests) <= 240


def test_failures_past_the_limit_are_not_forgotten(monkeypatch):
    monkeypatch.setattr(tally, "MAX_RESULTS", 2)
    assert read("KTAP version 1\nok 1 a\nok 2 b\nnot ok 3 c").status is FAIL
    assert read("KTAP version 1\nok 1 a\nok 2 b\nok 3 c").status is PASS


def test_depth_is_bounded():
    parsed = parse([" " * depth + "ok 1 x" for depth in range(200)])
    assert "nested deeper" in parsed.notes[0]
