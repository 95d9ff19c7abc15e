"""Verify that a guest runs the kernel that was built."""

from __future__ import annotations

from collections.abc import Sequence

from kdevops.errors import InfrastructureError
from kdevops.guest.ssh import SshTarget

# Notes, parameters, release, and whether there is a boot loader that role bootlinux can configure (GRUB).
_LOOK = """
od -An -v -tx1 /sys/kernel/notes | tr -d ' \\n'; echo
cat /proc/cmdline
uname -r
[ ! -e /boot/grub/grub.cfg ] && [ ! -e /boot/grub2/grub.cfg ] && [ ! -d /boot/efi/EFI ] || echo loader
"""


async def runs_as_given(
    ssh: SshTarget, build_id: str | None, release: str, words: Sequence[str], *, timeout: float
) -> bool:
    """Whether a guest without a boot loader already runs this kernel, so that nothing needs to be installed.

    Raises InfrastructureError if one of the parameters `words` is missing, because we cannot change them.
    """
    done = await ssh.run(["sh", "-c", _LOOK], timeout=timeout)
    notes, cmdline, running, loader = [*done.stdout.splitlines(), "", "", "", ""][:4]
    if loader or not (build_id in notes if build_id else running == release):
        return False
    if lacking := [word for word in words if word not in cmdline.split()]:
        raise InfrastructureError(
            f"guest {ssh.name} runs its kernel without “{' '.join(lacking)}”, and has no boot loader to configure",
            hint="add these parameters where the machine is started",
        )
    return True


async def prove_kernel(ssh: SshTarget, build_id: str | None, release: str, *, timeout: float) -> None:
    """Raise InfrastructureError unless the guest runs the kernel with this GNU build id (hex digits).

    For a kernel without a known build id, its release is compared.
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
        f"guest {ssh.name} runs kernel {running}, not the one it was given ({built})",
        hint="reboot it: kdevops down, then kdevops up",
    )
