"""Why fstests' check would run nothing, in its own words."""

import pytest

from tests.suites.fstests.check_printed import HEADER, TODAY, check_parser


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
    reader = check_parser("generic/001")
    assert reader.complaint == ""
    reader.feed(text)
    reader.close()
    assert reader.complaint == complaint


def test_a_second_loop_that_cannot_begin_is_a_complaint_too() -> None:
    reader = check_parser("generic/001", "generic/001#2")
    reader.feed(HEADER + "generic/001         1s\nRan: generic/001\nPassed all 1 tests\n\n" + HEADER)
    assert reader.complaint == ""
    reader.feed("our local _scratch_mkfs routine ...\ncheck: failed to mkfs $SCRATCH_DEV using specified options\n")
    assert reader.complaint == "check: failed to mkfs $SCRATCH_DEV using specified options"
