from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from kdevops.doctor import packages
from kdevops.doctor.packages import Need, PackageManager
from kdevops.errors import InfrastructureError
from kdevops.paths import data_dir
from kdevops.progress import silent

FAMILIES = ("debian", "redhat", "suse", "archlinux")
TABLE = json.loads((data_dir("roles") / "controller/vars/commands.json").read_text())


def manager(script: str) -> PackageManager:
    return PackageManager(("sh", "-c", script, "sh"), ("pkg", "install"))


@pytest.fixture
def distribution(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(packages, "this_distribution", lambda: ("debian", "bookworm"))
    return monkeypatch


@pytest.mark.parametrize("kind", ["controller_commands", "controller_optional_commands", "controller_libraries"])
def test_every_need_says_who_brings_it_for_every_family(kind: str) -> None:
    for name, brings in TABLE[kind].items():
        assert tuple(brings) == FAMILIES, name
        assert all(package is None or package == package.strip() != "" for package in brings.values()), name


def test_no_name_stands_for_two_things() -> None:
    names = [name for kind in ("commands", "optional_commands", "libraries") for name in TABLE[f"controller_{kind}"]]
    assert sorted(names) == sorted(set(names)), "a hint would name the package of the other"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_ask_refresh_and_install(family: str) -> None:
    words = yaml.safe_load((data_dir("roles") / f"controller/vars/{family}.yml").read_text())
    assert set(words) == {"controller_query", "controller_refresh", "controller_install"}
    assert packages.package_manager(family) is not None


def test_needs_follow_family_and_release() -> None:
    found = {need.name: need for need in packages.needs("debian", "bookworm")}
    assert found["qemu-system-x86_64"] == Need("qemu-system-x86_64", "qemu-system-x86", command=True)
    assert "linux-source-6.1" in found
    assert "linux-source-6.1" not in {need.name for need in packages.needs("debian", "trixie")}
    assert {need.package for need in packages.needs("unknown", "")} == {""}


@pytest.mark.parametrize("family", FAMILIES)
def test_what_builds_fstests_is_asked_for_only_when_wanted(family: str) -> None:
    usual, all_of_it = packages.needs(family, ""), packages.needs(family, "", suites=["fstests"])
    assert all_of_it[: len(usual)] == usual
    more = {need.name: need for need in all_of_it[len(usual) :]}
    assert more["autoconf"] == Need("autoconf", "autoconf", command=True)
    assert not more["libaio.h"].command
    assert all(need.package for need in more.values())
    assert packages.needs("unknown", "", suites=["fstests"]) == packages.needs("unknown", "")


@pytest.mark.parametrize("family", FAMILIES)
def test_what_vagrant_takes_is_asked_for_only_when_wanted(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "_SYSTEMD_RUNS", tmp_path)
    usual, all_of_it = packages.needs(family, ""), packages.needs(family, "", libvirt=True)
    assert all_of_it[: len(usual)] == usual
    more = {need.name: need for need in all_of_it[len(usual) :]}
    assert more["vagrant"] == Need("vagrant", "vagrant", command=True)
    assert all(need.package for need in more.values())
    assert "libvirtd" not in more
    monkeypatch.setattr(packages, "_SYSTEMD_RUNS", tmp_path / "none")
    own_start = {need.name for need in packages.needs(family, "", libvirt=True)} - more.keys()
    assert ("libvirtd" in own_start) == (family != "archlinux")


@pytest.mark.parametrize(
    ("script", "libraries_missing"),
    [
        ("for p; do echo installed; done", False),  # dpkg-query and rpm, all there
        (":", False),  # pacman, all there
        ("for p; do [ $p = libelf-dev ] || echo installed; done; exit 1", True),
        ("for p; do [ $p = libelf-dev ] && echo config-files || echo installed; done", True),  # removed, not purged
    ],
)
def test_libraries_are_missing_when_the_package_manager_says_so(
    distribution: pytest.MonkeyPatch, script: str, libraries_missing: bool
) -> None:
    script = script.replace("exit 1", 'case " $* " in *" libelf-dev "*) exit 1;; esac')
    distribution.setattr(packages, "package_manager", lambda family: manager(script))
    distribution.setattr(packages, "find_command", lambda name: f"/usr/bin/{name}")
    absent = asyncio.run(packages.missing())
    assert [need.package for need in absent] == (["libelf-dev"] if libraries_missing else [])


def test_commands_are_missing_when_nowhere_to_be_found(distribution: pytest.MonkeyPatch) -> None:
    distribution.setattr(packages, "package_manager", lambda family: manager(":"))
    distribution.setattr(packages, "find_command", lambda name: None if name == "qemu-img" else name)
    absent = asyncio.run(packages.missing())
    assert absent == (Need("qemu-img", "qemu-utils", command=True),)
    assert packages.install_command(absent) == "pkg install qemu-utils"


def test_a_command_in_sbin_is_found_with_a_plain_users_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert packages.find_command("mkfs.ext4") in {"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"}


def test_an_unknown_distribution_cannot_be_installed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "this_distribution", lambda: ("unknown", ""))
    with pytest.raises(InfrastructureError, match="does not belong to"):
        asyncio.run(packages.install(report=silent, log=tmp_path / "log", ask_password=None))


@pytest.mark.parametrize(("sudo", "obstacle"), [(True, "no terminal"), (False, "sudo is not installed")])
def test_without_root_the_error_is_the_command_to_run(
    distribution: pytest.MonkeyPatch, tmp_path: Path, sudo: bool, obstacle: str
) -> None:
    if sudo:
        (tmp_path / "sudo").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "sudo").chmod(0o755)
    distribution.setattr(packages.os, "geteuid", lambda: 1000)
    distribution.setattr(packages, "find_command", lambda name: None if name == "qemu-img" else name)
    distribution.setattr(packages, "package_manager", lambda family: PackageManager(("/bin/true",), ("pkg", "install")))
    distribution.setenv("PATH", str(tmp_path))
    with pytest.raises(InfrastructureError, match=obstacle) as caught:
        asyncio.run(packages.install(report=silent, log=tmp_path / "log", ask_password=None))
    assert caught.value.hint == "as root, run: pkg install qemu-utils"


def test_what_is_installed_already_is_set_up_by_root_too(distribution: pytest.MonkeyPatch, tmp_path: Path) -> None:
    distribution.setattr(packages.os, "geteuid", lambda: 1000)
    distribution.setattr(packages, "find_command", lambda name: name)
    distribution.setattr(packages, "package_manager", lambda family: PackageManager(("/bin/true",), ("pkg", "install")))
    distribution.setenv("PATH", str(tmp_path))
    with pytest.raises(InfrastructureError, match="libvirt is not set up, and sudo is not installed") as caught:
        asyncio.run(packages.install(report=silent, log=tmp_path / "log", ask_password=None, libvirt=True))
    assert caught.value.hint == "as root, run: kdevops doctor --vagrant --install"
