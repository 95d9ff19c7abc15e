"""KTAP: the shapes that logs have, and properties that no log may break."""

import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.process import CUT
from kdevops.results.model import Status
from kdevops.suites.ktap import parser as ktap
from kdevops.suites.ktap import tally
from kdevops.suites.ktap.account import Result
from kdevops.suites.ktap.parser import parse

PASS, FAIL, SKIP, MISSING = Status.PASS, Status.FAIL, Status.SKIP, Status.MISSING


def read(text):
    return parse(text.strip("\n").splitlines())


def flat(account):
    return [(subtest.name, subtest.status) for subtest in account.subtests]


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
    account = read(f"TAP version 13\n1..1\n{line}")
    result = account.results[0]
    assert (result.name, result.status, result.reason) == expected
    assert not account.problems
    assert account.status is expected[1]


def test_result_without_number_counts_on():
    account = read("TAP version 13\nok - a\nnot ok - b\nok 3 c")
    assert flat(account) == [("a", PASS), ("b", FAIL), ("c", PASS)]
    assert not account.problems


def test_results_without_any_header_count():
    assert flat(read("hello\nnot ok 1 a")) == [("a", FAIL)]


@pytest.mark.parametrize("plan_first", [True, False])
def test_plan_before_or_after(plan_first):
    results = "ok 1 a\nok 2 b"
    account = read(f"KTAP version 1\n1..2\n{results}" if plan_first else f"KTAP version 1\n{results}\n1..2")
    assert account.status is PASS
    assert not account.problems


def test_planned_tests_without_result_are_a_failure():
    account = read("KTAP version 1\n1..3\nok 1 a\nok 2 b")
    assert account.status is FAIL
    assert account.faults == ("the top level: 1 of 3 planned tests gave no result",)
    assert not account.failures


def test_more_results_than_planned_are_noted():
    account = read("KTAP version 1\n1..1\nok 1 a\nok 2 b")
    assert account.status is PASS
    assert account.notes == ("the top level: 2 results where 1 were planned",)


def test_line_printed_twice_by_a_fork_counts_once():
    account = read("TAP version 13\n1..2\nok 1 a\nok 1 a\nok 2 b")
    assert flat(account) == [("a", PASS), ("b", PASS)]
    assert account.notes == ("the top level: the line of number 1 came twice",)
    assert read("TAP version 13\n1..2\nok 1 a\nok 1 a").status is FAIL


TOTALS = "# Totals: pass:{} fail:{} xfail:0 xpass:0 skip:0 error:0"


def test_totals_account_for_tests_without_result_lines():
    account = read("TAP version 13\n1..3\nPASS: as expected\n" + TOTALS.format(3, 0))
    assert account.status is PASS
    assert account.notes == ("the top level: 3 tests stand in its totals, but gave no result",)
    assert read("TAP version 13\n1..3\n" + TOTALS.format(2, 0)).status is FAIL


def test_failures_that_only_the_totals_tell_are_failures():
    account = read("TAP version 13\n1..3\n" + TOTALS.format(2, 1))
    assert account.status is FAIL
    assert account.faults == ("the top level: its totals count 1 failures, but no result tells of them",)
    assert not read("TAP version 13\n1..1\nnot ok 1 a\n" + TOTALS.format(0, 1)).faults


@pytest.mark.parametrize("between", ["", "TAP version 13\n", "TAP version 13\n1..2\n"])
def test_the_totals_of_the_next_program_do_not_undo_failures_that_only_totals_tell(between: str):
    account = read(f"TAP version 13\n{TOTALS.format(2, 1)}\n{between}{TOTALS.format(2, 0)}")
    assert account.status is FAIL
    assert set(account.faults) == {"the top level: its totals count 1 failures, but no result tells of them"}


def test_number_left_out_is_a_missing_test():
    account = read("KTAP version 1\nok 1 a\nok 3 c")
    assert account.status is FAIL
    assert account.faults == ("the top level: 1 of 3 planned tests gave no result",)
    assert account.notes == ("the top level: number 3 follows 1",)


