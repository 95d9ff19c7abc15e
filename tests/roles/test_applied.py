"""Roles applied to this machine, with what they would change put into a temporary directory."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdevops.distribution import distribution_family
from kdevops.errors import InfrastructureError
from kdevops.paths import data_dir
from kdevops.progress import silent
from kdevops.provision.ansible import PlayResult, play
from tests.fakelinux import make_tree
from tests.support import fstests_toy


def apply(playbook: str, tmp_path: Path, variables: dict[str, Any], inventory: Path | None = None) -> PlayResult:
    log = tmp_path / "ansible.log"
    return asyncio.run(play(playbook, inventory=inventory, extravars=variables, report=silent, log=log, timeout=120))


def package_manager(tmp_path: Path, query: str) -> dict[str, list[str]]:
    """Variables for the role `controller` with a package manager that only writes down what it is told."""
    note = ["sh", "-c", f'echo "$@" >>{tmp_path}/done', "sh"]
    return {
        "controller_query": ["sh", "-c", query, "sh"],
        "controller_refresh": [*note, "refresh"],
        "controller_install": [*note, "install"],
    }


def test_controller_does_nothing_when_all_is_there(tmp_path: Path) -> None:
    result = apply("controller.yml", tmp_path, package_manager(tmp_path, "for p; do echo installed; done"))
    assert result.changed == {}
    assert not (tmp_path / "done").exists()


def test_controller_installs_when_something_is_missing(tmp_path: Path) -> None:
    # Not as root: the role would ask sudo, which is not what is tested here.
    variables = package_manager(tmp_path, "echo installed; echo config-files") | {"ansible_become": False}
    assert apply("controller.yml", tmp_path, variables).changed == {"localhost": 1}
    refresh, install = (tmp_path / "done").read_text().splitlines()
    assert refresh.startswith("refresh")
    assert {"git", "make", "rsync"} <= set(install.split()[1:])
    assert "autoconf" not in install


def test_controller_installs_what_builds_fstests_when_asked(tmp_path: Path) -> None:
    variables = package_manager(tmp_path, "echo none") | {"ansible_become": False, "controller_fstests": True}
    apply("controller.yml", tmp_path, variables)
    assert {"git", "autoconf"} <= set((tmp_path / "done").read_text().split())


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory with one host, which is this machine."""
    monkeypatch.setenv("KDEVOPS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "inventory.yml"
    path.write_text("all: {hosts: {toy: {ansible_connection: local}}}\n")
    monkeypatch.setenv("ANSIBLE_PYTHON_INTERPRETER", sys.executable)
    return path


def build_spec(tree: Path) -> dict[str, Any]:
    return {"source": {"kind": "path", "location": str(tree)}, "config": {"options": ["CONFIG_TOYFS=y"]}}


def test_bootlinux_builds_once(tmp_path: Path, guest: Path) -> None:
    variables = {
        "bootlinux_spec": build_spec(make_tree(tmp_path / "linux")),
        "bootlinux_build_on": "builder",
        "bootlinux_builder": "toy",
        "bootlinux_directory": str(tmp_path / "kernels"),
        "bootlinux_direct_boot": True,
    }
    assert apply("bootlinux.yml", tmp_path, variables, guest).changed["toy"] > 0
    assert apply("bootlinux.yml", tmp_path, variables, guest).changed == {}


def test_bootlinux_tells_the_compilers_error(tmp_path: Path, guest: Path) -> None:
    tree = make_tree(tmp_path / "linux", compile_error=True)
    variables = {"bootlinux_spec": build_spec(tree), "bootlinux_direct_boot": True}
    with pytest.raises(InfrastructureError, match=r"task “Build the kernel”.*fs/toyfs\.c:6"):
        apply("bootlinux.yml", tmp_path, variables, guest)


def local_hosts(tmp_path: Path, group: str) -> Path:
    path = tmp_path / f"{group}.yml"
    path.write_text(f"all: {{children: {{{group}: {{hosts: {{toy: {{ansible_connection: local}}}}}}}}}}\n")
    return path


def test_bootlinux_names_a_builder_that_is_not_there(tmp_path: Path, guest: Path) -> None:
    variables = {"bootlinux_spec": {}, "bootlinux_build_on": "builder", "bootlinux_builder": "nobody"}
    with pytest.raises(
        InfrastructureError, match="bootlinux_builder is “nobody”, which is not a host in the inventory"
    ):
        apply("bootlinux.yml", tmp_path, variables, guest)


def test_bootlinux_installs_nothing_on_builders(tmp_path: Path, guest: Path) -> None:
    guest.write_text("all: {children: {builders: {hosts: {maker: {ansible_connection: local}}}}}\n")
    with pytest.raises(InfrastructureError, match="matched no hosts"):
        apply("bootlinux.yml", tmp_path, {"bootlinux_spec": {}}, guest)


ARTIFACT = {"release": "6.1.112", "build_id": "beef01", "key": "k1", "directory": "/d", "image": "bzImage"}
SEEN = """\
release 6.1.112
notes 0400beef0103
cmdline BOOT_IMAGE=/boot/vmlinuz-6.1.112 ro panic=10 a=1
distribution debian
installed 6.1.112=k1
disk ext4 /dev/vda1
menu gnulinux-6.1.112-advanced-U gnulinux-old-advanced-U
saved_entry gnulinux-6.1.112-advanced-U
kdevops_entry gnulinux-6.1.112-advanced-U
kdevops_cmdline a=1
kdevops_fallback old
kdevops_proven 1
"""


def booted(seen: str, **more: Any) -> dict[str, Any]:
    """Variables for a guest that gives these answers, for the kernel `ARTIFACT` with the parameter a=1."""
    return {
        "bootlinux_see": f"cat <<'EOF'\n{seen}EOF\n",
        "bootlinux_artifact": ARTIFACT,
        "bootlinux_cmdline": ["a=1"],
        **more,
    }


def test_bootlinux_asks_a_guest_that_fits_one_question(tmp_path: Path, guest: Path) -> None:
    assert apply("bootlinux.yml", tmp_path, booted(SEEN), guest).changed == {}
    log = (tmp_path / "ansible.log").read_text()
    assert log.count("ok: [toy]") == 4, "two checks of variables, those of their types, and the question"


def test_bootlinux_starts_a_kernel_once(tmp_path: Path, guest: Path) -> None:
    """The reboot is refused where the guest is this machine: as good as one that does not end."""
    tool = ["sh", "-c", f'printf "%s\\n" "$@" >>{tmp_path}/told', "sh"]
    seen = SEEN.replace("beef01", "beef02").replace("saved_entry gnulinux-6.1.112", "saved_entry gnulinux-old")
    failed = "^playbook bootlinux.yml failed on toy, task “Fail if the guest does not answer”: toy was"
    with pytest.raises(InfrastructureError, match=failed) as error:
        apply("bootlinux.yml", tmp_path, booted(seen, bootlinux_editenv=wrapped(tmp_path, tool)), guest)
    assert "rebooted into kernel 6.1.112 (build id beef01) and does not answer" in error.value.message
    assert "Reset the guest, and it boots the previous kernel" in error.value.message
    assert (tmp_path / "told").read_text().splitlines() == [
        "-", "set", "saved_entry=gnulinux-old-advanced-U", "next_entry=gnulinux-6.1.112-advanced-U",
        "kdevops_entry=gnulinux-6.1.112-advanced-U", "kdevops_proven=", "kdevops_cmdline=a=1", "kdevops_fallback=old",
    ]  # fmt: skip


def wrapped(tmp_path: Path, argv: list[str]) -> str:
    tool = tmp_path / "tool"
    tool.write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
    tool.chmod(0o755)
    return str(tool)


def test_bootlinux_says_what_it_cannot_do(tmp_path: Path, guest: Path) -> None:
    other = SEEN.replace("beef01", "beef02")
    nameless, huge = {**ARTIFACT, "release": "unknown"}, ["a" * 501]
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "unasked": (booted("", bootlinux_artifact={}), "set bootlinux_spec (what to build) or bootlinux_artifact"),
        "bare": (
            booted("", bootlinux_artifact={"image": "/i", "release": "6"}),
            "bootlinux_artifact lacks directory, key",
        ),
        "quoted": (
            booted("", bootlinux_cmdline=["a", 'b="c d"']),
            'bootlinux_cmdline has “b="c d"”: a parameter must be',
        ),
        "long": (
            booted("", bootlinux_cmdline=huge),
            "bootlinux_cmdline has 501 characters; the boot loader can store 500",
        ),
        "nameless": (booted(other, bootlinux_artifact=nameless), "the release of bzImage is unknown"),
        "strange": (booted(f"{other}distribution plan9\n"), "the boot loader of the distribution of strange: plan9"),
        "only": (
            booted(f"{other}kdevops_fallback \ninstalled \n"),
            "only runs another kernel of the same release, 6.1.112. The new kernel would overwrite",
        ),
        "gone": (
            booted(f"{other}kdevops_fallback 5\n"),
            "no entry for 5, the kernel to fall back to; with bootlinux_fallback=fa",
        ),
        "lvm": (
            booted(f"{other}disk ext4 /dev/mapper/root\n"),
            "cannot write to /boot of lvm (ext4 /dev/mapper/root), so",
        ),
    }
    hosts = {name: {"ansible_connection": "local", **given} for name, (given, _) in cases.items()}
    guest.write_text(json.dumps({"all": {"hosts": hosts}}))
    with pytest.raises(InfrastructureError) as error:
        apply("bootlinux.yml", tmp_path, {}, guest)
    told = dict(re.findall(r"(\w+), task “[^”]*”: (.*?)(?=; \w+, task|$)", error.value.message))
    assert {name: message for name, (_, message) in cases.items() if message not in told[name]} == {}


