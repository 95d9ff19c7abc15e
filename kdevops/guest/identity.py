"""Proof that the kernel that runs is the kernel that was built."""

from __future__ import annotations

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import SshTarget


async def prove_kernel(ssh: SshTarget, build_id: str | None, release: str, *, timeout: float) -> None:
    """Raise InfrastructureError unless the guest runs the kernel with this GNU build id (hex digits).

    For a kernel of which no build id is known, its release must do.
    """
    if build_id:
        notes = (await ssh.run(["od", "-An", "-v", "-tx1", "/sys/kernel/notes"], timeout=timeout)).stdout
        if build_id in "".join(notes.split()):
            return
    running = (await ssh.run(["uname", "-r"], timeout=timeout)).stdout.strip()
    if build_id is None and running == release:
        return
    built = f"{release}, build id {build_id[:12]}" if build_id else release
    raise InfrastructureError(
        f"guest {ssh.name} runs another kernel ({running}) than the one it was given ({built})",
        hint="boot it anew: kdevops down, then up",
    )
