"""What holds of any KTAP log, whatever is in it: nothing hides a failure, and memory is bounded."""

from __future__ import annotations

import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.process import CUT
from kdevops.suites.ktap import parser as ktap
from kdevops.suites.ktap import tally
from kdevops.suites.ktap.parsed_log import Result
from kdevops.suites.ktap.parser import parse
from tests.suites.ktap.reading import FAIL, PASS, SKIP, read

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
    parsed = parse(prefix + line for line in render(results, 0, kselftest))
    assert shape(parsed.results) == shape(results)
    assert not parsed.problems
    assert parsed.in_flight == ""
    assert (parsed.status is FAIL) == any(result.status is FAIL for result in results)


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
    parsed = parse(lines[: data.draw(st.integers(2, len(lines) - 1))])
    assert parsed.status is FAIL


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
    parsed = parse(lines)
    assert parsed is None or parsed.status in {PASS, FAIL, SKIP}


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
    parsed = parse([*before, failure, *after])
    assert parsed.status is FAIL
    assert parsed.failures or parsed.faults


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
    parsed = parse([*deep, " " * 40 + "not ok 1 a", *above])
    assert parsed.status is FAIL
    assert parsed.faults == ("a, nested deeper than 16 levels, failed",)


def test_a_failure_that_was_not_kept_is_its_parents_failure(monkeypatch):
    monkeypatch.setattr(tally, "MAX_RESULTS", 2)
    cases = "\n".join(f"    {'not ' * (number == 9)}ok {number} {number}" for number in range(1, 10))
    full = "    KTAP version 1\n    # Subtest: r\n    1..4\n" + "".join(f"    not ok {n} {n}\n" for n in range(1, 5))
    parsed = read(
        f"KTAP version 1\n1..2\n{full}not ok 1 r\n    KTAP version 1\n    # Subtest: s\n    1..9\n{cases}\nok 2 s"
    )
    assert parsed.status is FAIL
    assert parsed.results[1].status is FAIL
    assert parsed.results[1].reason == "says ok, but 9 below it failed"
    assert parsed.dropped == 9


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (f"ok 1 {'x' * 20_000} # SKIP far", SKIP, "far"),
        (f"not ok 1 {'x' * 20_000} # TODO far", PASS, "expected failure: far"),
        (f"ok 1 {'x' * 20_000}{CUT}", FAIL, "its line was cut, so the end of its text is unknown"),
        (f"not ok 1 {'x' * 20_000}{CUT}", FAIL, ""),
    ],
)
def test_an_endless_line(line, status, reason):
    parsed = read(f"TAP version 13\n1..1\n{line}")
    assert parsed.status is status
    assert (parsed.results[0].status, parsed.results[0].reason) == (status, reason)


def test_no_summary_is_a_reason():
    parsed = read("KTAP version 1\n1..1\n# s: pass:0 fail:1 skip:0 total:1\nnot ok 1 s")
    assert parsed.results[0].reason == ""


@pytest.mark.parametrize("lines", [["ok done"], ["ok", "ok so far"], ["ok then", "# bye"]])
def test_a_script_that_is_content_has_no_ktap(lines):
    assert parse(lines) is None
