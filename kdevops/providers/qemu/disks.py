"""What a guest of the embedded provider is given on disk: keys, the seed its init reads, and its overlay."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kdevops.files import write_atomic
from kdevops.guest.ssh import SshTarget
from kdevops.lab.servers import Interface
from kdevops.process import run
from kdevops.providers.base import PayloadDisk
from kdevops.providers.qemu.command_line import DiskFile

SEED_SERIAL = "kd-seed"
ROOT_SERIAL = "kd-root"
_NETWORK = "ADDRESS=10.0.2.15/24\nGATEWAY=10.0.2.2\nDNS=10.0.2.3\n"


@dataclass(frozen=True, slots=True)
class LabDirectory:
    """The files of one lab under the state directory."""

    path: Path

    @property
    def key(self) -> Path:
        """The private key with which we enter this lab's guests, and no other's."""
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The pinned host keys of all guests."""
        return self.path / "known_hosts"

    def guest(self, name: str) -> Path:
        """The directory of one guest."""
        return self.path / "guests" / name


async def ensure_keys(lab: LabDirectory, guests: tuple[str, ...]) -> None:
    """Make the lab's key and a host key per guest where they are missing, and pin the host keys."""
    await ensure_key(lab)
    pinned = []
    for name in guests:
        host_key = lab.guest(name) / "ssh_host_ed25519_key"
        host_key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await _ensure_key(host_key, name)
        kind, public = host_key.with_suffix(".pub").read_text().split()[:2]
        pinned.append(f"{name} {kind} {public}\n")
    content = "".join(pinned)
    if not lab.known_hosts.exists() or lab.known_hosts.read_text() != content:
        write_atomic(lab.known_hosts, content, mode=0o600)


async def ensure_key(lab: LabDirectory) -> None:
    """Make the lab's key where it is missing."""
    lab.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    await _ensure_key(lab.key, f"kdevops {lab.path.name}")


async def _ensure_key(path: Path, comment: str) -> None:
    public = path.with_suffix(".pub")
    if path.exists() and public.exists():
        return
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", fresh], timeout=30)
    fresh.with_name(f"{fresh.name}.pub").replace(public)
    fresh.replace(path)


def write_seed(lab: LabDirectory, name: str, interfaces: Iterable[Interface] = ()) -> Path:
    """The guest's seed: a plain tar on a disk of its own, so that one image serves every guest and holds no secret.

    `interfaces` are the cards beside the one that ssh comes through.
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


def make_disk(path: Path, size: int) -> None:
    """An empty sparse disk of `size` bytes, kept when it is there already."""
    if path.exists() and path.stat().st_size == size:
        return
    with path.open("wb") as file:
        file.truncate(size)


def ssh_target(lab: LabDirectory, name: str, port: int, control: Path) -> SshTarget:
    """How to reach a guest whose ssh is forwarded to `port` on loopback."""
    return SshTarget(name, "127.0.0.1", port, "root", lab.key, lab.known_hosts, control)
