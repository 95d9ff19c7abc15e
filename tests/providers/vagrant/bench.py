"""Vagrant and virsh as scripts that remember what they were told, for the tests of the provider."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import SshTarget
from kdevops.lab.model import Lab
from kdevops.providers.base import BootKernel
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.vagrant.provider import VagrantProvider
from kdevops.providers.vagrant.render import VagrantBox

VAGRANT = r"""#!/bin/sh
echo "vagrant $*" >>"$SAID"
case $1 in
box) mkdir -p "$VAGRANT_HOME/boxes/kdevops-VAGRANTSLASH-box/0/libvirt"
    : >"$VAGRANT_HOME/boxes/kdevops-VAGRANTSLASH-box/0/libvirt/metadata.json" ;;
up) printf '    lab-%s: SSH address: 127.0.0.1:%s\n' 1 "$PORT" 2 "$PORT" ;;
status) printf '1,lab-1,state,running\n' ;;
snapshot) [ -z "$NO_SNAPSHOTS" ] || { echo "Error: no snapshots" >&2; exit 1; } ;;
esac
"""
VIRSH = """#!/bin/sh
shift 3
case $1 in
destroy | vol-delete) echo "virsh $*" | sed 's/kdevops-lab-[0-9a-f]*-//' >>"$SAID" ;;
vol-info) printf 'Name:           box\\nPhysical:       %s bytes\\n' "${PHYSICAL:-4096}" ;;
esac
"""


class Bench:
    """A lab of one guest. `said` has the commands since it was asked last."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.monkeypatch = monkeypatch
        self.installed: list[tuple[str, ...]] = []
        self.refuse = False
        self.boot = "install"
        self.backend = "libvirt"
        self.hypervisors = ["qemu:///system"]
        self.told: list[str] = []
        for name, text in {"vagrant": VAGRANT, "virsh": VIRSH, "ssh": "#!/bin/sh\n"}.items():
            script = path / "bin" / name
            script.parent.mkdir(exist_ok=True)
            script.write_text(text)
            script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("SAID", str(path / "said"))
        monkeypatch.setenv("VAGRANT_HOME", str(path / "home"))
        box = path / "home/boxes/kdevops-VAGRANTSLASH-box/1.0/libvirt"
        box.mkdir(parents=True)
        (box / "metadata.json").write_text("{}")
        (box / "box.img").write_bytes(bytes(4096))

    def said(self) -> list[str]:
        path = self.path / "said"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return lines

    async def install(self, targets: Sequence[SshTarget], words: Sequence[str]) -> None:
        self.installed.append(tuple(words))
        if self.refuse:
            raise InfrastructureError("it did not come up")

    async def provider(self, **guests: Any) -> VagrantProvider:
        """As a new command has it, which knows only what was kept."""
        wanted: dict[str, Any] = {"backend": self.backend}
        if self.backend == "libvirt":
            wanted |= {"boot": self.boot, "hypervisors": self.hypervisors}
        said = {"name": "lab", "guests": guests, "provider": {"type": "vagrant", **wanted}}
        lab = Lab.model_validate({**said, "suites": {"commands": {"tests": {"nothing": "true"}}}})
        provider = VagrantProvider(
            lab,
            LabDirectory(self.path / "labs/lab"),
            box=VagrantBox("kdevops/box"),
            kernel=BootKernel(self.path / "vmlinuz", "key"),
            install=self.install,
            report=lambda progress: self.told.append(progress.detail),
        )
        await provider.render()
        return provider


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """With somebody who greets as sshd does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"SSH-2.0-toy\r\n")
                connection.close()

        Thread(target=greet, daemon=True).start()
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        yield Bench(tmp_path, monkeypatch)
        server.shutdown(socket.SHUT_RDWR)


ENDLESS = r"""#!/bin/sh
echo "vagrant $*" >>"$SAID"
case $1 in
up)
    trap 'sleep 0.5; rm "$SAID.up"; exit 1' INT TERM
    : >"$SAID.up"
    printf "$SAYS"
    while :; do sleep 0.1; done ;;
destroy) [ ! -e "$SAID.up" ] || { echo "another process is already executing an action on the machine" >&2; exit 1; } ;;
esac
"""
"""A Vagrant whose guests never come up, and that takes a while to end."""
UP, SAVE = "vagrant up lab-1 --provider=libvirt", "vagrant snapshot save --force lab-1 kdevops"
RESTORE = "vagrant snapshot restore --no-provision lab-1 kdevops"
