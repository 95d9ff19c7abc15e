"""What fstests' check prints, of several of its ages, and properties that no text may break."""

import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.text import clean
from kdevops.suites.base import Began, PlannedTest, Told
from kdevops.suites.fstests import check_output
from kdevops.suites.fstests.check_output import CheckAccount

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


def account(*names: str) -> CheckAccount:
    return CheckAccount(plan(*names), clock=lambda: 0.0)


def ends(events) -> list[tuple[str, Status, float, str]]:
    told = [event for event in events if isinstance(event, Told)]
    return [(each.test.name, each.outcome.status, each.outcome.seconds, each.outcome.reason) for each in told]


def read(text: str, *names: str) -> list[tuple[str, Status, float, str]]:
    reader = account(*(names or [f"generic/{number:03}" for number in range(1, 20)]), "xfs/1001")
    return ends([*reader.feed(text), *reader.close()])


def test_today() -> None:
    assert read(TODAY) == TODAY_TOLD


def test_what_is_printed_of_a_test_is_kept_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def text() -> str:
        (told,) = [event for event in account("generic/004").feed(TODAY) if isinstance(event, Told)]
        return told.text

    shown = text()
    assert shown.startswith("generic/004   2s ... [failed, exit status 1]- output mismatch (see ")
    assert shown.endswith("\n      123456789abc xfs: fix it\n\n")
    monkeypatch.setattr(check_output, "MAX_TEXT", 200)
    assert shown.startswith(text().partition("\n")[0])
    assert len(text()) <= 200


def test_the_real_one() -> None:
    reader = account("generic/002", "generic/009", "generic/110", "xfs/008", "generic/999")
    assert ends([*reader.feed(REAL), *reader.close()]) == [
        ("generic/999", MISSING, 0, "check: unknown test, ignored"),
        ("generic/002", PASS, 9, ""),
        ("generic/009", PASS, 16, ""),
        ("generic/110", SKIP, 0, "Reflink not supported by test filesystem type: xfs"),
        ("xfs/008", PASS, 8, ""),
    ]
    assert reader.complaint == ""


def test_crlf_and_control_characters() -> None:
    assert read(TODAY.replace("\n", "\r\n")) == TODAY_TOLD
    assert read(TODAY.replace("generic/0", "\x1b[1mgeneric/0\x1b[0m\x07")[:60]) == []
    assert read("generic/001 1s ... \x1b[32m 5s\x1b[0m\ngeneric/002        [not run] \x1b]0;x\x07no\x00pe\n") == [
        ("generic/001", PASS, 5, ""),
        ("generic/002", SKIP, 0, "nope"),
    ]


def test_every_test_begins_before_it_ends() -> None:
    reader = account("generic/001", "generic/002")
    one, two = (test.id for test in plan("generic/001", "generic/002"))
    assert reader.feed(HEADER + "generic/0") == []
    assert reader.feed("01 79s") == []
    assert reader.feed(" ... ") == [Began(one)]
    assert reader.feed(" 80") == []
    assert reader.feed("s\n") == []
    assert reader.feed("generic/002  ") == [Told(one, Outcome(PASS, 80.0), "generic/001 79s ...  80s\n"), Began(two)]
    assert ends(reader.feed("      7s\nRan: generic/001 generic/002\n")) == [("generic/002", PASS, 7, "")]
    assert reader.close() == []


def test_old_trees() -> None:
    assert read(OLD) == [
        ("generic/001", PASS, 5, ""),
        ("generic/002", PASS, 1, ""),
        ("generic/003", SKIP, 0, "no such feature"),
        ("generic/004", FAIL, 0, "failed, exit status 1"),
        ("generic/005", FAIL, 0, "_check_xfs_filesystem: filesystem on /dev/vdb is inconsistent (c)"),
        ("generic/006", FAIL, 0, "dumped core"),
        ("generic/007", PASS, 4, ""),
        ("generic/008", SKIP, 0, "xfs_io fpunch failed (old kernel/wrong fs?)"),
        ("generic/009", FAIL, 0, "no qualified output"),
    ]


