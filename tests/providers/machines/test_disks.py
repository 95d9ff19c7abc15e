"""Disks of machines that we did not make: linked where nothing uses them, refused otherwise. A made-up /sys answers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from kdevops.providers.machines.disks import _LINK


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with a root disk sda and an empty disk sdb."""
    for name, dev, size in (("sda", "8:0", 100), ("sda/sda1", "8:1", 90), ("sdb", "8:16", 4096)):
        directory = tmp_path / "sys/class/block" / name
        directory.mkdir(parents=True)
        (directory / "dev").write_text(f"{dev}\n")
        (directory / "size").write_text(f"{size}\n")
        (directory / "ro").write_text("0\n")
    for name in ("dev/sda", "dev/sda1", "dev/sdb", "proc/self/mountinfo", "proc/swaps"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "proc/self/mountinfo").write_text("25 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    (tmp_path / "dev/disk/by-id").mkdir(parents=True)
    (tmp_path / "dev/disk/by-id/wwn-2").symlink_to("../../sdb")
    return tmp_path


def link(machine: Path, *words: str, wait: str = "0") -> tuple[int, str]:
    script = _LINK.replace("[ ! -b", "[ ! -e")  # regular files stand for disks
    script = re.sub(r"(?<![\w/.}\"])/(sys|proc|dev)/(?!null|\$name \w)", lambda found: f"{machine}{found[0]}", script)
    script = script.replace('"^/dev/$name', f'"^{machine}/dev/$name')
    arguments = [f"{machine}{word}" if word.startswith("/dev") else word for word in words]
    done = subprocess.run(["sh", "-ec", script, "sh", wait, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).replace(str(machine), "")


def test_a_disk_that_nothing_uses_gets_its_name_and_keeps_it(machine: Path) -> None:
    for _ in range(2):
        assert link(machine, "/dev/disk/by-id/wwn-2", "2000000") == (0, "")
        assert (machine / "dev/disk/by-id/virtio-kd-0").readlink() == machine / "dev/sdb"


def test_two_names_of_one_disk_are_no_two_disks(machine: Path) -> None:
    (machine / "dev/disk/by-id/ata-2").symlink_to("../../sdb")
    names = ("/dev/disk/by-id/wwn-2", "/dev/disk/by-id/ata-2")
    told = (9, "/dev/disk/by-id/ata-2 is the same disk as /dev/disk/by-id/wwn-2\n")
    assert link(machine, names[0], "1", names[1], "1") == told
    assert not (machine / "dev/disk/by-id/virtio-kd-1").is_symlink()
    for number in range(2):  # an earlier version took both
        path = machine / f"dev/disk/by-id/virtio-kd-{number}"
        path.unlink(missing_ok=True)
        path.symlink_to(machine / "dev/sdb")
    assert link(machine, names[0], "1", names[1], "1") == told


def test_disks_may_change_places(machine: Path) -> None:
    sdc = machine / "sys/class/block/sdc"
    sdc.mkdir()
    for name, text in (("dev", "8:32"), ("size", "4096"), ("ro", "0")):
        (sdc / name).write_text(f"{text}\n")
    (machine / "dev/sdc").touch()
    for disks in (("sdb", "sdc"), ("sdc", "sdb")):
        assert link(machine, *(word for disk in disks for word in (f"/dev/{disk}", "1"))) == (0, "")
        assert [(machine / f"dev/disk/by-id/virtio-kd-{n}").readlink().name for n in range(2)] == list(disks)


def test_the_disk_of_the_root_is_refused(machine: Path) -> None:
    code, said = link(machine, "/dev/disk/by-id/wwn-2", "1", "/dev/sda", "1")
    assert code == 9
    assert said.strip() == "/dev/sda is in use: /dev/sda1 is mounted on /"
    assert not (machine / "dev/disk/by-id/virtio-kd-1").exists()


def test_swap_is_refused(machine: Path) -> None:
    (machine / "proc/swaps").write_text(f"Filename Type\n{machine}/dev/sdb partition 1 2\n")
    assert link(machine, "/dev/sdb", "1") == (9, "/dev/sdb is in use: /dev/sdb is swap\n")


def test_a_part_of_a_volume_group_and_of_a_btrfs_is_refused(machine: Path) -> None:
    holder = machine / "sys/class/block/sdb/holders/dm-0"
    holder.mkdir(parents=True)
    assert "belongs to /sys/class/block/sdb/holders/dm-0" in link(machine, "/dev/sdb", "1")[1]
    holder.rmdir()
    (machine / "sys/fs/btrfs/uuid/devices/sdb").mkdir(parents=True)
    assert "belongs to /sys/fs/btrfs/uuid/devices/sdb" in link(machine, "/dev/sdb", "1")[1]


def test_a_disk_that_is_smaller_or_read_only_or_missing_is_refused(machine: Path) -> None:
    assert "has 2097152 bytes, and guests.disks says 2097153" in link(machine, "/dev/sdb", "2097153")[1]
    (machine / "sys/class/block/sdb/ro").write_text("1\n")
    assert "is read-only" in link(machine, "/dev/sdb", "1")[1]
    assert "is no block device there" in link(machine, "/dev/sdz", "1")[1]
    assert not (machine / "dev/disk/by-id/virtio-kd-0").exists()


def test_a_hostile_path_is_a_word(machine: Path) -> None:
    assert link(machine, "/dev/$(touch x)", "1")[0] == 9
    assert not (machine / "x").exists()
