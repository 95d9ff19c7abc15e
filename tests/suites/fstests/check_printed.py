"""What fstests' check printed, of several of its ages, and a reader of it."""

from __future__ import annotations

from collections.abc import Iterable

from kdevops.results.model import Status, TestId
from kdevops.suites.base import ParsedEnd, ParsedStart, PlannedTest
from kdevops.suites.fstests.check_output import CheckParser

PASS, FAIL, SKIP, MISSING = Status.PASS, Status.FAIL, Status.SKIP, Status.MISSING

HEADER = """\
SECTION       -- xfs_crc
RECREATING    -- xfs on /dev/vdb
FSTYP         -- xfs (debug)
PLATFORM      -- Linux/x86_64 xfs-1 6.1.0 #1 SMP PREEMPT_DYNAMIC Sat Nov 21 03:00:00 UTC 2026
MKFS_OPTIONS  -- -f -m crc=1 /dev/vdc
MOUNT_OPTIONS -- /dev/vdc /mnt/scratch

"""

TODAY = (
    HEADER
    + """\
generic/001   79s ...  80s
generic/002         7s
generic/003        [not run] atime related mount options have no effect on xfs
generic/004   2s ... [failed, exit status 1]- output mismatch (see /results/xfs_crc/generic/004.out.bad)
    --- tests/generic/004.out\t2026-11-20 10:00:00.000000000 +0000
    +++ /results/xfs_crc/generic/004.out.bad\t2026-11-21 10:00:00.000000000 +0000
    @@ -1,2 +1,3 @@
     QA output created by 004
    +generic/001        [not run] looks like a result
    +took 12s
    ...
    (Run 'diff -u /fstests/tests/generic/004.out /results/xfs_crc/generic/004.out.bad'  to see the entire diff)

HINT: You _MAY_ be missing kernel fix:
      123456789abc xfs: fix it

generic/005        _check_dmesg: something found in dmesg (see /results/xfs_crc/generic/005.dmesg)

generic/006        [expunged]
generic/007        _check_xfs_filesystem: filesystem on /dev/vdb is inconsistent (r)
(see /results/xfs_crc/generic/007.full for details)
Trying to repair broken TEST_DEV file system
_check_dmesg: something found in dmesg (see /results/xfs_crc/generic/007.dmesg)

generic/008        [dumped core]
generic/009        no qualified output
xfs/1001           0s
Ran: generic/001 generic/002 generic/003 generic/004 generic/005 generic/007 generic/008 generic/009 xfs/1001
Not run: generic/003
Failures: generic/004 generic/005 generic/007 generic/008 generic/009
Failed 5 of 9 tests
Xunit report: /results/xfs_crc/result.xml

SECTION       -- xfs_crc
=========================
Ran: generic/001
"""
)

TODAY_TOLD = [
    ("generic/001", PASS, 80, ""),
    ("generic/002", PASS, 7, ""),
    ("generic/003", SKIP, 0, "atime related mount options have no effect on xfs"),
    ("generic/004", FAIL, 0, "failed, exit status 1"),
    ("generic/005", FAIL, 0, "_check_dmesg: something found in dmesg"),
    ("generic/006", SKIP, 0, "expunged"),
    ("generic/007", FAIL, 0, "_check_xfs_filesystem: filesystem on /dev/vdb is inconsistent (r)"),
    ("generic/008", FAIL, 0, "dumped core"),
    ("generic/009", FAIL, 0, "no qualified output"),
    ("xfs/1001", PASS, 0, ""),
]

# Printed by fstests of December 2025 in a guest with Linux 6.1.192.
REAL = """\
generic/999 - unknown test, ignored
SECTION       -- xfs_crc
RECREATING    -- xfs on /dev/vdc
FSTYP         -- xfs (non-debug)
PLATFORM      -- Linux/x86_64 fshand-1 6.1.192 #1 SMP PREEMPT_DYNAMIC 1970-01-01 00:00:00 UTC
MKFS_OPTIONS  -- -f -f -m crc=1,reflink=0,rmapbt=0 -i sparse=0 /dev/vdd
MOUNT_OPTIONS -- /dev/vdd /mnt/scratch

generic/002         9s
generic/009         16s
generic/110        [not run] Reflink not supported by test filesystem type: xfs
xfs/008             8s
Ran: generic/002 generic/009 generic/110 xfs/008
Not run: generic/110
Passed all 4 tests
Xunit report: /opt/fstests/results/fshand-1/6.1.192/xfs_crc/result.xml

SECTION       -- xfs_crc
=========================
Ran: generic/002 generic/009 generic/110 xfs/008
Not run: generic/110
Passed all 4 tests


"""

# As trees before 2018 did: checks after the seconds, a tab for a test that never passed.
OLD = """\
FSTYP         -- xfs
generic/001 5s ... 5s
generic/002\t 1s
generic/003\t [not run] no such feature
generic/004 4s ... [failed, exit status 1] - output mismatch (see /r/generic/004.out.bad)
    --- tests/generic/004.out
    ...
generic/005 1s ... 2s
_check_xfs_filesystem: filesystem on /dev/vdb is inconsistent (c) (see /r/generic/005.full)
generic/006\t [dumped core] - output mismatch (see /r/generic/006.out.bad)
generic/007 3s ...ino168268480 fh-1: Truncate on released file
 4s
generic/008 2s ...fallocate: only mode 0 is supported
 [not run] xfs_io fpunch failed (old kernel/wrong fs?)
generic/009\t - no qualified output
Ran: generic/001
"""

TIMESTAMPS = """\
generic/001 5s ...  [10:00:00] [10:00:05] 4s
generic/002         [10:00:05] [10:00:06] [not run]
\tgeneric/002 -- this test requires a valid $SCRATCH_DEV
generic/003         [10:00:06] [10:00:08]- output mismatch (see /r/generic/003.out.bad)
generic/004         [10:00:08]/bin/foo: retried for 5s
 [10:00:09] 1s
Ran: generic/001
"""


def plan(*names: str) -> list[PlannedTest]:
    return [PlannedTest(TestId("fstests", "xfs_crc", name), None) for name in names]


def check_parser(*names: str) -> CheckParser:
    return CheckParser(plan(*names), clock=lambda: 0.0)


def ends(events: Iterable[ParsedStart | ParsedEnd]) -> list[tuple[str, Status, float, str]]:
    told = [event for event in events if isinstance(event, ParsedEnd)]
    return [(each.test.name, each.outcome.status, each.outcome.seconds, each.outcome.reason) for each in told]


def read(text: str, *names: str) -> list[tuple[str, Status, float, str]]:
    reader = check_parser(*(names or [f"generic/{number:03}" for number in range(1, 20)]), "xfs/1001")
    return ends([*reader.feed(text), *reader.close()])