def test_timestamps() -> None:
    assert read(TIMESTAMPS) == [
        ("generic/001", PASS, 4, ""),
        ("generic/002", SKIP, 0, "this test requires a valid $SCRATCH_DEV"),
        ("generic/003", FAIL, 0, "output mismatch"),
        ("generic/004", PASS, 1, ""),
    ]


def test_noise_without_an_end_of_line_is_seen_through_once_check_has_gone_on() -> None:
    assert read("generic/001 4s ... noise 5s\ngeneric/002  ") == [("generic/001", PASS, 5, "")]
    assert read("generic/001 4s ... for 5s\n[failed, exit status 1]\nRan:") == [
        ("generic/001", FAIL, 0, "failed, exit status 1")
    ]


def test_a_core_of_a_test_that_did_not_run_is_a_skip_as_check_counts_it() -> None:
    assert read("generic/001        [dumped core][not run] no\n") == [("generic/001", SKIP, 0, "no")]


def test_seconds_of_a_failure_are_ours() -> None:
    ticks = itertools.count(100.0, 5.0)
    reader = CheckAccount(plan("generic/001"), clock=lambda: next(ticks))
    reader.feed("generic/001  ")
    assert ends(reader.feed("- output mismatch (see x)\nRan: generic/001\n")) == [
        ("generic/001", FAIL, 5, "output mismatch")
    ]


def test_repetitions_are_told_in_order() -> None:
    text = "generic/001        1s\ngeneric/001 1s ... - output mismatch (see x)\ngeneric/001 1s ...  3s\n"
    names = ("generic/001", "generic/001#2", "generic/001#3")
    assert read(text * 2, *names) == [
        ("generic/001", PASS, 1, ""),
        ("generic/001#2", FAIL, 0, "output mismatch"),
        ("generic/001#3", PASS, 3, ""),
    ]


def test_a_rerun_loop_keeps_the_first_end() -> None:
    text = (
        "generic/001        - output mismatch (see x)\n    ...\ngeneric/001         1s\n"
        "generic/001 aggregate results across 2 runs: fail=1 (50.0%), pass=1 (50.0%)\ngeneric/002         1s\n"
    )
    assert read(text) == [("generic/001", FAIL, 0, "output mismatch"), ("generic/002", PASS, 1, "")]


def test_a_refused_test_is_missing_with_the_reason() -> None:
    text = "generic/999 - unknown test, ignored\n" + HEADER + "generic/001         1s\ngeneric/003  - no such test?\n"
    assert read(text, "generic/001", "generic/999", "generic/003") == [
        ("generic/999", MISSING, 0, "check: unknown test, ignored"),
        ("generic/001", PASS, 1, ""),
        ("generic/003", MISSING, 0, "check: no such test?"),
    ]


def test_tests_that_nobody_planned_are_passed_over() -> None:
    text = "generic/001         1s\nbtrfs/001        [not run] no\n  9s\ngeneric/002         2s\n"
    assert read(text, "generic/001", "generic/002") == [("generic/001", PASS, 1, ""), ("generic/002", PASS, 2, "")]


