"""The scripts and templates of the roles that serve files, with tools that only write down what they are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml

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


def test_in_check_mode_a_disk_stays_empty(tools: Path, tmp_path: Path) -> None:
    disk, place = tmp_path / "disk", tmp_path / "place"
    disk.touch()
    told = mount_disks(tools, "--check", disk, place).stdout.splitlines()
    assert told == [f"made {disk}", f"mounted {place}"]
    assert not place.exists()
    assert disk.read_text() == ""
    mount_disks(tools, disk, place)
    assert mount_disks(tools, "--check", disk, place).stdout == ""


@pytest.mark.parametrize(("script", "words"), [("nfsd/files/start-nfsd", ["8"]), ("smbd/files/start-smbd", [])])
@pytest.mark.parametrize("runs", [True, False])
def test_in_check_mode_no_server_is_started(script: str, words: list[str], runs: bool, tmp_path: Path) -> None:
    """With no tool to do it, and files of the kernel's of our own."""
    (tmp_path / "pgrep").write_text(f"#!/bin/sh\nexit {0 if runs else 1}\n")
    (tmp_path / "pgrep").chmod(0o755)
    (tmp_path / "threads").write_text("8\n" if runs else "0\n")
    text = (ROLES / script).read_text().replace("/proc/fs/nfsd/threads", str(tmp_path / "threads"))
    ran = subprocess.run(
        ["/bin/sh", "-c", text, "sh", *words, "--check"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "" if runs else "started\n", "")


@pytest.mark.parametrize("role", ["nfsd", "smbd"])
def test_every_family_is_told_packages_and_service(role: str) -> None:
    """By the package manager's own commands: ansible-core has no module for those of openSUSE and Arch."""
    for family in ("archlinux", "debian", "redhat", "suse"):
        told = yaml.safe_load((ROLES / f"{role}/vars/{family}.yml").read_text())
        assert told[f"{role}_packages"]
        assert told[f"{role}_service"]


@pytest.mark.parametrize("role", ["nfsd", "smbd"])
@pytest.mark.parametrize(("family", "manager"), [("suse", "zypper"), ("archlinux", "pacman")])
def test_servers_are_installed_by_the_familys_package_manager(
    role: str, family: str, manager: str, tmp_path: Path
) -> None:
    """The role as it is, on a machine of that family so far as it can see; its package manager notes what it is told."""
    tools = tmp_path / "bin"
    tools.mkdir()
    asks = 'case "$*" in *query* | *deptest*) echo none; exit 1 ;; *install* | *sync*) exit 9 ;; esac'
    for name in ("zypper", "pacman", "rpm"):
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/done\n{asks}\n')
        (tools / name).chmod(0o755)
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": [role]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    variables = {
        f"{role}_family": family,
        "controller_family": family,
        f"{role}_exports": [{"device": "/dev/none", "path": "/none", "name": "x", "client": "127.0.0.1"}],
        "smbd_credentials_file": "/dev/null",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
    }
    words = ["ansible-playbook", "-i", "localhost,", "play.yml", "-e", json.dumps(variables)]
    ran = subprocess.run(
        [Path(sys.executable).parent / words[0], *words[1:]],
        env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "ANSIBLE_ROLES_PATH": str(ROLES), "LC_ALL": "C.UTF-8"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Install the packages" in ran.stdout
    *_, last = (tmp_path / "done").read_text().splitlines()
    assert last.startswith(manager)
    wanted = yaml.safe_load((ROLES / f"{role}/vars/{family}.yml").read_text())[f"{role}_packages"]
    assert last.split()[-len(wanted) :] == wanted


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
