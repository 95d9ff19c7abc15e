"""A boot's kernel log, cut by KUnit suite."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.model import TestId
from kdevops.suites.kunit.log import divide

WARNING = "[    1.000000] WARNING: CPU: 0 PID: 1 at lib/foo.c:1 foo+0x1/0x2"
LOG = """\
[    0.000000] Linux version 6.1.0
[    0.400000] KTAP version 1
[    0.400000] 1..2
[    0.500000]     KTAP version 1
[    0.500000]     # Subtest: alpha
[    0.500000]     1..1
[    0.500000]     ok 1 a
[    0.600000] # alpha: pass:1 fail:0 skip:0 total:1
[    0.600000] ok 1 alpha
[    0.700000]     KTAP version 1
[    0.700000]     # Subtest: beta
[    0.700000]     1..2
{}
[    0.700000]     ok 1 b
[    0.700000]     ok 2 c
[    0.800000] ok 2 beta
[    0.900000] Run /init as init process
"""


def tid(name: str) -> TestId:
    return TestId("kunit", "default", name)


def owners(log: list[str], *names: str) -> dict[str, list[TestId | None]]:
    """By line, who it belongs to."""
    found: dict[str, list[TestId | None]] = {}
    for owner, lines in divide(log, [tid(name) for name in names]):
        for line in lines:
            found.setdefault(line, []).append(owner)
    return found


def test_a_report_belongs_to_the_suite_that_ran() -> None:
    found = owners(LOG.format(WARNING).splitlines(), "alpha", "beta")
    assert found[WARNING] == [tid("beta")]
    assert found["[    0.600000] ok 1 alpha"] == [tid("alpha")]
    assert found["[    0.000000] Linux version 6.1.0"] == [None]
    assert found["[    0.900000] Run /init as init process"] == [None]


def test_a_suite_that_nobody_planned_takes_its_reports_with_it() -> None:
    assert owners(LOG.format(WARNING).splitlines(), "alpha")[WARNING] == [None]


def test_the_end_of_a_log_belongs_to_the_suite_in_which_the_kernel_died() -> None:
    log = [*LOG.partition("{}")[0].splitlines(), WARNING]
    assert owners(log, "alpha", "beta")[WARNING] == [tid("beta")]


def test_reports_before_the_first_suite_are_the_boots() -> None:
    assert owners([WARNING, *LOG.format("").splitlines()], "alpha", "beta")[WARNING] == [None]


def test_without_kunit_all_is_the_boots() -> None:
    assert divide([WARNING], [tid("alpha")]) == [(None, [WARNING])]


@given(st.lists(st.sampled_from([*LOG.splitlines(), WARNING, "# Subtest: alpha", "ok 1 beta", ""])))
def test_no_line_is_lost_or_told_twice(log: list[str]) -> None:
    parts = divide(log, [tid("alpha"), tid("beta")])
    assert [line for _, lines in parts for line in lines] == log