@pytest.mark.parametrize(
    "text",
    [
        "generic/001 79s ... ",
        "generic/001 79s ... [failed, exit status 1]",
        "generic/001 79s ... _check_xfs_filesystem: filesystem on /dev/vdb is inconsistent\n(see x for details)\n",
        "generic/001 79s ...  8",
        "generic/001 79s ... Ran: generic/001\nInterrupted!\nPassed all 1 tests\n",
        "generic/001 79s ... xfs_repair: tried for 5s\n[ 12.000000] reboot",
        "generic/001        noise\n tried for 5s\n",
        "generic/001        noise\n tried for 5s\nRan: generic/001\n",
    ],
)
def test_what_is_not_certain_is_not_told(text: str) -> None:
    reader = account("generic/001")
    events = [*reader.feed(text), *reader.close()]
    assert events == [Began(plan("generic/001")[0].id)]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("generic/001 79s ...  80s\n", PASS),
        ("generic/001 79s ... [failed, exit status 1]- output mismatch (see x)\n    --- tests", FAIL),
        ("generic/001 79s ... [failed, exit status 1]\n", FAIL),
        ("generic/001 79s ... _check_dmesg: something found in dmesg (see x)\n\n", FAIL),
        ("generic/001        [not run] the reason", SKIP),
    ],
)
def test_what_is_certain_is_told_when_check_dies_after_it(text: str, status: Status) -> None:
    assert [each[1] for each in read(text)] == [status]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("check: QA must be run as root\n", "check: QA must be run as root"),
        (
            "common/config: TEST_DEV is required but not defined!\n",
            "common/config: TEST_DEV is required but not defined!",
        ),
        (
            "common/config: SCRATCH_DEV (/dev/vdz) is not a block device or a network filesystem\n",
            "common/config: SCRATCH_DEV (/dev/vdz) is not a block device or a network filesystem",
        ),
        (
            (
                "SECTION       -- xfs_crc\nRECREATING    -- xfs on /dev/vdb\nour local _test_mkfs routine ...\n"
                "unknown option -m bogus=1\nUsage: mkfs.xfs\n/* blocksize */\t\t[-b size=num]\n"
                "check: failed to mkfs $TEST_DEV using specified options\n"
            ),
            "check: failed to mkfs $TEST_DEV using specified options: unknown option -m bogus=1",
        ),
        (
            (
                "our local _scratch_mkfs routine ...\n** mkfs failed with extra mkfs options added to it **\n"
                "mke2fs 1.47.0 (5-Feb-2023)\nInvalid filesystem option set: bogus\n"
                "check: failed to mkfs $SCRATCH_DEV using specified options\nPassed all 0 tests\n"
            ),
            "check: failed to mkfs $SCRATCH_DEV using specified options: Invalid filesystem option set: bogus",
        ),
        (
            (
                "our local mount routine ...\nmount: /mnt/scratch: unknown filesystem type 'xfs'.\n"
                "check: failed to mount $SCRATCH_DEV using specified options\n"
            ),
            "check: failed to mount $SCRATCH_DEV using specified options: mount: /mnt/scratch: unknown filesystem type 'xfs'.",
        ),
        (
            (
                "mount: /mnt/test: wrong fs type\ncommon/rc: retrying test device mount with external set\n"
                "common/rc: could not mount /dev/vdb on /mnt/test\n"
            ),
            "common/rc: could not mount /dev/vdb on /mnt/test",
        ),
        (
            "Warning: need to define parameters for host xfs-1\n       or set variables:\n        TEST_DIR TEST_DEV\n",
            "Warning: need to define parameters for host xfs-1 or set variables: TEST_DIR TEST_DEV",
        ),
        ("fsstress not found or executable\n", "fsstress not found or executable"),
        ('Group "nope" is empty or not defined?\n', 'Group "nope" is empty or not defined?'),
        ("Usage: ./check [options] [testlist]\n\ncheck options\n", "Usage: ./check [options] [testlist]"),
        ("env: './check': No such file or directory\n", "env: './check': No such file or directory"),
        (HEADER + "Passed all 0 tests\n", "check ended without a word about any test"),
        ("", "check ended without a word about any test"),
        (TODAY, ""),
        ("noise\n" + HEADER + "generic/001 1s ... ", ""),
        ("generic/001 - unknown test, ignored\nPassed all 0 tests\n", ""),
    ],
)
def test_complaint(text: str, complaint: str) -> None:
    reader = account("generic/001")
    assert reader.complaint == ""
    reader.feed(text)
    reader.close()
    assert reader.complaint == complaint


