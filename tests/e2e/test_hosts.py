"""Machines that exist: guests of one lab are, to another one, nothing but a port each, a key and a console."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import REPOSITORY, Kdevops, free_port, guests_of, shared_lab

WriteLab = Callable[..., Path]
SLOWNESS = 10
"""They may be emulated, which their lab does not know."""
DISKS = [{"size": "64MiB", "count": 2}]
SUDOER = "tester"
"""Who logs in where root does not."""
MAKE_SUDOER = f"""
useradd --create-home --shell /bin/bash --password '*' {SUDOER}
install -d -o {SUDOER} ~{SUDOER}/.ssh
install -m 644 /run/kdevops/seed/authorized_keys ~{SUDOER}/.ssh/
echo '{SUDOER} ALL=(ALL) NOPASSWD: ALL' >>/etc/sudoers
"""
ONLY = ("--only", "commands/*", "--only", "selftests/*/kcmp*", "--only", "selftests/*/si*", "--json")
# What a power switch does: whatever runs is cut off, and started again. One at a time, for the other lab has a lock.
_RESET = """#!/bin/sh
exec 9>{lock}
flock 9
kdevops() {{ KDEVOPS_STATE={state} {python} -m kdevops "$@"; }}
kdevops ssh "$1" 'echo b >/proc/sysrq-trigger' </dev/null
cd {repository} && kdevops up {lab} && echo "$1" >>{log}
"""
# A console server without stamps of its own.
_CONSOLE = """#!/bin/sh
tail -n 0 -F "$1" | sed -u 's/^[^ ]*Z //'
"""


@pytest.fixture
def metal(kdevops: Kdevops, tmp_path: Path) -> Path:
    """The lab whose guests are the machines; they are up."""
    lab = shared_lab() | {"name": "metal"}
    lab["provider"] = {"type": "qemu", "ssh_port": free_port(following=1)}
    lab["guests"] |= {"disks": DISKS, "image": {"packages": ["sudo"]}}
    path = tmp_path / "metal.yaml"
    path.write_text(yaml.safe_dump(lab))
    kdevops("up", path, check=0)
    return path


@pytest.fixture
def rack(kdevops: Kdevops, metal: Path, tmp_path: Path) -> dict[str, Any]:
    """What the other lab says of its provider."""
    made = kdevops.state / "labs/metal"
    values = {"lock": tmp_path / "lock", "state": kdevops.state, "python": sys.executable, "lab": metal}
    quoted = {name: shlex.quote(str(value)) for name, value in values.items()}
    reset, console = tmp_path / "reset", tmp_path / "console"
    reset.write_text(_RESET.format(**quoted, repository=shlex.quote(str(REPOSITORY)), log=tmp_path / "resets"))
    console.write_text(_CONSOLE)
    hosts = []
    for guest in kdevops("status", metal, "--json", check=0).data:
        log = made / "guests" / guest["name"] / "console.log"
        commands = {"reset": ["sh", str(reset), guest["name"]], "console": ["sh", str(console), str(log)]}
        hosts.append({"address": guest["address"], "port": guest["port"], "key": str(made / "id_ed25519"), **commands})
    return {"type": "hosts", "hosts": hosts, "slowness": SLOWNESS, "boot_timeout": 30, "scratch": True}


def test_machines_known_by_address_alone_are_tested_and_come_back_from_a_crash(
    kdevops: Kdevops, write_lab: WriteLab, rack: dict[str, Any], tmp_path: Path
) -> None:
    names = [f"/dev/disk/by-id/virtio-kd-{number}" for number in (1, 0)]
    for host, guest in zip(rack["hosts"], ("metal-1", "metal-2"), strict=True):
        host["disks"] = kdevops("ssh", guest, "readlink", "-f", *names, check=0).stdout.split()
    lab = on(
        write_lab({"good": "test -d /proc", "dies": "echo c >/proc/sysrq-trigger; sleep 60", "last": "true"}), rack
    )
    first = kdevops("up", lab, check=0)
    assert "taken at first contact: SHA256:" in first.stderr
    assert [guest["state"] for guest in kdevops("status", lab, "--json", check=0).data] == ["running", "running"]
    assert kdevops("ssh", "e2e-2", "hostname", check=0).stdout.strip() == "metal-2"
    assert not (tmp_path / "resets").exists(), "the kernel ran already"
    check_disks(kdevops, rack)

    ran = kdevops("run", lab, *ONLY)
    found = ran.statuses()
    assert {name: found.pop(name) for name in ("good", "dies", "last")} == {
        "good": "pass",
        "dies": "crash",
        "last": "pass",
    }
    assert len(found) >= 2
    assert set(found.values()) <= {"pass", "skip"}, ran.stderr[-4000:]
    assert ran.code == 1
    (crash,) = [each for each in ran.data["tests"] if each["name"] == "dies"]
    assert "sysrq triggered crash" in str(crash)
    assert (tmp_path / "resets").read_text().split(), "the machine came back by its reset command"
    assert "Kernel panic" in kdevops("console", crash["guest"], check=0).stdout
    check_disks(kdevops, rack)

    root = kdevops("ssh", "e2e-1", "findmnt -n -o SOURCE /", check=0).stdout.strip()
    rack["hosts"][0]["disks"][0] = root
    refused = kdevops("up", on(lab, rack))
    assert refused.code == 3
    assert "is mounted on /" in refused.stderr

    down = kdevops("down", lab, "--json", check=0).data
    assert [guest["state"] for guest in down] == ["stopped", "stopped"]
    assert len(guests_of(kdevops.state)) >= 2, "they are another lab's"


def test_machines_that_let_in_no_root_are_compared_with_embedded_guests(
    kdevops: Kdevops, write_lab: WriteLab, rack: dict[str, Any]
) -> None:
    rack["scratch"] = False
    for guest, host in zip(("metal-1", "metal-2"), rack["hosts"], strict=True):
        kdevops("ssh", guest, MAKE_SUDOER, check=0)
        host["user"] = SUDOER
    lab = on(write_lab({"everywhere": '[ "$(id -u)" = 0 ]', "not-on-metal": "! hostname | grep -q metal"}), rack)
    said = yaml.safe_load(lab.read_text())
    said["compare"] = {"provider": {"type": "qemu"}, "guests": {"count": 1}}
    lab.write_text(yaml.safe_dump(said))
    ran = kdevops("run", lab, "--only", "commands/*", "--only", "selftests/*/kcmp*", "--json")
    assert ran.code == 4, ran.stderr[-4000:]
    tests = {each["name"]: (each["baseline_status"], each["status"], each["verdict"]) for each in ran.data["tests"]}
    assert tests.pop("kcmp:kcmp_test") == ("pass", "pass", "ok")
    assert tests == {"everywhere": ("pass", "pass", "ok"), "not-on-metal": ("pass", "fail", "inconclusive")}
    assert [ran.data["arms"][arm]["lab"] for arm in ("baseline", "dev")] == ["e2e", "e2e-dev"]
    assert kdevops("ssh", "e2e-dev-1", "id", "-un", check=0).stdout.strip() == SUDOER


def test_a_machine_that_is_not_there_is_no_test_result(kdevops: Kdevops, write_lab: WriteLab) -> None:
    closed = {"address": "127.0.0.1", "port": free_port()}
    lab = on(write_lab({"good": "true"}), {"type": "hosts", "hosts": [closed]})
    ran = kdevops("run", lab, "--only", "good", "--json")
    assert ran.code == 3
    assert kdevops("results", "--json").data == [], "no run was begun"
    assert f"e2e-1 is 127.0.0.1 port {closed['port']}, and no ssh server answers there" in ran.stderr


def check_disks(kdevops: Kdevops, rack: dict[str, Any]) -> None:
    """Check that every machine's disks have the names by which suites find them."""
    for number, host in enumerate(rack["hosts"], 1):
        names = ("/dev/disk/by-id/virtio-kd-0", "/dev/disk/by-id/virtio-kd-1")
        assert kdevops("ssh", f"e2e-{number}", "readlink", "-f", *names, check=0).stdout.split() == host["disks"]


def on(lab: Path, provider: dict[str, Any]) -> Path:
    """The lab on other machines."""
    said = yaml.safe_load(lab.read_text())
    said["provider"] = provider
    said["guests"] = {"disks": DISKS} if provider.get("scratch") else {}
    lab.write_text(yaml.safe_dump(said))
    return lab
