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
        print(played.stdout)  # what changed, should a test say that too much did
        assert played.returncode == 0, played.stdout + played.stderr
        return {host: int(n) for host, n in re.findall(r"^(\w+)\s*:.*changed=(\d+)", played.stdout, re.MULTILINE)}

    return run


def check(guest: BootLoaderGuest, apply: Apply, variables: dict[str, Any], build_id: str) -> None:
    """The play ends in the wanted kernel, by a reboot."""
    id_before, boot_before = guest.kernel()
    assert id_before != build_id
    assert apply(variables)[NAME] > 0
    id_after, boot_after = guest.kernel()
    assert id_after == build_id
    assert boot_after != boot_before


def test_built_elsewhere(guest: BootLoaderGuest, apply: Apply, kernel: dict[str, Any]) -> None:
    """First on a builder, a host of its own that is given nothing; then on the controller, and there is nothing left to do.

    Either finds the kernel that all tests share: that compiling works is tested where it takes a second.
    """
    variables = {"bootlinux_spec": kernel["record"]["spec"]}
    elsewhere = {"bootlinux_build_on": "builder", "bootlinux_builder": BUILDER, "bootlinux_directory": str(cache_dir())}
    check(guest, apply, variables | elsewhere, kernel["build_id"])
    assert guest.run("uname", "-r").strip() == kernel["release"]
    assert "time_test" in guest.run("find", f"/lib/modules/{kernel['release']}", "-name", "*.ko")

    boot = guest.kernel()
    assert apply(variables) == {NAME: 0}
    assert guest.kernel() == boot


def test_built_in_the_guest(guest: BootLoaderGuest, apply: Apply, kernel: dict[str, Any], tmp_path: Path) -> None:
    """A toy tree is compiled there, and what comes of it is the kernel that all tests share."""
    # It boots without an initramfs, and making one takes an emulated guest 20 s; the other test has one made.
    guest.run("rm", "/etc/kernel/postinst.d/initramfs-tools")
    tree = make_tree(tmp_path / "linux", real=(Path(kernel["image"]), kernel["build_id"]), python="/usr/bin/python3")
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(tree, "linux")
    guest.run("tar", "-x", "-C", "/usr/src", stdin=packed.getvalue())
    spec = {"source": {"kind": "path", "location": "/usr/src/linux"}, "config": {"base": "defconfig"}}
    check(guest, apply, {"bootlinux_spec": spec, "bootlinux_build_on": "guest"}, kernel["build_id"])
