"""A guest that has booted is given what tests need: proof of its kernel, its modules, what its suites bring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdevops.guest.identity import prove_kernel
from kdevops.guest.ssh import SshTarget
from kdevops.suites.base import GuestSuite

_COMMAND = 30.0
_TRANSFER = 240.0
"""Accelerated seconds for a payload or a distribution's modules to reach a guest."""


@dataclass(frozen=True, slots=True)
class Furniture:
    """What every guest of a lab gets. `build_id` is None for a kernel that cannot be told by one, only by `release`."""

    release: str
    build_id: str | None = None
    modules: Path | None = None
    suites: tuple[GuestSuite, ...] = ()

    async def bring(self, ssh: SshTarget, factor: float) -> None:
        """Make the guest ready; what is there already is left. Raises InfrastructureError."""
        await prove_kernel(ssh, self.build_id, self.release, timeout=_COMMAND * factor)
        if self.modules:
            await _install(ssh, self.modules, "/", f"/lib/modules/{self.release}", factor)
        for suite in self.suites:
            if suite.payload:
                await _install(ssh, suite.payload, suite.remote, suite.remote, factor)


async def _install(ssh: SshTarget, archive: Path, directory: str, holds: str, factor: float) -> None:
    """Unpack `archive` into `directory` unless the marker in `holds` says that all of it is there."""
    marker = f"{holds}/.kdevops-complete"
    if (await ssh.run(["test", "-e", marker], timeout=_COMMAND * factor, check=False)).returncode == 0:
        return
    await ssh.push_tar(archive, directory, timeout=_TRANSFER * factor)
    await ssh.run(["touch", marker], timeout=_COMMAND * factor)
