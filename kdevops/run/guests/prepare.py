"""Prepares a booted guest for tests: checks its kernel, and installs modules, secrets and suites' payloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.errors import InfrastructureError
from kdevops.guest.identity import prove_kernel
from kdevops.guest.ssh import SshTarget
from kdevops.suites.base import ChunkSuite, GuestSuite
from kdevops.suites.shared.proof import PROOF
from kdevops.text import clean

_COMMAND = 30.0
_NO_DISK = 9
_MOUNT = f"""
disk=/dev/disk/by-id/virtio-$1
[ -b "$disk" ] || exit {_NO_DISK}
mountpoint -q "$2" && exit
mkdir -p "$2"
exec mount -o noatime "$disk" "$2"
"""
_PUT = 'umask 077 && mkdir -p "${1%/*}" && cat >"$1.new" && mv "$1.new" "$1"'
_TRANSFER = 240.0
"""Accelerated seconds for a payload or a distribution's modules to reach a guest."""


@dataclass(frozen=True, slots=True)
class GuestSetup:
    """What every guest of a lab gets. `build_id`: None if the kernel has none and is identified by `release` alone.

    `secrets`: our files by their path in the guest, where only root may read them.
    """

    release: str
    build_id: str | None = None
    modules: Path | None = None
    suites: tuple[GuestSuite | ChunkSuite, ...] = ()
    secrets: Mapping[str, Path] = field(default_factory=dict)

    async def apply(self, ssh: SshTarget, slowdown: float) -> None:
        """Prepare the guest; what is already there is kept. Raises InfrastructureError."""
        await prove_kernel(ssh, self.build_id, self.release, timeout=_COMMAND * slowdown)
        if self.modules:
            await _install(ssh, self.modules, "/", f"/lib/modules/{self.release}", slowdown)
        for path, secret in self.secrets.items():
            await ssh.run(["sh", "-c", _PUT, "sh", path], timeout=_COMMAND * slowdown, stdin=secret.read_bytes())
        for suite in self.suites:
            if isinstance(suite, ChunkSuite):
                await _lend_or_send(ssh, suite, slowdown)
            elif suite.payload:
                await _install(ssh, suite.payload, suite.remote, suite.remote, slowdown)


async def _lend_or_send(ssh: SshTarget, suite: ChunkSuite, slowdown: float) -> None:
    if not suite.payload:
        return
    if not await _mount(ssh, payload_serial(suite), suite.remote, slowdown):
        await _install(ssh, suite.payload, suite.remote, suite.remote, slowdown)
    await _prove(ssh, suite, slowdown)


async def _prove(ssh: SshTarget, suite: ChunkSuite, slowdown: float) -> None:
    """Raise InfrastructureError if programs of the suite lack libraries in the guest, because tests would fail for that."""
    script = f"{suite.remote}/{PROOF}"
    done = await ssh.run(["sh", "-c", '[ ! -f "$1" ] || exec sh "$1"', "sh", script], timeout=_COMMAND * slowdown)
    if lacking := done.stdout.strip().splitlines():
        raise InfrastructureError(
            f"programs of {suite.name} do not start in guest {ssh.name}: {clean(lacking[0])}",
            hint="they were built for another distribution than the guest's: use an image of that distribution, or one with "
            "these libraries",
        )


def payload_serial(suite: ChunkSuite) -> str:
    """The serial of the disk with a suite's payload."""
    return f"kd-{suite.name}"


async def _mount(ssh: SshTarget, serial: str, directory: str, slowdown: float) -> bool:
    """Mount the disk with this serial unless it is mounted already; False if there is no such disk."""
    done = await ssh.run(["sh", "-ec", _MOUNT, "sh", serial, directory], timeout=_COMMAND * slowdown, check=False)
    if done.returncode not in {0, _NO_DISK}:
        said = done.stderr.strip().splitlines()[-1:]
        raise InfrastructureError(
            f"guest {ssh.name} cannot mount its disk {serial} on {directory}: {clean(''.join(said))}"
        )
    return done.returncode == 0


async def _install(ssh: SshTarget, archive: Path, directory: str, holds: str, slowdown: float) -> None:
    """Unpack `archive` into `directory` unless the marker in `holds` shows that it is complete."""
    marker = f"{holds}/.kdevops-complete"
    if (await ssh.run(["test", "-e", marker], timeout=_COMMAND * slowdown, check=False)).returncode == 0:
        return
    await ssh.push_tar(archive, directory, timeout=_TRANSFER * slowdown)
    await ssh.run(["touch", marker], timeout=_COMMAND * slowdown)
