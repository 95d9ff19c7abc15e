"""Exit code and KTAP of a kselftest: agreement, disagreement, and the words for it."""

import pytest

from kdevops.guest.execute import Execution
from kdevops.results.model import Status
from kdevops.suites.shared.outcome import KSELFTEST, outcome

OK = ["TAP version 13", "1..1", "ok 1 a"]
BAD = ["TAP version 13", "1..2", "not ok 1 a", "not ok 2 b"]
SKIPPED = ["TAP version 13", "1..1", "ok 1 a # SKIP no device"]
SKIPPED_EARLY = ["TAP version 13", "1..5", "ok 1 # SKIP need root"]
UNTOLD = ["TAP version 13", "1..2", "ok 1 a", "# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0"]
TOTALS = "the top level: its totals count 1 failures, but no result tells of them"
SHORT = ["TAP version 13", "1..2", "ok 1 a"]


@pytest.mark.parametrize(
    ("code", "lines", "status", "reason"),
    [
        (0, [], Status.PASS, ""),
        (0, ["[FAIL] says a test that has no KTAP"], Status.PASS, ""),
        (0, OK, Status.PASS, ""),
        (0, BAD, Status.FAIL, "exit code 0, but its KTAP says: a failed, and 1 more"),
        (0, SHORT, Status.FAIL, "exit code 0, but its KTAP says: the top level: 1 of 2 planned tests gave no result"),
        (0, SKIPPED, Status.SKIP, "exit code 0, but nothing in it ran: no device"),
        (0, ["TAP version 13", "1..0"], Status.SKIP, "exit code 0, but nothing in it ran: no reason given"),
        (1, OK, Status.FAIL, "exit code 1, but its KTAP reports no failure"),
        (1, BAD, Status.FAIL, "a failed, and 1 more (exit code 1)"),
        (1, ["assertion failed", ""], Status.FAIL, "exit code 1: assertion failed"),
        (1, [], Status.FAIL, "exit code 1"),
        (4, [], Status.SKIP, "exit code 4"),
        (4, ["needs root"], Status.SKIP, "needs root"),
        (4, SKIPPED, Status.SKIP, "no device"),
        (4, SKIPPED_EARLY, Status.SKIP, "need root"),
        (4, BAD, Status.FAIL, "exit code 4 says skipped, but its KTAP says: a failed, and 1 more"),
        (4, UNTOLD, Status.FAIL, f"exit code 4 says skipped, but its KTAP says: {TOTALS}"),
        (0, ["not ok"], Status.FAIL, "exit code 0, but its KTAP says: 1 failed"),
        (0, ["ok done"], Status.PASS, ""),
        (0, ["Bail out! no memory"], Status.FAIL, "exit code 0, but its KTAP says: Bail out! no memory"),
        (126, [], Status.FAIL, "exit code 126: it could not be executed (no permission, or built for another machine)"),
        (139, OK, Status.FAIL, "killed by SIGSEGV, but its KTAP reports no failure"),
        (134, [], Status.FAIL, "killed by SIGABRT"),
        (250, [], Status.FAIL, "exit code 250"),
        (None, [], Status.HANG, "stopped after 3 s; the guest still answered"),
        (None, [*OK, "  # Subtest: b"], Status.HANG, "stopped after 3 s in b; the guest still answered"),
    ],
)
def test_outcome(code, lines, status, reason):
    ended = outcome(Execution(code, 3.0), lines)
    assert (ended.status, ended.reason) == (status, reason)
    assert ended.seconds == 3.0


def test_not_found_is_said_in_words():
    assert "was not found" in outcome(Execution(127, 0.1), []).reason


def test_codes_that_only_kselftest_knows_are_told_so_only_of_kselftest():
    """Of a script of the lab's own 0, 4 and anything else is all there is to say."""
    from kdevops.lab.model import Commands
    from kdevops.results.model import TestId
    from kdevops.suites.base import PlannedTest
    from kdevops.suites.commands import PreparedCommands

    test = PlannedTest(TestId("commands", "default", "bad"), 60)
    script = PreparedCommands(Commands(tests={"bad": "exit 3"}).tests, 60)
    assert script.reader(test).outcome(Execution(3, 0.1)).reason == "exit code 3"
    assert script.reader(test).outcome(Execution(127, 0.1)).reason.startswith("exit code 127: it, its interpreter")
    reader = script.reader(test)
    reader.feed("oh")
    assert reader.outcome(Execution(2, 0.1)).reason == "exit code 2: oh"
    assert outcome(Execution(3, 0.1), [], KSELFTEST).reason == "exit code 3 (an unexpected pass)"


def test_silent_guest():
    assert outcome(Execution(None, 9.0, silent=True), []).reason == "no answer from the guest after 9 s"


def test_subtests_are_kept():
    assert [subtest.name for subtest in outcome(Execution(0, 1.0), BAD).subtests] == ["a", "b"]
