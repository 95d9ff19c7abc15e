"""Magic SysRq keys over ssh, for a guest whose console does not accept them."""

from __future__ import annotations

from kdevops.guest.ssh import SshTarget


async def press(ssh: SshTarget, keys: str, *, timeout: float) -> None:
    """Send these SysRq keys to the guest through /proc/sysrq-trigger. Raises InfrastructureError."""
    for key in keys:
        await ssh.run(["sh", "-c", 'echo "$1" >/proc/sysrq-trigger', "sh", key], timeout=timeout)
