"""Guests by hand, and Ansible on them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import REPOSITORY, Kdevops, guests_of

WriteLab = Callable[..., Path]


@pytest.fixture
def lab(write_lab: WriteLab) -> Path:
    return write_lab({"any": "true"}, name="hand")


def test_up_status_ssh_console_down(kdevops: Kdevops, lab: Path) -> None:
    kdevops("up", lab, "--set", "guests.disks=[{size: 64MiB, count: 2}]", check=0)
    guests = kdevops("status", lab, "--json", check=0).data
    assert [guest["state"] for guest in guests] == ["running", "running"]

    assert kdevops("ssh", "hand-1", "hostname", check=0).stdout.strip() == "hand-1"
    assert kdevops("ssh", "hand-2", "echo one; echo two", check=0).stdout.split() == ["one", "two"]
    assert kdevops("ssh", "hand-1", "printf", "%s", "a b;c", check=0).stdout == "a b;c"
    assert kdevops("ssh", "hand-1", "exit 7").code == 7
    sizes = kdevops(
        "ssh", "hand-1", "for d in 0 1; do blockdev --getsize64 /dev/disk/by-id/virtio-kd-$d; done", check=0
    )
    assert sizes.stdout.split() == [str(64 << 20)] * 2
    assert kdevops("ssh", "hand-3", "true").code == 2, "a guest that is not there is the user's error"

    console = kdevops("console", "hand-1", check=0).stdout
    assert re.search(r"^\d{4}-\d\d-\d\dT[\d:.]+Z kdevops-init: ready", console, re.MULTILINE)

    started = time.monotonic()
    kdevops("up", lab, "--set", "guests.disks=[{size: 64MiB, count: 2}]", check=0)
    assert time.monotonic() - started < 30
    kdevops("down", lab, check=0)
    assert not guests_of(kdevops.state)
    assert [guest["state"] for guest in kdevops("status", lab, "--json").data] == ["stopped", "stopped"]


def test_guests_reach_nothing_of_this_machine(kdevops: Kdevops, lab: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        kdevops("up", lab, "--set", "guests.count=1", check=0)
        port = server.getsockname()[1]
        connect = f"import socket; socket.create_connection(('10.0.2.2', {port}), 5)"
        said = kdevops(
            "ssh", "hand-1", f'python3 -c "{connect}" 2>/dev/null && echo open || echo closed', check=0
        ).stdout
    assert said.strip() == "closed"


def test_runs_use_guests_that_are_up_and_leave_them_up(kdevops: Kdevops, lab: Path) -> None:
    kdevops("up", lab, "--set", "guests.count=1", check=0)
    before = kdevops("ssh", "hand-1", "cat", "/proc/sys/kernel/random/boot_id", check=0).stdout
    ran = kdevops("run", lab, "--set", "guests.count=1", "--only", "any", "--json")
    assert ran.statuses() == {"any": "pass"}
    assert kdevops("ssh", "hand-1", "cat", "/proc/sys/kernel/random/boot_id", check=0).stdout == before


def test_an_ssh_port_that_is_taken_is_named(kdevops: Kdevops, lab: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answer = kdevops("up", lab, "--set", f"provider.ssh_port={port}")
    assert answer.code == 2
    assert f"port {port}" in answer.stderr


def test_a_missing_qemu_is_named_with_its_package(kdevops: Kdevops, lab: Path) -> None:
    answer = kdevops("up", lab, "--set", "provider.binary=/nonexistent/qemu-system-x86_64")
    assert answer.code == 3
    assert "/nonexistent/qemu-system-x86_64 is not installed" in answer.stderr


def test_plain_ansible_configures_guests_and_changes_nothing_twice(kdevops: Kdevops, lab: Path) -> None:
    kdevops("up", lab, check=0)
    inventory = kdevops.state / "labs/hand/inventory.yaml"
    playbook = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert playbook
    for name, changed in (("devconfig", None), ("devconfig", 0), ("bootlinux", None), ("bootlinux", 0)):
        played = subprocess.run(
            [playbook, "-i", inventory, REPOSITORY / f"playbooks/{name}.yml"],
            capture_output=True, text=True, timeout=900, check=False, cwd=REPOSITORY,
        )  # fmt: skip
        assert played.returncode == 0, played.stdout + played.stderr
        recap = dict(re.findall(r"^(hand-\d)\s*:.*changed=(\d+)", played.stdout, re.MULTILINE))
        assert set(recap) == {"hand-1", "hand-2"}
        assert changed is None or set(recap.values()) == {"0"}


def test_a_playbook_through_the_front_end(kdevops: Kdevops, lab: Path) -> None:
    assert kdevops("up", lab, "--set", "guests.count=1", "--play", "devconfg").code == 2
    done = kdevops("up", lab, "--set", "guests.count=1", "--play", "devconfig", check=0)
    assert "devconfig" in done.stderr
    assert kdevops("ssh", "hand-1", "cat", "/proc/sys/kernel/sysrq", check=0).stdout.strip() == "1"
