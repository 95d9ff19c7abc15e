"""What `kdevops doctor --vagrant` says, with tools that answer what they are told to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdevops.doctor import vagrant as doctor_vagrant
from kdevops.doctor.checks import Check
from kdevops.doctor.vagrant import Backend, check_vagrant

VAGRANT = """\
case "$*" in
--version) echo Vagrant 2.3.4 ;;
"plugin list") echo "vagrant-libvirt (0.11.2, system)" ;;
esac"""
VIRSH = """\
case $3 in
version) printf 'Using library: libvirt 9.0.0\\nUsing API: QEMU 9.0.0\\nRunning hypervisor: QEMU 7.2.22\\n' ;;
pool-info) printf 'Name:           default\\nState:          running\\nAutostart:      yes\\n' ;;
net-info) printf 'Name:           default\\nActive:         yes\\n' ;;
esac"""
HEALTHY = {"vagrant": VAGRANT, "virsh": VIRSH}
SOCKET = "echo \"error: Failed to connect socket to '/run/libvirt/libvirt-sock': {}\" >&2; exit 1"


def look(path: Path, tools: dict[str, str], backend: Backend = "libvirt", device: str = "none") -> dict[str, Check]:
    for name, script in tools.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)
    return {check.name: check for check in asyncio.run(check_vagrant(backend, path / device))}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor_vagrant.platform, "machine", lambda: "x86_64")
    return tmp_path


def test_a_machine_that_has_it_all(path: Path) -> None:
    checks = look(path, HEALTHY)
    assert {name: check.detail for name, check in checks.items()} == {
        "vagrant": "2.3.4",
        "plugin vagrant-libvirt": "0.11.2",
        "virsh": "installed",
        "libvirt": "answers at qemu:///system, libvirt 9.0.0, QEMU 7.2.22",
        "storage pool default": "active",
        "network default": "active",
    }
    assert all(check.ok for check in checks.values())


@pytest.mark.parametrize(
    ("reason", "detail", "mend"),
    [
        ("No such file or directory", "does not run, there is no", "kdevops doctor --vagrant --install"),
        ("Connection refused", "does not run, but left", "kdevops doctor --vagrant --install"),
        ("Permission denied", "this user may not connect", 'sudo usermod --append --groups libvirt "$USER"'),
    ],
)
def test_why_libvirt_does_not_answer(path: Path, reason: str, detail: str, mend: str) -> None:
    checks = look(path, HEALTHY | {"virsh": SOCKET.format(reason)})
    assert list(checks) == ["vagrant", "plugin vagrant-libvirt", "virsh", "libvirt"]
    assert not checks["libvirt"].ok
    assert detail in checks["libvirt"].detail
    assert checks["libvirt"].mend.startswith(mend)


def test_a_pool_that_is_stopped_and_a_network_that_is_not_there(path: Path) -> None:
    stopped = VIRSH.replace("running\\n", "inactive\\n", 1).replace(
        "net-info) ",
        "net-info) echo \"error: Network not found: no network with matching name 'default'\" >&2; exit 1;",
    )
    checks = look(path, HEALTHY | {"virsh": stopped})
    pool, network = checks["storage pool default"], checks["network default"]
    assert (pool.ok, pool.detail) == (False, "exists, but is stopped")
    assert pool.mend == "virsh --connect qemu:///system pool-start default"
    assert (network.ok, network.detail) == (False, "libvirt has no network default")
    assert network.mend.startswith("kdevops doctor --vagrant --install")


def test_without_vagrant_and_libvirt(path: Path) -> None:
    checks = look(path, {})
    assert list(checks) == ["vagrant", "virsh"]
    assert [check.detail for check in checks.values()] == [
        "missing",
        "missing: needed to find domains that Vagrant has lost track of",
    ]
    assert all(check.needed and not check.ok for check in checks.values())


def test_the_packages_are_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_vagrant, "install_command", lambda needed: " ".join(need.package for need in needed))
    monkeypatch.setattr(doctor_vagrant, "this_distribution", lambda: ("debian", "bookworm"))
    checks = look(path, {})
    assert (checks["vagrant"].mend, checks["virsh"].mend) == ("sudo vagrant", "sudo libvirt-clients")
    monkeypatch.setattr(doctor_vagrant, "this_distribution", lambda: ("unknown", ""))
    checks = look(path, {})
    assert (checks["vagrant"].mend, checks["virsh"].mend) == ("", "kdevops doctor --vagrant --install")


def test_the_plugin_missing(path: Path) -> None:
    checks = look(path, HEALTHY | {"vagrant": VAGRANT.replace("vagrant-libvirt (", "vagrant-other (")})
    assert "vagrant plugin install vagrant-libvirt" in checks["plugin vagrant-libvirt"].mend
    broken = (
        "[ $1 = plugin ] || { echo Vagrant 2.3.4; exit; }; echo 'The plugins failed to load properly. The error message \
given is shown below. no' >&2; exit 1"
    )
    assert look(path, HEALTHY | {"vagrant": broken})["plugin vagrant-libvirt"].mend == "vagrant plugin repair"


def test_virtualbox_missing(path: Path) -> None:
    checks = look(path, HEALTHY, "virtualbox")
    assert list(checks) == ["vagrant", "VBoxManage"]
    assert checks["VBoxManage"].detail == "missing"
    assert "provider.backend: libvirt" in checks["VBoxManage"].mend


WARNED = """\
cat <<'END'
WARNING: The character device /dev/vboxdrv does not exist.
\t Please install the virtualbox-dkms package and the appropriate
\t headers, most likely linux-headers-amd64.

