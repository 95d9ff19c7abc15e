"""A run with one test of every kind, for the tests of every report."""

from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.entry import Entry, Table
from kdevops.results.model import Counts, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.store import Run
from kdevops.results.verdict import RunVerdict, judge_run
from tests.support.decided import regressed

S = Status
RUN = Run(12, "demo", RunState.INCOMPLETE, "2026-11-21T08:00:00.000+00:00", "2026-11-21T08:10:00.000+00:00", {})


def tid(name: str, suite: str = "selftests") -> TestId:
    return TestId(suite, "default", name)


KNOWN = {
    "futex:run.sh": Entry(Counts({S.PASS: 12}), 1.4, "https://bugzilla.kernel.org/show_bug.cgi?id=1"),
    "mqueue:open": Entry(Counts({S.PASS: 12, S.FAIL: 4})),
    "sync:sync_test": Entry(Counts({S.FAIL: 3})),
    "timers:posix": Entry(Counts({S.FAIL: 3})),
    "sync:skips": Entry(Counts({S.PASS: 3})),
    "zram:zram.sh": Entry(Counts({S.SKIP: 3})),
    "size:get_size": Entry(Counts({S.PASS: 9})),
    "splice:short": Entry(Counts({S.PASS: 9})),
}
OUTCOMES = {
    tid("futex:run.sh"): Outcome(
        S.CRASH,
        3.21,
        "Kernel panic - not syncing: sysrq triggered crash",
        oops="BUG: kernel NULL pointer dereference, address: 0000000000000008\n#PF: supervisor read access\n",
        output="selftests/default/futex:run.sh.log",
        guest="demo-1",
    ),
    tid("mqueue:open"): Outcome(S.FAIL, 1.0, "exit code 1", guest="demo-2", output="selftests/default/mqueue:open.log"),
    tid("sync:sync_test"): Outcome(S.FAIL, 2.0, "exit code 1"),
    tid("timers:posix"): Outcome(S.PASS, 2.0),
    tid("sync:skips"): Outcome(S.SKIP, reason="CONFIG_SYNC is not set"),
    tid("zram:zram.sh"): Outcome(S.SKIP, reason="no zram device"),
    tid("size:get_size"): Outcome(S.PASS, 0.5, oops="WARNING: CPU: 0 PID: 12 at fs/inode.c:12\n"),
    tid("new:hangs"): Outcome(S.HANG, 600.0, "the guest stopped answering [/red]\x1b[2J", guest="demo-1"),
    tid("new:passes"): Outcome(S.PASS, 0.5),
    tid("example", "kunit"): Outcome(
        S.FAIL, 0.1, "1 of 2 cases failed", (Subtest("simple", S.PASS), Subtest("mark # SKIP", S.FAIL, "4 != 5"))
    ),
}
PLANNED = [*OUTCOMES, tid("splice:short")]
BASELINE = Baseline("6.6", {("selftests", "default"): Table("6.1", KNOWN)})


def verdict() -> RunVerdict:
    return judge_run(PLANNED, OUTCOMES, BASELINE, decisions=regressed(tid("futex:run.sh")))
