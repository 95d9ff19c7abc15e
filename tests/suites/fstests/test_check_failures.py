"""What `check` prints about a failed test, as subtests that say how it failed."""

from __future__ import annotations

import re

import pytest

from kdevops.results.model import Outcome, Status, Subtest, TestId
from kdevops.results.symptoms import symptoms
from kdevops.suites.base import ParsedEnd, PlannedTest
from kdevops.suites.fstests.check_output import CheckParser
from tests.suites.fstests.check_printed import TODAY

DIFF = """\
    --- tests/generic/004.out\t2026-11-20 10:00:00.000000000 +0000
    +++ /results/xfs_crc/generic/004.out.bad\t2026-11-21 10:00:00.000000000 +0000
    @@ -1,2 +1,3 @@
     QA output created by 004

    +cp: cannot create '/mnt/scratch/a.{number}': {error}
    ...
    (Run 'diff -u a b'  to see the entire diff)
"""
MISMATCH = "- output mismatch (see /results/generic/004.out.bad)\n"
FULL = "No space left on device"


def tid(name: str) -> TestId:
    return TestId("fstests", "xfs_crc", name)


def outcomes(text: str, *names: str) -> dict[str, Outcome]:
    parser = CheckParser([PlannedTest(tid(name), 60) for name in names])
    events = [*parser.feed(text), *parser.close()]
    return {event.test.name: event.outcome for event in events if isinstance(event, ParsedEnd)}


def one(text: str, *, more: str = "generic/999        1s\n") -> Outcome:
    return outcomes(f"generic/004 2s ... {text}{more}", "generic/004")["generic/004"]


def how(text: str) -> set[str]:
    return set(symptoms(tid("generic/004"), one(text)))


def test_another_difference_is_another_failure() -> None:
    known = how(MISMATCH + DIFF.format(number=17, error=FULL))
    assert len(known) == 1
    assert all(re.fullmatch("output:[0-9a-f]{8}", each) for each in known)
    assert how(MISMATCH + DIFF.format(number=4711, error=FULL)) == known
    assert how(MISMATCH + DIFF.format(number=17, error="Structure needs cleaning")).isdisjoint(known)
    assert how(f"[failed, exit status 1]{MISMATCH}" + DIFF.format(number=17, error=FULL)) == known


def test_the_subtest_shows_the_first_line_that_differs() -> None:
    (subtest,) = one(MISMATCH + DIFF.format(number=17, error=FULL)).subtests
    assert (subtest.status, subtest.reason) == (Status.FAIL, f"+cp: cannot create '/mnt/scratch/a.17': {FULL}")


INCONSISTENT = "_check_xfs_filesystem: filesystem on /dev/vdb is inconsistent (r)\n(see /r/004.full for details)\n"
DMESG = "_check_dmesg: something found in dmesg (see /r/004.dmesg)\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[failed, exit status 1]\n", {"sub:failed, exit status 1"}),
        ("[dumped core]\n", {"sub:dumped core"}),
        ("no qualified output\n", {"sub:no qualified output"}),
        (DMESG, {"sub:_check_dmesg: something found in dmesg"}),
        (
            INCONSISTENT + DMESG,
            {
                "sub:_check_xfs_filesystem: filesystem on PATH is inconsistent (r)",
                "sub:_check_dmesg: something found in dmesg",
            },
        ),
        ("[failed, exit status 1]- output mismatch (see x)\n    ...\n", {"sub:output mismatch"}),
    ],
)
def test_each_kind_of_failure_has_a_name(text: str, expected: set[str]) -> None:
    assert how(text) == expected


def test_a_check_after_the_difference_is_a_failure_of_its_own_and_a_line_that_differs_is_not() -> None:
    diff = DIFF.format(number=1, error="_check_dmesg: something found in dmesg")
    assert len(how(MISMATCH + diff)) == 1
    assert len(how(f"{MISMATCH}{diff}_check_dmesg: something found in dmesg (see x)\n")) == 2


def test_of_a_difference_that_was_cut_short_nothing_is_said() -> None:
    cut = MISMATCH + DIFF.format(number=1, error=FULL).partition("    ...")[0]
    alone = one(cut, more="")
    assert (alone.status, alone.reason, alone.subtests) == (Status.FAIL, "output mismatch", ())
    assert one(cut).subtests  # check went on with the next test


def test_what_did_not_fail_has_no_subtests() -> None:
    ends = outcomes(TODAY, *(f"generic/00{number}" for number in range(1, 10)))
    assert {name for name, outcome in ends.items() if outcome.subtests} == {
        name for name, outcome in ends.items() if outcome.status is Status.FAIL
    }
    assert ends["generic/007"].subtests == (
        Subtest("_check_xfs_filesystem: filesystem on PATH is inconsistent (r)", Status.FAIL),
        Subtest("_check_dmesg: something found in dmesg", Status.FAIL),
    )
