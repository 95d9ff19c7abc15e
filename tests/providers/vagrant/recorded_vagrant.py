"""What our Vagrantfile tells Vagrant, by a Ruby that records it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from kdevops.lab.model import Lab
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.vagrant.render import DirectKernel, VagrantBox, render

BOX = VagrantBox("kdevops/bookworm-0123", "1.2", "/boxes/one.box", "a" * 64)
STAND_IN = Path(__file__).with_name("recording_vagrant.rb")
NEEDS_RUBY = pytest.mark.skipif(not shutil.which("ruby"), reason="ruby is needed; Vagrant brings it")


def a_lab(
    backend: str = "libvirt", *, disks: Sequence[dict[str, Any]] = ({"size": "1GiB", "count": 2},), **provider: Any
) -> Lab:
    text = {
        "name": "demo",
        "provider": {"type": "vagrant", "backend": backend, **provider},
        "guests": {"count": 3, "cpus": 4, "memory": "1536MiB", "disks": list(disks)},
    }
    return Lab.model_validate(text)


def rendered(
    root: Path,
    lab: Lab,
    *,
    driver: Literal["kvm", "qemu"] = "qemu",
    kernel: DirectKernel | None = None,
    keys: bool = True,
) -> Path:
    directory = LabDirectory(root)
    if keys:
        for name in lab.guest_names():
            directory.guest(name).mkdir(parents=True, exist_ok=True)
            (directory.guest(name) / "ssh_host_ed25519_key").write_text(f"key of {name}\n")
        directory.key.write_text("ours\n")
        directory.key.with_suffix(".pub").write_text("ssh-ed25519 AAAA kdevops demo\n")
    return render(lab, directory, BOX, driver=driver, kernel=kernel)


def told(
    *roots: Path, home: Path, cwd: Path | None = None, plugin: Path | None = None, machine: str = ""
) -> list[dict[str, Any]]:
    """What the Vagrantfiles in these directories tell Vagrant, with its plugin for libvirt in this directory.

    `machine` is what VBoxManage says of one.
    """
    environment = {**os.environ, "VAGRANT_HOME": str(home), "LC_ALL": "C", "VBOXMANAGE_SAYS": machine}
    environment |= {"LIBVIRT_PLUGIN": str(plugin)} if plugin else {}
    argv = ["ruby", STAND_IN, *(root / "Vagrantfile" for root in roots)]
    done = subprocess.run(argv, env=environment, cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def machines(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By guest: what the provider's block sets and calls, and the arguments of its provisioner."""
    found = {}
    for name, arguments, _, inner in config["calls"]:
        if name == "vm.define":
            ((_, (kind,), provision, _), (_, (backend,), _, provider)) = inner["calls"]
            assert kind == "shell"
            found[arguments[0]] = {"provision": provision, "backend": backend, **provider}
    return found


def decoded(words: Sequence[str]) -> list[str]:
    """What prepare.sh makes of its arguments."""
    return [base64.b64decode(word, validate=True).decode() for word in words]


def calls(machine: dict[str, Any], name: str) -> list[Any]:
    return [options or arguments for each, arguments, options, _ in machine["calls"] if each == name]
