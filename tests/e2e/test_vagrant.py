"""Vagrant with libvirt, for real: machines made, our kernel installed and booted in them, tests, a panic, and nothing left.

VirtualBox's part of the same runs where VBoxManage is.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import BUILD_SECONDS, Kdevops, shared_lab, wait_until
from tests.fakefstests import make_repository

URI = "qemu:///system"
SELFTESTS = ("size:*", "kcmp:*", "sigaltstack:*")
SCRIPTS = {
    "passes": "true",
    "fails": "exit 1",
    "has-its-disk": "[ $(blockdev --getsize64 /dev/disk/by-id/virtio-kd-0) = 1073741824 ]",
    "dirties-its-root": "echo rubbish >/etc/kdevops-dirt",
    "panics": "echo c >/proc/sysrq-trigger; sleep 60",
    "reboots": "echo b >/proc/sysrq-trigger; sleep 60",
}
STATUSES = {
    "passes": "pass", "fails": "fail", "has-its-disk": "pass", "dirties-its-root": "pass", "panics": "crash", "reboots": "crash",
}  # fmt: skip
FSTESTS = {"generic/001": "pass", "generic/003": "skip", "xfs/001": "pass"}
"""Of the toy's."""
Lab = Callable[..., Path]

pytestmark = pytest.mark.xdist_group("vagrant")  # libvirt is installed once


def virsh(*words: str) -> str:
    argv = ["virsh", "--quiet", "--connect", URI, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def named(prefix: str) -> list[str]:
    """Domains, volumes and networks of a lab, by their names' beginning."""
    lists = (["list", "--all", "--name"], ["vol-list", "--pool", "default"], ["net-list", "--all", "--name"])
    lines = [line.split()[0] for words in lists for line in virsh(*words).splitlines() if line.split()]
    return sorted(line for line in lines if line.startswith(prefix))


@pytest.fixture(scope="module")
def libvirt() -> None:
    """libvirt's daemons and Vagrant, as the role that users have makes them be."""
    if os.geteuid() != 0:
        pytest.skip("libvirt's daemons are installed and started by root only")
    subprocess.run(
        [sys.executable, "-m", "kdevops", "doctor", "--vagrant", "libvirt", "--install"], check=True, timeout=900
    )


@pytest.fixture
def lab(tmp_path: Path, kdevops: Kdevops) -> Iterator[Lab]:
    """Make a lab of Vagrant's that has the shared kernel; its guests are gone at the end."""
    made: list[Path] = []

    def write(name: str, *, count: int = 2, scripts: Mapping[str, str] = SCRIPTS, **provider: Any) -> Path:
        text = shared_lab()
        text["name"] = name
        text["provider"] = {"type": "vagrant", **provider}
        text["guests"] = {"count": count, "cpus": 1, "memory": "1GiB", "disks": [{"size": "1GiB"}]}
        text["suites"]["commands"] = {"tests": dict(scripts), "timeout": 20}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(text))
        made.append(path)
        return path

    yield write
    for path in made:
        kdevops("down", path, timeout=300)


@pytest.mark.usefixtures("libvirt")
def test_two_machines_run_our_kernel_survive_its_panics_and_leave_nothing(kdevops: Kdevops, lab: Lab) -> None:
    path = lab("vagrant")
    began = time.monotonic()
    up = kdevops("up", path, "--json", check=0)
    print(f"up: {time.monotonic() - began:.0f} s")
    assert [(guest["name"], guest["state"]) for guest in up.data] == [
        ("vagrant-1", "running"),
        ("vagrant-2", "running"),
    ]
    assert all(guest["kernel"] for guest in up.data)
    assert "6.1." in kdevops("ssh", "vagrant-1", "uname", "-r", check=0).stdout

    began = time.monotonic()
    kdevops("up", path, check=0)
    print(f"up again: {time.monotonic() - began:.1f} s")

    ran = kdevops("run", path, "commands/*", *SELFTESTS, "--json")
    assert ran.code == 1, ran.stderr[-3000:]
    statuses = ran.statuses()
    assert {name: statuses[name] for name in SCRIPTS} == STATUSES
    others = {name: status for name, status in statuses.items() if name not in SCRIPTS}
    assert len(others) >= 3
    assert set(others.values()) <= {"pass", "skip"}, others
    tests = {each["name"]: each for each in ran.data["tests"]}
    assert "sysrq" in tests["panics"]["oops"].lower()

    (prefix,) = {
        name.rpartition("vagrant-")[0] for name in virsh("list", "--all", "--name").split() if "-vagrant-" in name
    }
    assert len([name for name in named(prefix) if name.endswith(("-1", "-2"))]) == 2
    down = kdevops("down", path, "--json", check=0)
    assert {guest["state"] for guest in down.data} == {"stopped"}
    assert named(prefix) == []


