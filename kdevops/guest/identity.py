"""Proof that the kernel that runs is the kernel that was built."""

from __future__ import annotations

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import SshTarget


async def prove_kernel(ssh: SshTarget, build_id: str, *, timeout: float) -> None:
    """Raise InfrastructureError unless the guest's running kernel carries this GNU build id (hex digits)."""
    done = await ssh.run(["od", "-An", "-v", "-tx1", "/sys/kernel/notes"], timeout=timeout)
    if build_id not in done.stdout.replace(" ", "").replace("\n", ""):
        release = (await ssh.run(["uname", "-rv"], timeout=timeout)).stdout.strip()
        raise InfrastructureError(
            f"guest {ssh.name} runs another kernel ({release}) than the one that was built (build id {build_id[:12]})",
            hint="boot it anew: kdevops down, then up",
        )
