"""The scripts and templates of the roles that serve files, with tools that only write down what they are told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import jinja2
import pytest

from kdevops.lab.servers import Server
from kdevops.paths import data_dir

ROLES = data_dir("roles")
TOOLS = {
    "mountpoint": 'grep -qx "$2" {mounted}',
    "mount": 'echo "$2" >>{mounted}',
    "mkfs.xfs": 'echo xfs >"$2"',
    "blkid": '[ -s "$6" ] || exit 2; cat "$6"',
}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    directory = tmp_path / "bin"
    directory.mkdir()
    (tmp_path / "mounted").touch()
    for name, script in TOOLS.items():
        tool = directory / name
        tool.write_text(f"#!/bin/sh\n{script.format(mounted=tmp_path / 'mounted')}\n")
        tool.chmod(0o755)
    return directory


def mount_disks(tools: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", ROLES / "served_disks/files/mount-disks", *map(str, words)],
        env={"PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_disk_is_made_and_mounted_once(tools: Path, tmp_path: Path) -> None:
    disk, place = tmp_path / "disk", tmp_path / "export/lab-1/test"
    disk.touch()
    first = mount_disks(tools, disk, place)
    assert first.stdout.splitlines() == [f"made {disk}", f"mounted {place}"]
    assert place.is_dir()
    assert mount_disks(tools, disk, place).stdout == ""


def test_what_is_on_a_disk_is_kept(tools: Path, tmp_path: Path) -> None:
    disk, place = tmp_path / "disk", tmp_path / "place"
    disk.write_text("xfs\n")
    assert mount_disks(tools, disk, place).stdout == f"mounted {place}\n"
    disk.write_text("ext4\n")
    refused = mount_disks(tools, disk, tmp_path / "other")
    assert refused.returncode == 1
    assert "holds ext4, not XFS" in refused.stderr
    assert disk.read_text() == "ext4\n"


def test_a_disk_that_is_not_there_is_no_empty_one(tools: Path, tmp_path: Path) -> None:
    refused = mount_disks(tools, tmp_path / "none", tmp_path / "place")
    assert refused.returncode == 1
    assert not (tmp_path / "none").exists()


def test_every_share_is_for_its_guest_and_its_user_alone() -> None:
    exports = Server("smbd", "lab-smbd", ("lab-1", "lab-2")).exports()
    text = jinja2.Template((ROLES / "smbd/templates/smb.conf.j2").read_text()).render(
        smbd_exports=exports, smbd_user="root"
    )
    shares = text.split("\n[")[2:]
    assert [share.partition("]")[0] for share in shares] == [
        "lab-1-test",
        "lab-1-scratch",
        "lab-2-test",
        "lab-2-scratch",
    ]
    for share, export in zip(shares, exports, strict=True):
        assert f"hosts allow = {export['client']}\n" in share
        assert "valid users = root" in share
    assert "password" not in text


@pytest.mark.parametrize("script", ["served_disks/files/mount-disks", "nfsd/files/start-nfsd", "smbd/files/start-smbd"])
def test_scripts_are_posix_shell(script: str) -> None:
    subprocess.run(["sh", "-n", ROLES / script], check=True)
