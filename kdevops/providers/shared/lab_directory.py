"""The files of one lab: its keys, and a directory for each guest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdevops.files import write_atomic
from kdevops.process import run


@dataclass(frozen=True, slots=True)
class LabDirectory:
    """The files of one lab under the state directory."""

    path: Path

    @property
    def key(self) -> Path:
        """The private key for this lab's guests only."""
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The pinned host keys of all guests."""
        return self.path / "known_hosts"

    def guest(self, name: str) -> Path:
        """The directory of one guest."""
        return self.path / "guests" / name


async def ensure_keys(lab: LabDirectory, guests: tuple[str, ...]) -> None:
    """Create the lab's key and a host key per guest if missing, and pin the host keys."""
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
    """Create the lab's key if missing."""
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


def make_disk(path: Path, size: int) -> None:
    """An empty sparse disk of `size` bytes; an existing one of that size is kept."""
    if path.exists() and path.stat().st_size == size:
        return
    with path.open("wb") as file:
        file.truncate(size)
