"""Which disk is what, and what a person is told when there are not enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.model import Guests
from kdevops.suites.fstests.devices import Devices, advice, assign, disk_sizes
from kdevops.suites.fstests.profiles import load_profiles

GIB = 1 << 30


def chosen(*names):
    return {name: load_profiles()[name] for name in names}


def disk(number):
    return f"/dev/disk/by-id/virtio-kd-{number}"


def test_sizes_are_in_the_order_of_the_lab():
    guests = Guests.model_validate({"disks": [{"size": "20GiB", "count": 2}, {"size": "1GiB"}]})
    assert disk_sizes(guests) == (20 * GIB, 20 * GIB, GIB)


@pytest.mark.parametrize(
    ("names", "count", "expected"),
    [
        (("xfs_crc",), 2, Devices(disk(0), (disk(1),))),
        (("xfs_crc",), 3, Devices(disk(0), (disk(1),), logwrites=disk(2))),
        (("xfs_crc", "ext4_4k"), 9, Devices(disk(0), (disk(1),), logwrites=disk(2))),
        (("btrfs_simple",), 6, Devices(disk(0), tuple(map(disk, range(1, 6))))),
        (("xfs_crc", "btrfs_simple"), 7, Devices(disk(0), tuple(map(disk, range(1, 6))), logwrites=disk(6))),
        (("xfs_crc", "xfs_crc_rtdev"), 4, Devices(disk(0), (disk(1),), rt=(disk(2), disk(3)))),
        (("tmpfs_default", "nfs_v3", "cifs_smb3"), 3, Devices()),
        ((), 1, Devices()),
    ],
)
def test_assignment(names, count, expected):
    assert assign(chosen(*names), [20 * GIB] * count) == expected


def test_logs_come_before_real_time_volumes():
    found = assign(chosen("xfs_crc_logdev_rtdev"), [20 * GIB] * 2 + [GIB] * 2 + [20 * GIB] * 3)
    assert (found.log, found.rt, found.logwrites) == ((disk(2), disk(3)), (disk(4), disk(5)), disk(6))


@given(st.sets(st.sampled_from(sorted(load_profiles()))), st.integers(0, 4))
def test_no_disk_has_two_uses_and_what_is_suggested_is_enough(names, more):
    profiles = chosen(*names)
    try:
        assign(profiles, ())
        sizes = []
    except UserError as error:
        rows = error.hint.partition("[")[2].partition("]")[0].replace("size: ", "").replace("count: ", "")
        pairs = [row.strip("{} ").split(", ") for row in rows.split("}, {")]
        guests = Guests.model_validate({"disks": [{"size": size, "count": int(count)} for size, count in pairs]})
        sizes = [*disk_sizes(guests)]
    found = assign(profiles, [*sizes, *[GIB] * more])
    used = [one for one in (found.test, *found.scratch, *found.log, *found.rt, found.logwrites) if one]
    assert used == [disk(number) for number in range(len(used))]
    assert len(used) == (len(sizes) + bool(more) if sizes else 0)


def test_missing_disks_are_counted():
    with pytest.raises(UserError) as caught:
        assign(chosen("xfs_crc", "xfs_crc_logdev", "tmpfs_default"), [20 * GIB] * 3)
    assert caught.value.message == (
        "suites.fstests needs 4 disks in each guest (1 test, 1 scratch, 2 log) for xfs_crc, xfs_crc_logdev, the lab has 3"
    )
    assert "guests: {disks: [{size: 20GiB, count: 2}, {size: 1GiB, count: 2}]}" in caught.value.hint


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([20 * GIB, GIB - 1, GIB, GIB], r"disk 1 \(scratch\) has 1023 MiB, the minimum is 1 GiB"),
        (
            [20 * GIB, 20 * GIB, 20 * GIB, GIB],
            r"disk 2 \(log\) has 20 GiB, the maximum of mkfs.xfs for a log is 2136997888 bytes",
        ),
        ([20 * GIB, 20 * GIB, GIB, 63 << 20], r"disk 3 \(log\) has 63 MiB, the minimum is 64 MiB"),
    ],
)
def test_disks_of_a_wrong_size(sizes, message):
    with pytest.raises(UserError, match=message):
        assign(chosen("xfs_crc_logdev"), sizes)


def test_advice():
    assert advice(chosen("xfs_crc"), [20 * GIB] * 3) == []
    assert advice(chosen("tmpfs_default"), []) == []
    assert advice(chosen("btrfs_simple"), [20 * GIB] * 5 + [2 * GIB]) == [
        "the smallest test or scratch disk has 2 GiB: tests that need 10 GB will skip",
        "the scratch disks differ in size: tests that need equal disks will skip",
        "no disk is left as a write log: tests that replay writes will skip",
    ]