def test_duplicate_number_is_noted():
    account = read("KTAP version 1\n1..2\nok 1 a\nok 1 b")
    assert account.status is PASS
    assert account.notes == ("the top level: number 1 came again or too late",)


def test_bail_out_is_a_failure():
    account = read("TAP version 13\n1..1\nok 1 a\nBail out! no memory")
    assert account.status is FAIL
    assert account.faults == ("Bail out! no memory",)


def test_nothing_planned_is_a_skip():
    account = read("TAP version 13\n1..0 # SKIP needs root")
    assert account.status is SKIP
    assert account.skip_reason == "needs root"


def test_header_alone_is_a_failure():
    assert read("TAP version 13").status is FAIL


def test_unknown_version_is_noted():
    account = read("KTAP version 7\nok 1 a")
    assert account.status is PASS
    assert account.notes == ("unknown version: KTAP version 7",)


def test_nesting_by_indentation():
    account = read("""
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
    assert flat(account) == [
        ("example_test_1 / test_3 / test_1", FAIL),
        ("example_test_1 / test_3 / test_2", PASS),
        ("example_test_1 / test_3", FAIL),
        ("example_test_1 / test_4", SKIP),
        ("example_test_1", FAIL),
        ("example_test_2", PASS),
    ]
    assert [failure.name for failure in account.failures] == ["example_test_1 / test_3 / test_1"]
    assert not account.problems


def test_nesting_by_kselftest_prefix():
    account = read("""
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
    assert flat(account) == [
        ("selftests: net: a.sh / one", PASS),
        ("selftests: net: a.sh / two", FAIL),
        ("selftests: net: a.sh", FAIL),
    ]
    assert account.results[0].reason == "says ok, but two below it failed"


def test_several_programs_one_after_the_other():
    account = read("TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..2\nok 1 b\nok 2 c")
    assert account.status is PASS
    assert not account.problems
    assert read("TAP version 13\n1..2\nok 1 a\nTAP version 13\n1..1\nok 1 b").status is FAIL


def test_parent_whose_children_did_not_all_report():
    account = read("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 parent")
    assert account.status is FAIL
    assert account.results[0].status is FAIL
    assert account.results[0].reason == "says ok, but 1 of 2 planned tests gave no result"


def test_cut_by_a_crash():
    account = read("""
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
    assert account.in_flight == "beta / deep"
    assert account.status is FAIL
    assert flat(account)[2:] == [
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
    account = read("""
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
    assert account.status is FAIL
    assert flat(account) == [("alpha / a", PASS), ("alpha", MISSING), ("beta / b", PASS), ("beta", PASS)]


def test_reason_comes_from_the_diagnostics():
    account = read("""
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
    assert account.failures[0].reason == "a: EXPECTATION FAILED at lib/a.c:30"


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(tally, "MAX_RESULTS", 10)
    monkeypatch.setattr(tally, "MAX_PROBLEMS", 5)
    parser = ktap.Parser()
    parser.feed("KTAP version 1")
    for number in range(1, 100):
        parser.feed(f"not ok 1 {number}{'x' * 10_000}")
        parser.feed("# " + "y" * 100_000)
    account = parser.finish()
    assert len(account.subtests) == 10
    assert account.dropped == 89
    assert len(account.faults) <= 5
    assert len(account.notes) <= 5
    assert max(len(subtest.name) for subtest in account.subtests) <= 240


def test_failures_past_the_limit_are_not_forgotten(monkeypatch):
    monkeypatch.setattr(tally, "MAX_RESULTS", 2)
    assert read("KTAP version 1\nok 1 a\nok 2 b\nnot ok 3 c").status is FAIL
    assert read("KTAP version 1\nok 1 a\nok 2 b\nok 3 c").status is PASS


def test_depth_is_bounded():
    account = parse([" " * depth + "ok 1 x" for depth in range(200)])
    assert "nested deeper" in account.notes[0]


# Generated KTAP.

NAMES = st.text(string.ascii_letters + string.digits + "_-:. ", min_size=1, max_size=12).map(
    lambda text: "t" + text.strip() + "t"
)
LEAVES = st.builds(Result, NAMES, st.sampled_from([PASS, FAIL, SKIP]))


def _parent(name, children):
    bad = any(child.status is FAIL for child in children)
    return Result(name, FAIL if bad else PASS, "", tuple(children))


TREES = st.recursive(
    LEAVES, lambda inner: st.builds(_parent, NAMES, st.lists(inner, min_size=1, max_size=4)), max_leaves=12
)
NOISE = st.sampled_from(
    [
        "",
        "random: crng init done",
        "    indented kernel message",
        "BUG: KASAN: slab-out-of-bounds in foo+0x1/0x2",
        "\tNot ok, says a person",
        "okay 1",
        "1.2.3",
        "\x00\x1b[31m\x07",
        "TAP is a protocol",
    ]
)
PREFIXES = st.sampled_from(["", "[    0.060000] ", "<6>[   12.345678] ", "[    0.060000][    T1] ", "[  3.5][ C12] "])


def render(results, depth, kselftest=False):
    """A log of these results as KUnit (indentation) or kselftest's runner (`# `) would write it."""
    indent = ("# " if kselftest else "    ") * depth
    yield f"{indent}{'TAP version 13' if kselftest else 'KTAP version 1'}"
    yield f"{indent}1..{len(results)}"
    for number, result in enumerate(results, 1):
        if result.children:
            yield from render(result.children, depth + 1, kselftest)
        word = "not ok" if result.status is FAIL else "ok"
        yield f"{indent}{word} {number} {result.name}{' # SKIP' if result.status is SKIP else ''}"


def shape(results):
    return [(result.name, result.status, shape(result.children)) for result in results]


@given(st.lists(TREES, min_size=1, max_size=4), PREFIXES, st.booleans())
def test_what_was_written_is_read(results, prefix, kselftest):
    account = parse(prefix + line for line in render(results, 0, kselftest))
    assert shape(account.results) == shape(results)
    assert not account.problems
    assert account.in_flight == ""
    assert (account.status is FAIL) == any(result.status is FAIL for result in results)


@given(st.lists(TREES, min_size=1, max_size=4), st.data())
def test_noise_changes_nothing(results, data):
    lines = list(render(results, 0))
    noisy = list(lines)
    for place in data.draw(st.lists(st.integers(0, len(lines)), max_size=10)):
        noisy.insert(place, data.draw(NOISE))
    assert parse(noisy) == parse(lines)


@given(st.lists(TREES, min_size=1, max_size=4), st.data())
def test_a_cut_log_is_never_green(results, data):
    lines = list(render(results, 0))
    account = parse(lines[: data.draw(st.integers(2, len(lines) - 1))])
    assert account.status is FAIL


FRAGMENTS = st.sampled_from(
    [
        "ok",
        "not ok",
        " ",
        "\t",
        "# ",
        "#",
        "1..",
        "KTAP version ",
        "TAP version ",
        "Subtest: ",
        "SKIP",
        "-",
        "Bail out!",
    ]
)
LINES = st.lists(st.one_of(FRAGMENTS, st.integers(0, 10**12).map(str), st.text(max_size=5)), max_size=8).map("".join)


@given(st.lists(st.one_of(LINES, st.text(max_size=30)), max_size=40))
def test_never_raises(lines):
    account = parse(lines)
    assert account is None or account.status in {PASS, FAIL, SKIP}


CHATTER = st.lists(st.one_of(LINES, NOISE, PREFIXES, st.text(max_size=30)), max_size=12)
REAL_FAILURES = st.builds(
    "{}not ok{}{}{}".format,
    st.integers(0, 12).map(lambda column: " " * column),
    st.sampled_from(["", " 1", " 2", " 17", " 99999999999"]),
    st.sampled_from(["", " a", " - a", " a # exit=1", " # error x", r" a \# SKIP", " a # skip:0", " a {"]),
    st.sampled_from(["", "\n", "\r\n"]),
)


@given(CHATTER, REAL_FAILURES, CHATTER)
def test_no_line_hides_a_failure(before, failure, after):
    account = parse([*before, failure, *after])
    assert account.status is FAIL
    assert account.failures or account.faults


@given(st.lists(TREES, min_size=1, max_size=4), st.data())
def test_no_line_hides_a_failure_in_a_whole_log(results, data):
    lines = list(render(results, 0))
    place = data.draw(st.integers(0, len(lines)))
    assert parse([*lines[:place], data.draw(REAL_FAILURES), *lines[place:]]).status is FAIL


@given(st.lists(TREES, min_size=1, max_size=4), st.data())
def test_a_result_that_is_taken_out_is_never_green(results, data):
    """Whatever result line gets lost, at whatever depth: its parent's plan tells."""
    lines = list(render(results, 0))
    places = [place for place, line in enumerate(lines) if "ok " in line]
    place = data.draw(st.sampled_from(places))
    assert parse(lines[:place] + lines[place + 1 :]).status is FAIL


def test_memory_is_bounded_whatever_comes(monkeypatch):
    monkeypatch.setattr(tally, "MAX_RESULTS", 100)
    kinds = [
        "not ok {0} {1}",
        "ok {0} {1}",
        "ok {1}",
        "# {1}",
        "    ok {0} {1} {{",
        "{1}",
        "1..{0}",
        "# Subtest: {0}{1}",
    ]
    kinds += [
        "TAP version 13",
        "\t" * 40 + "not ok {0}",
        "  ---",
        "# selftests: {0}{1}",
        "# # ok {0}",
        "Bail out! {0}{1}",
    ]
    parser = ktap.Parser()
    tracemalloc.start()
    for number in range(20_000):
        parser.feed(kinds[number % len(kinds)].format(number, "x" * 5000))
    assert parser.finish().status is FAIL
    assert tracemalloc.get_traced_memory()[1] < 3 << 20
    tracemalloc.stop()


def test_a_failure_deeper_than_we_look_is_a_failure():
    deep = [" " * depth + "TAP version 13" for depth in range(ktap.MAX_DEPTH)]
    above = [" " * depth + "ok 1 parent" for depth in reversed(range(ktap.MAX_DEPTH))]
    assert parse([*deep, " " * 40 + "ok 1 a", *above]).status is not FAIL
    account = parse([*deep, " " * 40 + "not ok 1 a", *above])
    assert account.status is FAIL
    assert account.faults == ("a, nested deeper than 16 levels, failed",)


def test_a_failure_that_was_not_kept_is_its_parents_failure(monkeypatch):
    monkeypatch.setattr(tally, "MAX_RESULTS", 2)
    cases = "\n".join(f"    {'not ' * (number == 9)}ok {number} {number}" for number in range(1, 10))
    account = read(f"KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: s\n    1..9\n{cases}\nok 1 s")
    assert account.status is FAIL
    assert account.results[0].status is FAIL
    assert account.results[0].reason == "says ok, but 9 below it failed"
    assert account.dropped == 7


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (f"ok 1 {'x' * 20_000} # SKIP far", SKIP, "far"),
        (f"not ok 1 {'x' * 20_000} # TODO far", PASS, "expected failure: far"),
        (f"ok 1 {'x' * 20_000}{CUT}", FAIL, "its line was cut, and what it says at its end is unknown"),
        (f"not ok 1 {'x' * 20_000}{CUT}", FAIL, ""),
    ],
)
def test_an_endless_line(line, status, reason):
    account = read(f"TAP version 13\n1..1\n{line}")
    assert account.status is status
    assert (account.results[0].status, account.results[0].reason) == (status, reason)


def test_no_summary_is_a_reason():
    account = read("KTAP version 1\n1..1\n# s: pass:0 fail:1 skip:0 total:1\nnot ok 1 s")
    assert account.results[0].reason == ""


@pytest.mark.parametrize("lines", [["ok done"], ["ok", "ok so far"], ["ok then", "# bye"]])
def test_a_script_that_is_content_has_no_ktap(lines):
    assert parse(lines) is None
