"""The role bootlinux where it has to install: a real boot loader, real reboots, and the proof by build id."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from boot_loader_guest import BootLoaderGuest
from conftest import LABS, REPOSITORY, Kdevops
from distribution_image import NAME, distribution_image
from fakelinux import make_tree

from kdevops.paths import cache_dir
from kdevops.process import distribution_family

pytestmark = pytest.mark.skipif(distribution_family() != "debian", reason="the image is made of packages of Debian")
BUILDER = "maker"
Apply = Callable[[dict[str, Any]], dict[str, int]]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootLoaderGuest]:
    image = asyncio.run(distribution_image(cache_dir()))
    guest = BootLoaderGuest.boot(image, tmp_path_factory.mktemp("machine"))
    yield guest
    guest.end()


@pytest.fixture
def guest(machine: BootLoaderGuest) -> BootLoaderGuest:
    """The machine as it came up first, with the distribution's kernel."""
    machine.fresh()
    return machine


@pytest.fixture
def kernel(kdevops: Kdevops) -> dict[str, Any]:
    """The kernel that all tests with guests share."""
    (artifact,) = kdevops("kernel", "build", LABS / "demo.yaml", "--json", timeout=3600, check=0).data
    return dict(artifact)


@pytest.fixture
def apply(guest: BootLoaderGuest, tmp_path: Path) -> Apply:
    """Run the playbook by plain ansible-playbook; gives how many tasks changed something, by host."""
    inventory = tmp_path / "inventory.json"
    maker = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(
        json.dumps({"all": {"hosts": {NAME: guest.host()}, "children": {"builders": {"hosts": {BUILDER: maker}}}}})
    )
    playbook = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert playbook

    def run(variables: dict[str, Any]) -> dict[str, int]:
        argv = [playbook, "-i", inventory, REPOSITORY / "playbooks/bootlinux.yml", "-e", json.dumps(variables)]
        played = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False, cwd=REPOSITORY)
        assert played.returncode == 0, played.stdout + played.stderr
        return {host: int(n) for host, n in re.findall(r"^(\w+)\s*:.*changed=(\d+)", played.stdout, re.MULTILINE)}

    return run


def check_twice(guest: BootLoaderGuest, apply: Apply, variables: dict[str, Any], build_id: str) -> None:
    """The first play ends in the wanted kernel after one reboot; the second finds nothing to do."""
    id_before, boot_before = guest.kernel()
    assert id_before != build_id
    assert apply(variables)[NAME] > 0
    id_after, boot_after = guest.kernel()
    assert id_after == build_id
    assert boot_after != boot_before
    assert apply(variables) == {NAME: 0}
    assert guest.kernel() == (id_after, boot_after)


def without_initramfs(guest: BootLoaderGuest) -> None:
    """The kernel boots without one, and making it takes an emulated guest 20 s. The first test has one made."""
    guest.run("rm", "/etc/kernel/postinst.d/initramfs-tools")


def toy_spec(tree: str) -> dict[str, Any]:
    return {"source": {"kind": "path", "location": tree}, "config": {"base": "defconfig"}}


def test_built_on_the_controller(guest: BootLoaderGuest, apply: Apply, kernel: dict[str, Any]) -> None:
    check_twice(guest, apply, {"bootlinux_spec": kernel["record"]["spec"]}, kernel["build_id"])
    assert guest.run("uname", "-r").strip() == kernel["release"]
    assert "time_test" in guest.run("find", f"/lib/modules/{kernel['release']}", "-name", "*.ko")


def test_built_on_a_builder(guest: BootLoaderGuest, apply: Apply, kernel: dict[str, Any], tmp_path: Path) -> None:
    """The builder is a host of its own, which compiles and is given nothing."""
    without_initramfs(guest)
    tree = make_tree(tmp_path / "linux", real=(Path(kernel["image"]), kernel["build_id"]), python="/usr/bin/python3")
    variables = {
        "bootlinux_spec": toy_spec(str(tree)),
        "bootlinux_build_on": "builder",
        "bootlinux_builder": BUILDER,
        "bootlinux_directory": str(tmp_path / "kernels"),
    }
    check_twice(guest, apply, variables, kernel["build_id"])


def test_built_in_the_guest(guest: BootLoaderGuest, apply: Apply, kernel: dict[str, Any], tmp_path: Path) -> None:
    without_initramfs(guest)
    tree = make_tree(tmp_path / "linux", real=(Path(kernel["image"]), kernel["build_id"]), python="/usr/bin/python3")
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(tree, "linux")
    guest.run("tar", "-x", "-C", "/usr/src", stdin=packed.getvalue())
    variables = {"bootlinux_spec": toy_spec("/usr/src/linux"), "bootlinux_build_on": "guest"}
    check_twice(guest, apply, variables, kernel["build_id"])