def test_selftests_never_run_nothing(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="set kdevops_lab_file to the lab file"):
        apply("selftests.yml", tmp_path, {"selftests_install": False}, local_hosts(tmp_path, "selftests"))


@pytest.mark.skipif(os.geteuid() != 0, reason="what it installs belongs to root")
@pytest.mark.parametrize("where", ["controller", "guest"])
def test_fstests_is_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("KDEVOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ANSIBLE_PYTHON_INTERPRETER", sys.executable)
    tree = fstests_toy.make_tree(tmp_path / "xfstests")
    fstests_toy.commit(tree)
    variables = {
        **package_manager(tmp_path, "for p; do echo installed; done"),
        **fstests_toy.role_variables(tmp_path, tree, where),
    }
    hosts = local_hosts(tmp_path, "fstests")
    (tmp_path / "opt").mkdir()
    assert apply("fstests.yml", tmp_path, variables, hosts).changed["toy"] > 0
    assert (tmp_path / "users").read_text() == "no-such-user\n", "there is one already"
    assert os.access(tmp_path / "opt/fstests/src/toy", os.X_OK)
    assert (tmp_path / "opt/fstests/check").is_file()
    variables["fstests_users"] = ["root"]
    assert apply("fstests.yml", tmp_path, variables, hosts).changed == {}


