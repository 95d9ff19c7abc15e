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
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from kdevops.distribution import distribution_family
from kdevops.paths import cache_dir
from tests.e2e.boot_loader_guest import BootLoaderGuest
from tests.e2e.conftest import REPOSITORY
from tests.e2e.distribution_image import NAME, distribution_image
from tests.fakelinux import make_tree

pytestmark = pytest.mark.skipif(distribution_family() != "debian", reason="the image is made of packages of Debian")
BUILDER = "maker"
PARAMETERS = ["kdevops.one=1", "kdevops.letters=a*b,{c}[d]|e&f;g<h>(i)#~!%?@^_:+"]
"""The second has every letter that could mean something to a shell or to GRUB, and is allowed."""


@dataclass(frozen=True)
class Played:
    """How a play ended: what it said, and of each host how many tasks changed something."""

    code: int
    said: str
    changed: dict[str, int]


Apply = Callable[..., Played]


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[BootLoaderGuest]:
    """A machine that runs the distribution's kernel."""
    image = asyncio.run(distribution_image(cache_dir()))
    guest = BootLoaderGuest.boot(image, tmp_path / "machine")
    yield guest
    guest.end()


@pytest.fixture
def apply(guest: BootLoaderGuest, tmp_path: Path) -> Apply:
    """Run the playbook by plain ansible-playbook."""
    inventory = tmp_path / "inventory.json"
    maker = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(
        json.dumps({"all": {"hosts": {NAME: guest.host()}, "children": {"builders": {"hosts": {BUILDER: maker}}}}})
    )
    playbook = shutil.which("ansible-playbook", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert playbook

    def run(variables: dict[str, Any], *, code: int = 0) -> Played:
        argv = [playbook, "-i", inventory, REPOSITORY / "playbooks/bootlinux.yml", "-e", json.dumps(variables)]
        started = time.monotonic()
        played = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False, cwd=REPOSITORY)
        # Shown where the test fails.
        print(f"{played.stdout}{played.stderr}{time.monotonic() - started:.1f} s")
        assert played.returncode == code
        changed = {host: int(n) for host, n in re.findall(r"^(\w+)\s*:.*changed=(\d+)", played.stdout, re.MULTILINE)}
        return Played(played.returncode, played.stdout + played.stderr, changed)

    return run


def check(guest: BootLoaderGuest, apply: Apply, variables: dict[str, Any], build_id: str) -> None:
    """The play ends in the wanted kernel with the wanted parameters, by a reboot."""
    boot_before = guest.kernel()[1]
    assert apply(variables).changed[NAME] > 0
    id_after, boot_after = guest.kernel()
    assert id_after == build_id
    assert boot_after != boot_before
    assert " ".join(["panic=10", *variables["bootlinux_cmdline"]]) in guest.run("cat", "/proc/cmdline")


def test_kernels_come_fail_and_stay(
    guest: BootLoaderGuest, apply: Apply, shared_kernel: dict[str, Any], tmp_path: Path
) -> None:
    """Every boot of an emulated machine takes half a minute, so all that the role does is seen on one of them, in a row."""
    kernel = shared_kernel
    # A toy tree is compiled in the guest, and what comes of it is the kernel that all tests share.
    tree = make_tree(tmp_path / "linux", real=(Path(kernel["image"]), kernel["build_id"]), python="/usr/bin/python3")
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(tree, "linux")
    guest.run("tar", "-x", "-C", "/usr/src", stdin=packed.getvalue())
    spec = {"source": {"kind": "path", "location": "/usr/src/linux"}, "config": {"base": "defconfig"}}
    toy = {"bootlinux_spec": spec, "bootlinux_build_on": "guest"}
    # It boots without an initramfs; another one is made below.
    hook, aside = "/etc/kernel/postinst.d/initramfs-tools", "/root/initramfs-tools"
    guest.run("mv", hook, aside)
    fails_and_the_old_one_is_back(guest, apply, toy, kernel["build_id"])

    # With other parameters it comes up, and stays when the power is cut.
    check(guest, apply, toy | {"bootlinux_cmdline": PARAMETERS}, kernel["build_id"])
    assert guest.run("uname", "-r").strip() == kernel["release"]
    guest.cut_power()
    assert guest.kernel()[0] == kernel["build_id"]
    assert PARAMETERS[1] in guest.run("cat", "/proc/cmdline")

    # Another release comes from a builder, a host of its own that is given nothing; it finds what is in the cache.
    guest.run("mv", aside, hook)
    variables = {"bootlinux_spec": kernel["record"]["spec"], "bootlinux_cmdline": PARAMETERS[:1]}
    elsewhere = {"bootlinux_build_on": "builder", "bootlinux_builder": BUILDER, "bootlinux_directory": str(cache_dir())}
    check(guest, apply, variables | elsewhere, kernel["build_id"])
    assert "time_test" in guest.run("find", f"/lib/modules/{kernel['release']}", "-name", "*.ko")
    assert f"/vmlinuz-{kernel['release']} " in guest.run("cat", "/proc/cmdline")
    assert f"initrd.img-{kernel['release']}" in guest.run("ls", "/boot")

    # It is there now, however it is asked for.
    boot = guest.kernel()
    for given in (variables, {"bootlinux_artifact": kernel, "bootlinux_cmdline": PARAMETERS[:1]}):
        assert apply(given).changed == {NAME: 0}
    assert guest.kernel() == boot


def fails_and_the_old_one_is_back(
    guest: BootLoaderGuest, apply: Apply, variables: dict[str, Any], build_id: str
) -> None:
    """A kernel that does not come up is told, and the machine runs the one it came with again."""
    old, old_boot = guest.kernel()
    # A panic reboots by itself, here at once.
    said = apply(variables | {"bootlinux_cmdline": ["init=/nonexistent", "panic=1"]}, code=2).said
    assert re.search(
        rf"kernel \S+-toy \(build id {build_id[:12]}\) was installed and booted but did "
        rf"not come up: {NAME} runs \S+-cloud-amd64 again\. See its console for the cause",
        said,
    )
    assert "Requested init /nonexistent failed" in guest.console()
    assert guest.kernel()[0] == old
    assert guest.kernel()[1] != old_boot
    assert "init=/nonexistent" not in guest.run("cat", "/proc/cmdline")