@pytest.mark.usefixtures("libvirt")
def test_fstests_run_on_a_kernel_that_libvirt_boots(
    kdevops: Kdevops, lab: Lab, shared_kernel: dict[str, Any], tmp_path: Path
) -> None:
    path = lab("direct", count=1, scripts={name: SCRIPTS[name] for name in ("has-its-disk", "panics")}, boot="direct")
    text = yaml.safe_load(path.read_text())
    text["kernel"] = {"source": {"prebuilt": shared_kernel["image"]}}  # fstests' own wishes would be another kernel
    text["guests"]["disks"] = [{"size": "1GiB", "count": 2}]
    fstests = {"profiles": ["xfs_crc"], "source": {"path": str(tmp_path / "fstests")}, "tests": list(FSTESTS)}
    make_repository(tmp_path / "fstests")
    text["suites"] = {"commands": text["suites"]["commands"], "fstests": fstests}
    path.write_text(yaml.safe_dump(text))
    ran = kdevops("run", path, "--json")
    assert ran.statuses() == {"has-its-disk": "pass", "panics": "crash", **FSTESTS}, ran.stderr[-3000:]
    assert "sysrq triggered crash" in ran.stdout


@pytest.mark.usefixtures("libvirt")
def test_an_up_that_was_killed_is_cleaned_by_down_and_nobody_elses_machine_is(kdevops: Kdevops, lab: Lab) -> None:
    path = lab("killed", count=1)
    virsh("vol-create-as", "default", "kdevops-somebody-elses.img", "1M")
    try:
        process = kdevops.start("up", path)
        wait_until(lambda: "-killed-" in virsh("list", "--all", "--name"), "no machine was begun", seconds=240)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kdevops("down", path, check=0)
        left = [name for name in named("kdevops-") if "-killed-" in name or name.startswith("kdevops-killed")]
        assert left == []
        assert "kdevops-somebody-elses.img" in named("kdevops-")
    finally:
        virsh("vol-delete", "--pool", "default", "kdevops-somebody-elses.img")


virtualbox = pytest.mark.skipif(not shutil.which("VBoxManage"), reason="VirtualBox is not installed here")


@virtualbox
@pytest.mark.skipif(
    sys.platform == "linux" and not Path("/dev/vboxdrv").exists(), reason="VirtualBox's kernel module is not loaded"
)
def test_a_machine_of_virtualbox_runs_our_kernel(kdevops: Kdevops, lab: Lab) -> None:
    scripts = {name: SCRIPTS[name] for name in ("passes", "has-its-disk")}
    path = lab("vbox", count=1, scripts=scripts, backend="virtualbox")
    ran = kdevops("run", path, "commands/*", "--json", timeout=BUILD_SECONDS, check=0)
    assert ran.statuses() == {"passes": "pass", "has-its-disk": "pass"}


@virtualbox
def test_virtualbox_takes_our_box_as_it_is(kdevops: Kdevops, lab: Lab, tmp_path: Path) -> None:
    """Nothing is started, so that VirtualBox's kernel module may be missing."""
    made = kdevops("image", "box", lab("import", backend="virtualbox"), "--json", check=0)
    subprocess.run(["tar", "-xf", made.data["path"], "-C", tmp_path], check=True)
    name = f"kdevops-e2e-{tmp_path.name}"
    vboxmanage("import", tmp_path / "box.ovf", "--vsys", "0", "--vmname", name, "--basefolder", tmp_path)
    try:
        text = vboxmanage("showvminfo", name, "--machinereadable")
        told = dict(re.findall(r'^"?(.+?)"?="?(.*?)"?$', text, re.MULTILINE))
        wanted = {
            "ostype": "Debian (64-bit)", "memory": "2048", "cpus": "2", "firmware": "BIOS", "nic1": "nat",
            "nictype1": "82540EM", "storagecontrollertype0": "IntelAhci",
        }  # fmt: skip
        assert {fact: told[fact] for fact in wanted} == wanted
        assert told[f"{told['storagecontrollername0']}-0-0"].endswith("/box.vmdk")
    finally:
        vboxmanage("unregistervm", name, "--delete")
    assert name not in vboxmanage("list", "vms")


def vboxmanage(*words: str | Path) -> str:
    return subprocess.run(["VBoxManage", *words], capture_output=True, text=True, check=True, timeout=120).stdout
