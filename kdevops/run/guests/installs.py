"""Kernels for guests with a boot loader of their own, and what such guests cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kdevops.errors import UserError
from kdevops.files import write_atomic
from kdevops.guest.ssh import SshTarget
from kdevops.kernel.artifact import Artifact
from kdevops.lab.model import Lab
from kdevops.progress import Report
from kdevops.provision import ansible, inventory
from kdevops.run.built import Built
from kdevops.run.places import Places

_REBOOT = 600
"""Seconds for a kernel to come up, at least; one that runs tests as it boots takes long under emulation."""
_REBOOT_ACCELERATED = 120.0
_INSTALL = 900.0
"""Accelerated seconds for a kernel to get into guests and boot there, all of them beside each other."""


def check_servers(lab: Lab, built: Built) -> None:
    """Raise UserError when suites need guests that serve the others."""
    if built.servers:
        kind = lab.provider.type
        raise UserError(
            f"the profiles of {built.servers[0].name} need a server guest, which provider {kind} does not give",
            hint="provider: {type: qemu} does; or test what needs no server here",
        )


async def install_kernel(
    lab: Lab,
    places: Places,
    artifact: Artifact,
    targets: Sequence[SshTarget],
    words: Sequence[str],
    *,
    factor: float,
    report: Report,
) -> None:
    """Have role bootlinux put the kernel into guests and boot it there with these parameters; nothing where it runs already.

    Raises InfrastructureError, with what Ansible said, for a kernel that does not come up among other things.
    """
    path = places.lab(lab.name) / f"inventory-{targets[0].name}.yaml"
    write_atomic(path, inventory.render(lab, targets), mode=0o600)
    extravars: dict[str, Any] = {
        "bootlinux_artifact": _for_role(artifact),
        "bootlinux_cmdline": list(words),
        "bootlinux_reboot_timeout": max(_REBOOT, round(_REBOOT_ACCELERATED * factor)),
    }
    await ansible.play(
        "bootlinux.yml",
        inventory=path,
        report=report,
        log=places.lab(lab.name) / "play-bootlinux.log",
        timeout=_INSTALL * factor,
        extravars=extravars,
    )


def _for_role(artifact: Artifact) -> dict[str, str | None]:
    """The artifact as the role takes it, with files named from the root: those of a kernel that came built lie anywhere."""
    files = {"image": artifact.image, "config": artifact.config, "modules": artifact.modules}
    named = {name: str(path.absolute()).lstrip("/") if path else None for name, path in files.items()}
    return {"key": artifact.key, "release": artifact.release, "build_id": artifact.build_id, "directory": "/", **named}
