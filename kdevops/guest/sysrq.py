"""Magic SysRq keys of a guest that takes none over its console."""

from __future__ import annotations

from kdevops.guest.ssh import SshTarget


async def press(ssh: SshTarget, keys: str, *, timeout: float) -> None:
    """Have the guest's kernel do what these keys stand for, by its /proc/sysrq-trigger. Raises InfrastructureError."""
    for key in keys:
        await ssh.run(["sh", "-c", 'echo "$1" >/proc/sysrq-trigger', "sh", key], timeout=timeout)
