"""A distribution's own kernel, unpacked from its package `linux-image-…` without installing it."""

from __future__ import annotations

import platform
import tarfile
from pathlib import Path

from kdevops.errors import UserError
from kdevops.files import digest_of, locked, published
from kdevops.kernel import apt
from kdevops.kernel.artifact import Artifact
from kdevops.kernel.modules import pack_tree
from kdevops.kernel.spec import DISTRIBUTION_KERNEL
from kdevops.process import run
from kdevops.progress import Progress, Report

STEP = "kernel package"


async def distribution_kernel(package: str, cache: Path, report: Report) -> Artifact:
    """The artifact of a linux-image package, or of the one that a metapackage depends on.

    Raises UserError for a package that is unknown or has no kernel, InfrastructureError when it cannot be fetched.
    """
    apt.require_apt(package)
    key = digest_of([DISTRIBUTION_KERNEL, await apt.offered(package, DISTRIBUTION_KERNEL)])[:32]
    directory = cache / "kernels" / key
    async with locked(directory.with_name(f"{key}.lock"), report=report, step=STEP):
        if found := Artifact.load(directory):
            return found
        with published(directory) as temporary:
            report(Progress(STEP, f"downloading {package}"))
            name = await _unpack(package, temporary)
            image = next((temporary / "files/boot").glob("vmlinuz-*"))
            release = image.name.partition("-")[2]
            await run(["depmod", "-b", temporary / "files", release], timeout=300)
            modules = temporary / "modules.tar"
            with tarfile.open(modules, "w") as tar:
                pack_tree(temporary / "files", temporary / "files/lib/modules" / release, tar)
            artifact = Artifact(
                key=key,
                directory=directory,
                image=directory / "files/boot" / image.name,
                release=release,
                build_id=None,
                config=directory / "files/boot" / f"config-{release}",
                modules=directory / "modules.tar",
                record={"package": name, "distribution": _distribution()},
            )
            artifact.save(temporary)
    report(Progress(STEP, f"{release} is ready", fraction=1.0, done=True))
    return artifact


def _distribution() -> tuple[str, str]:
    """ID and VERSION_ID of /etc/os-release: packages come from this machine's distribution.

    Debian testing has no VERSION_ID.
    """
    fields = platform.freedesktop_os_release()
    return fields.get("ID", "linux"), fields.get("VERSION_ID", "testing")


async def _unpack(package: str, into: Path) -> str:
    """Unpack the package, or the kernel package it depends on, into `files`; returns the archive's name."""
    for _ in range(2):
        archive = await apt.download(package, into)
        await apt.extract(archive, into / "files")
        needed = await apt.dependencies(archive)
        archive.unlink()
        if any((into / "files/boot").glob("vmlinuz-*")):
            return archive.name
        package = next((name for name in needed if name.startswith(DISTRIBUTION_KERNEL)), package)
    raise UserError(f"the package {package} contains no kernel", hint="use one like linux-image-amd64")