\t You will not be able to start VMs until this problem is fixed.
7.2.22_Debianr175245
END"""
"""What Debian's VBoxManage 7.2 says at --version without its module."""
UNKNOWN = """\
cat >&2 <<'END'
The provider 'virtualbox' that was requested to back the machine
'default' is reporting that it isn't usable on this system. The
reason is shown below:

Vagrant has detected that you have a version of VirtualBox installed
that is not supported by this version of Vagrant. Please install one of
the supported versions listed below to use Vagrant:

4.0, 4.1, 4.2, 4.3, 5.0, 5.1, 5.2, 6.0, 6.1, 7.0

A Vagrant update may also be available that adds support for the version
you specified.
END
exit 1"""
"""What Vagrant 2.3.4 says of VirtualBox 7.2 at validate."""


@pytest.mark.parametrize("loaded", [True, False])
def test_virtualbox_and_its_kernel_module(path: Path, loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_vagrant.sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{path}:/bin")
    if loaded:
        (path / "vboxdrv").touch()
    checks = look(path, HEALTHY | {"VBoxManage": WARNED}, "virtualbox", "vboxdrv")
    assert checks["VBoxManage"].detail == "7.2.22_Debianr175245"
    assert checks[str(path / "vboxdrv")].ok is loaded
    assert "modprobe vboxdrv" in checks[str(path / "vboxdrv")].mend
    assert ("vagrant and VirtualBox" in checks) is loaded, "Vagrant would complain of the module only"


@pytest.mark.parametrize(
    ("family", "script", "mend"),
    [
        ("debian", False, "sudo apt-get install virtualbox-dkms linux-headers-$(uname -r) && sudo modprobe vboxdrv"),
        ("debian", True, "sudo modprobe vboxdrv (if there is no module for this kernel: sudo {script})"),
        ("fedora", False, "sudo modprobe vboxdrv (if there is no module for this kernel: sudo {script})"),
    ],
)
def test_the_module_of_a_distribution_is_a_package_of_its_own(
    path: Path, family: str, script: bool, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle's packages have a script that builds it, Debian's have none."""
    monkeypatch.setattr(doctor_vagrant.sys, "platform", "linux")
    monkeypatch.setattr(doctor_vagrant, "this_distribution", lambda: (family, ""))
    monkeypatch.setattr(doctor_vagrant, "_BUILDER", path / "vboxconfig")
    if script:
        (path / "vboxconfig").touch()
    checks = look(path, HEALTHY | {"VBoxManage": "echo 7.2.22r175245"}, "virtualbox", "vboxdrv")
    assert checks[str(path / "vboxdrv")].mend == mend.format(script=path / "vboxconfig")


def test_a_vagrant_that_is_older_than_virtualbox(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_vagrant.sys, "platform", "linux")
    monkeypatch.setenv("PATH", f"{path}:/bin")
    (path / "vboxdrv").touch()
    tools = {"vagrant": VAGRANT, "VBoxManage": "echo 7.2.22r175245"}
    together = look(path, tools, "virtualbox", "vboxdrv")["vagrant and VirtualBox"]
    assert (together.ok, together.detail) == (True, "compatible")
    seen = f'[ "$PWD/$VAGRANT_VAGRANTFILE" -ef Vagrantfile -a "$VAGRANT_DEFAULT_PROVIDER" = virtualbox ] || exit 9\n{UNKNOWN}'
    tools["vagrant"] = VAGRANT.replace("esac", f"validate) {seen} ;;\nesac")
    together = look(path, tools, "virtualbox", "vboxdrv")["vagrant and VirtualBox"]
    assert not together.ok
    assert "only 4.0, 4.1, 4.2, 4.3, 5.0, 5.1, 5.2, 6.0, 6.1, 7.0" in together.detail
    assert "install a newer Vagrant" in together.mend


def test_virtualbox_without_a_version(path: Path) -> None:
    checks = look(path, HEALTHY | {"VBoxManage": ":"}, "virtualbox")
    assert (checks["VBoxManage"].ok, checks["VBoxManage"].mend) == (False, "VBoxManage --version")


def test_virtualbox_on_arm_says_what_it_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_vagrant.sys, "platform", "darwin")
    monkeypatch.setattr(doctor_vagrant.platform, "machine", lambda: "arm64")
    checks = look(path, HEALTHY | {"VBoxManage": "echo 7.1.4r165100"}, "virtualbox")
    assert list(checks) == ["vagrant", "VBoxManage", "ARM host", "vagrant and VirtualBox"]
    assert "boxes for ARM" in checks["ARM host"].detail
