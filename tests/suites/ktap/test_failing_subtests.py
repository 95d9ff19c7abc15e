"""Every kind of subtest reaches the outcome of its test, so that another one that fails is another failure."""

from __future__ import annotations

import pytest

from kdevops.guest.execute import Execution
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.symptoms import symptoms
from kdevops.suites.ktap.tally import MAX_RESULTS
from kdevops.suites.kunit.results import outcome_from_debugfs, outcomes_from_console
from kdevops.suites.shared.outcome import KSELFTEST, outcome

TEST = TestId("selftests", "default", "toy:toy.sh")
SUITE = TestId("kunit", "default", "example")

KTAP = """\
TAP version 13
1..3
ok 1 alpha
{result} 2 beta
ok 3 gamma # SKIP no device
"""
HARNESS = """\
TAP version 13
1..3
# Starting 3 tests from 2 test cases.
#  RUN           global.alpha ...
#            OK  global.alpha
ok 1 global.alpha
#  RUN           fixture.variant.beta ...
# toy.c:10:beta:Expected 1 (1) == 2 (2)
# beta: Test terminated by assertion
#          FAIL  fixture.variant.beta
{result} 2 fixture.variant.beta
#  RUN           fixture.variant.gamma ...
#      SKIP      no device
ok 3 fixture.variant.gamma # SKIP no device
# FAILED: 2 / 3 tests passed.
# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:0
"""
SCRIPT = """\
TAP version 13
1..2
# selftests: toy: inner
# TAP version 13
# 1..2
# ok 1 alpha
# {result} 2 beta
{result} 1 selftests: toy: inner # exit=1
ok 2 selftests: toy: other
"""
PROGRAMS = """\
TAP version 13
1..1
ok 1 alpha
TAP version 13
1..2
{result} 1 beta
ok 2 gamma
"""
NESTED = """\
KTAP version 1
1..1
  KTAP version 1
  1..2
    KTAP version 1
    1..2
    ok 1 alpha
    {result} 2 beta
  {result} 1 middle
  ok 2 other
{result} 1 outer
"""


@pytest.mark.parametrize(
    ("log", "name"),
    [
        (KTAP, "beta"),
        (HARNESS, "fixture.variant.beta"),
        (SCRIPT, "selftests: toy: inner / beta"),
        (PROGRAMS, "beta"),
        (NESTED, "outer / middle / beta"),
    ],
    ids=["ktap", "harness", "runner", "programs", "nested"],
)
def test_a_subtest_of_a_kselftest(log: str, name: str) -> None:
    found = outcome(Execution(1, 1.0), log.format(result="not ok").splitlines(), KSELFTEST)
    assert found.status is Status.FAIL
    assert symptoms(TEST, found) == {f"sub:{name}"}
    assert name in {each.name for each in found.subtests}


CASES = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: example
    # module: kunit_example_test
    1..3
    ok 1 alpha
    # beta: EXPECTATION FAILED at lib/kunit/kunit-example-test.c:29
    Expected 1 + 1 == 3, but
    {result} 2 beta
    ok 3 gamma # SKIP not here
# example: pass:1 fail:1 skip:1 total:3
# Totals: pass:1 fail:1 skip:1 total:3
{result} 1 example
"""
PARAMETERS = """\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: example
    1..2
        KTAP version 1
        # Subtest: beta
        ok 1 example value 3
        {result} 2 example value 2
    # beta: pass:1 fail:1 skip:0 total:2
    {result} 1 beta
    ok 2 gamma
{result} 1 example
"""
PARAMETERS_OF_6_1 = """\
TAP version 14
1..1
    # Subtest: example
    1..2
        # Subtest: beta
        ok 1 - example value 3
        {result} 2 - example value 2
    {result} 1 - beta
    ok 2 - gamma
{result} 1 - example
"""


@pytest.mark.parametrize("stamp", ["", "[    1.234567] "])
@pytest.mark.parametrize(
    ("log", "name"),
    [(CASES, "beta"), (PARAMETERS, "beta / example value 2"), (PARAMETERS_OF_6_1, "beta / example value 2")],
    ids=["case", "parameter", "parameter of 6.1"],
)
def test_a_case_or_parameter_of_a_kunit_suite(log: str, name: str, stamp: str) -> None:
    lines = [f"{stamp}{line}" for line in log.format(result="not ok").splitlines()]
    found = outcomes_from_console(lines, [SUITE]).outcomes[SUITE]
    assert symptoms(SUITE, found) == {f"sub:{name}"}
    in_debugfs = outcome_from_debugfs("\n".join(line.removeprefix(stamp) for line in lines), "example")
    assert in_debugfs is not None
    assert symptoms(SUITE, in_debugfs) == {f"sub:{name}"}


def test_a_suite_that_fails_by_itself_has_no_subtest_to_blame() -> None:
    log = CASES.format(result="ok").replace("ok 1 example", "not ok 1 example")
    found = outcomes_from_console(log.splitlines(), [SUITE]).outcomes[SUITE]
    assert symptoms(SUITE, found) == {"fail"}


def test_a_kernel_that_dies_in_a_suite_keeps_what_failed_before() -> None:
    log = CASES.format(result="not ok").splitlines()[:-4]
    found: Outcome = outcomes_from_console(log, [SUITE]).outcomes[SUITE]
    assert found.status is Status.CRASH
    assert symptoms(SUITE, found) == {"crash", "sub:beta"}


def test_failures_are_kept_after_more_results_than_there_is_room_for() -> None:
    number = MAX_RESULTS + 10
    passes = (f"ok {each} case {each}" for each in range(1, number))
    lines = ["TAP version 13", f"1..{number}", *passes, f"not ok {number} beta"]
    found = outcome(Execution(1, 1.0), lines, KSELFTEST)
    assert symptoms(TEST, found) == {"sub:beta"}
    assert found.subtests_cut == 9
