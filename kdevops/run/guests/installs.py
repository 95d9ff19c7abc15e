"""Installs kernels in guests with their own boot loader, and rejects what such guests cannot do."""

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
from kdevops.run.dirs import Dirs

_REBOOT = 600
"""Least seconds for a kernel to boot; one that runs tests while booting takes long under emulation."""
_REBOOT_ACCELERATED = 120.0
_INSTALL = 900.0
"""Accelerated seconds to install a kernel in all guests in parallel and boot it."""


def check_servers(lab: Lab, built: Built) -> None:
    """Raise UserError if suites need server guests."""
    if built.servers:
        kind = lab.provider.type
        raise UserError(
            f"the profiles of {built.servers[0].name} need a server guest, which provider {kind} does not support",
            hint="use provider: {type: qemu}, or choose tests that need no server",
        )


async def install_kernel(
    lab: Lab,
    dirs: Dirs,
    artifact: Artifact,
    targets: Sequence[SshTarget],
    words: Sequence[str],
    *,
    slowdown: float,
    report: Report,
) -> None:
    """Install and boot the kernel in guests with the role bootlinux, with parameters `words`, unless it runs already.

    Raises InfrastructureError with Ansible's error, for example if the kernel does not boot.
    """
    path = dirs.lab(lab.name) / f"inventory-{targets[0].name}.yaml"
    write_atomic(path, inventory.render(lab, targets), mode=0o600)
    extravars: dict[str, Any] = {
        "bootlinux_artifact": _for_role(artifact),
        "bootlinux_cmdline": list(words),
        "bootlinux_reboot_timeout": max(_REBOOT, round(_REBOOT_ACCELERATED * slowdown)),
    }
    await ansible.play(
        "bootlinux.yml",
        inventory=path,
        report=report,
        log=dirs.lab(lab.name) / "play-bootlinux.log",
        timeout=_INSTALL * slowdown,
        extravars=extravars,
    )


def _for_role(artifact: Artifact) -> dict[str, str | None]:
    """The artifact for the role, with paths relative to /: files of a prebuilt kernel may be anywhere."""
    files = {"image": artifact.image, "config": artifact.config, "modules": artifact.modules}
    named = {name: str(path.absolute()).lstrip("/") if path else None for name, path in files.items()}
    return {"key": artifact.key, "release": artifact.release, "build_id": artifact.build_id, "directory": "/", **named}