@pytest.mark.parametrize("suite", ["fstests", "selftests"])
def test_suites_are_for_all_hosts_of_an_inventory_without_their_group(tmp_path: Path, suite: str) -> None:
    """But for those that serve the others, or compile."""
    path = tmp_path / "hosts.yml"
    local = {"ansible_connection": "local"}
    groups = {"builders": {"hosts": {"maker": local}}, "nfsd": {"hosts": {"server": local}}}
    path.write_text(json.dumps({"all": {"hosts": {"toy": local}, "children": groups}}))
    assert set(apply(f"{suite}.yml", tmp_path, {f"{suite}_install": False, f"{suite}_run": False}, path).ok) == {"toy"}


def test_fstests_installs_what_its_file_systems_need(tmp_path: Path, guest: Path) -> None:
    variables = package_manager(tmp_path, f'echo "$@" >>{tmp_path}/asked; for p; do echo installed; done') | {
        "fstests_file_systems": ["xfs", "nfs"],
        "fstests_users": ["root"],
        "fstests_build_on": "guest",
        "fstests_path": "/none",
        "fstests_run": False,
    }
    with pytest.raises(InfrastructureError, match="a tree on the controller and can only be built there"):
        apply("fstests.yml", tmp_path, variables, guest)
    asked = (tmp_path / "asked").read_text().split()
    special = yaml.safe_load((data_dir("roles") / f"fstests/vars/{distribution_family()}.yml").read_text())
    assert set(special["fstests_file_system_packages"]["nfs"]) <= set(asked)
    assert not set(special["fstests_file_system_packages"]["cifs"]) & set(asked)


def test_fstests_never_run_nothing(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="set kdevops_lab_file to the lab file"):
        apply("fstests.yml", tmp_path, {"fstests_install": False}, local_hosts(tmp_path, "fstests"))
