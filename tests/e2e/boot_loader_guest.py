"""A guest that boots as machines do, by its own boot loader from its own disk: what the embedded provider never does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import SshTarget
from kdevops.kernel.elf import parse_notes
from kdevops.providers.qemu import qmp
from tests.e2e.conftest import free_port
from tests.e2e.distribution_image import NAME, DistributionImage

_BOOT_SECONDS = 600


@dataclass
class BootLoaderGuest:
    """A running machine."""

    directory: Path
    ssh: SshTarget
    process: subprocess.Popen[bytes]

    @classmethod
    def boot(cls, image: DistributionImage, directory: Path) -> BootLoaderGuest:
        """Boot a copy-on-write overlay of the image's disk, and wait until it lets us in. The directory is a new one."""
        directory.mkdir()
        key, port = directory / "id_ed25519", free_port()
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        known_hosts = directory / "known_hosts"
        known_hosts.write_text(f"{NAME} {image.host_key}")
        root = directory / "root.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", image.disk, "-F", "raw", root], check=True)
        # systemd.system-credentials(7): who may log in, without a change to the image.
        public = base64.b64encode(key.with_suffix(".pub").read_bytes()).decode()
        argv = [
            "qemu-system-x86_64", "-nodefaults", "-display", "none",
            "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "qemu64,svm=off", "-smp", "2", "-m", "1536",
            "-serial", f"file:{directory / 'console'}", "-qmp", f"unix:{directory / 'qmp'},server=on,wait=off",
            "-drive", f"if=virtio,file={root},format=qcow2,cache=unsafe",
            "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:22",
            "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci",
            "-smbios", f"type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root={public}",
        ]  # fmt: skip
        target = SshTarget(NAME, "127.0.0.1", port, "root", key, known_hosts, directory / "ssh")
        guest = cls(directory, target, subprocess.Popen(argv))
        try:
            guest._wait()
        except BaseException:
            guest.end()
            raise
        return guest

    def run(self, *command: str, stdin: bytes | None = None) -> str:
        """What a command in the guest prints. It must succeed."""
        return asyncio.run(self.ssh.run(command, timeout=120, stdin=stdin)).stdout

    def kernel(self) -> tuple[str, str]:
        """Build id of the kernel that runs, and the id of this boot."""
        notes = self.run("od", "-An", "-v", "-tx1", "/sys/kernel/notes")
        return parse_notes(bytes.fromhex(notes)), self.run("cat", "/proc/sys/kernel/random/boot_id")

    def console(self) -> str:
        """All that was said on the serial port since the machine was started."""
        return (self.directory / "console").read_text(errors="replace")

    def cut_power(self) -> None:
        """Reset the machine as it is, and wait until it lets us in again."""
        boot = self.kernel()[1]
        asyncio.run(self.ssh.disconnect())
        asyncio.run(qmp.execute(self.directory / "qmp", "system_reset", timeout=60))
        self._wait(boot)

    def host(self) -> dict[str, Any]:
        """The guest as a host of an Ansible inventory."""
        return {
            "ansible_host": self.ssh.host,
            "ansible_port": self.ssh.port,
            "ansible_user": self.ssh.user,
            "ansible_pipelining": True,
            "ansible_ssh_transfer_method": "piped",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_args": shlex.join(self.ssh.argv()[1:-1]),
        }

    def end(self) -> None:
        """Nothing of it is kept."""
        self.process.kill()
        self.process.wait()

    def _wait(self, old: str = "") -> None:
        """Until it lets us in, in another boot than the `old` one."""
        end = time.monotonic() + _BOOT_SECONDS
        while not self._is_up(old):
            assert time.monotonic() < end, f"not up within {_BOOT_SECONDS} s:\n{self.console()[-2000:]}"
            assert self.process.poll() is None, "QEMU ended"

    def _is_up(self, old: str) -> bool:
        with contextlib.suppress(InfrastructureError):  # it may go down while it is asked
            return asyncio.run(self.ssh.answers(timeout=10)) and self.kernel()[1] != old
        return False