def test_a_second_loop_that_cannot_begin_is_a_complaint_too() -> None:
    reader = account("generic/001", "generic/001#2")
    reader.feed(HEADER + "generic/001         1s\nRan: generic/001\nPassed all 1 tests\n\n" + HEADER)
    assert reader.complaint == ""
    reader.feed("our local _scratch_mkfs routine ...\ncheck: failed to mkfs $SCRATCH_DEV using specified options\n")
    assert reader.complaint == "check: failed to mkfs $SCRATCH_DEV using specified options"


def test_memory_is_bounded_and_the_end_of_an_endless_line_counts() -> None:
    reader = account("generic/001")
    reader.feed("generic/001        ")
    for _ in range(200):
        reader.feed("x" * 10_000)
        assert len(reader._rest) <= 2 * check_output.MAX_LINE
    assert ends(reader.feed(" 5s\ngeneric/002  ")) == [("generic/001", PASS, 5, "")]


def cut(text: str, places: list[int]) -> list[str]:
    marks = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[begin:end] for begin, end in itertools.pairwise(marks)]


@given(st.sampled_from([TODAY, REAL, OLD, TIMESTAMPS]), st.lists(st.integers(0, 10_000), max_size=30))
def test_where_the_text_is_cut_does_not_matter(text: str, places: list[int]) -> None:
    names = [f"generic/{number:03}" for number in range(1, 20)]
    whole, pieces = account(*names, "xfs/1001"), account(*names, "xfs/1001")
    expected = [*whole.feed(text), *whole.close()]
    assert [event for piece in cut(text, places) for event in pieces.feed(piece)] + [*pieces.close()] == expected


_WORDS = st.sampled_from(
    [
        "generic/001",
        "generic/002",
        "xfs/003",
        " ",
        "\t",
        "       ",
        "5s",
        " 7s ... ",
        "\n",
        "\n\n",
        "[not run] ",
        "[expunged]",
        "[failed, exit status 1]",
        "- output mismatch (see x)",
        "_check_dmesg: y",
        "Ran: ",
        "\r\n",
        "\x1b[2J",
        "\x00",
        "    +",
        "check: no",
        " - unknown test, ignored",
        "our local x routine",
        "Interrupted!",
        "[10:00:00]",
        "�",
        "é",
    ]
)


@given(st.lists(st.one_of(_WORDS, st.text(max_size=20)), max_size=60), st.lists(st.integers(0, 10_000), max_size=20))
def test_garbage_never_raises_and_no_end_is_told_twice_or_before_its_beginning(parts, places) -> None:
    reader = account("generic/001", "generic/001#2", "generic/002", "xfs/003")
    events = [event for piece in cut("".join(parts), places) for event in reader.feed(piece)] + [*reader.close()]
    told = [event.test for event in events if isinstance(event, Told)]
    assert len(told) == len(set(told))
    began: set[TestId] = set()
    for event in events:
        if isinstance(event, Began):
            began.add(event.test)
        else:
            assert event.outcome.status is MISSING or event.test in began
            assert event.outcome.reason == clean(event.outcome.reason)
    assert "\n" not in reader.complaint


_RESULTS = st.one_of(
    st.tuples(st.just(PASS), st.integers(0, 99_999), st.just("")),
    st.tuples(st.just(SKIP), st.just(0), st.text(string.ascii_letters, min_size=1)),
    st.tuples(st.just(FAIL), st.just(0), st.sampled_from(["failed, exit status 1", "output mismatch", "dumped core"])),
)


@given(st.lists(st.tuples(_RESULTS, st.none() | st.integers(0, 999)), max_size=12))
def test_what_check_writes_is_read_back(results) -> None:
    text, expected = HEADER, []
    for number, ((status, seconds, reason), last) in enumerate(results):
        name = f"generic/{number:03}"
        text += name + ("       " if last is None else f" {last}s ... ")
        if status is PASS:
            text += f" {seconds}s\n"
        elif status is SKIP:
            text += f"[not run] {reason}\n"
        else:
            text += "- output mismatch (see x)\n    +a\n" if reason == "output mismatch" else f"[{reason}]\n"
        expected.append((name, status, seconds, reason))
    assert read(text + "Ran: x\n", *(each[0] for each in expected)) == expected
