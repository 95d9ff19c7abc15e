"""The disks of an embedded guest: the seed for its init, its root overlay, and lent disks."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from kdevops.files import write_atomic
from kdevops.guest.ssh import SshTarget
from kdevops.lab.servers import Interface
from kdevops.process import run
from kdevops.providers.base import PayloadDisk
from kdevops.providers.qemu.command_line import DiskFile
from kdevops.providers.shared.lab_directory import LabDirectory

SEED_SERIAL = "kd-seed"
ROOT_SERIAL = "kd-root"
_NETWORK = "ADDRESS=10.0.2.15/24\nGATEWAY=10.0.2.2\nDNS=10.0.2.3\n"


def write_seed(lab: LabDirectory, name: str, interfaces: Iterable[Interface] = ()) -> Path:
    """The guest's seed: a plain tar on a disk of its own, so that one image serves every guest and contains no secret.

    `interfaces` are the cards besides the one for ssh.
    """
    directory = lab.guest(name)
    files = {
        "hostname": name.encode() + b"\n",
        "authorized_keys": lab.key.with_suffix(".pub").read_bytes(),
        "ssh_host_ed25519_key": (directory / "ssh_host_ed25519_key").read_bytes(),
        "network": (_NETWORK + "".join(f"LAN={card.mac},{card.address}\n" for card in interfaces)).encode(),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member, content in files.items():
            entry = tarfile.TarInfo(member)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    seed = directory / "seed.tar"
    write_atomic(seed, buffer.getvalue(), mode=0o600)
    return seed


async def make_overlay(path: Path, backing: Path, backing_format: str) -> None:
    """A fresh copy-on-write disk over an image that is never written to."""
    path.unlink(missing_ok=True)
    await run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", backing_format, path], timeout=60)


async def lend(payload: PayloadDisk, directory: Path) -> DiskFile:
    """The payload as a disk of the guest whose files are in `directory`."""
    overlay = directory / f"{payload.serial}.qcow2"
    await make_overlay(overlay, payload.path, payload.format)
    return DiskFile(overlay, payload.serial, "qcow2")


def ssh_target(lab: LabDirectory, name: str, port: int, control: Path) -> SshTarget:
    """How to reach a guest whose ssh is forwarded to `port` on loopback."""
    return SshTarget(name, "127.0.0.1", port, "root", lab.key, lab.known_hosts, control)
