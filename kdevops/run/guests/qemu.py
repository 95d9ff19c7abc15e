"""The embedded provider: QEMU on this machine, which boots the kernel directly with our image as root."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kdevops.errors import KdevopsError
from kdevops.progress import Confirm, Report, ask_nobody, silent
from kdevops.run.guests.kinds import Kind

if TYPE_CHECKING:
    from kdevops.lab.model import Lab
    from kdevops.lab.servers import Server
    from kdevops.providers.base import Provider
    from kdevops.run.built import Built, Root
    from kdevops.run.dirs import Dirs


class QemuKind(Kind):
    """`provider: {type: qemu}`."""

    def attached(self, lab: Lab, dirs: Dirs, report: Report = silent) -> Provider:
        """A provider for existing guests only, including servers."""
        from kdevops.providers.qemu.provider import QemuProvider
        from kdevops.providers.shared.lab_directory import LabDirectory

        return QemuProvider(lab, LabDirectory(dirs.lab(lab.name)), servers=_servers(lab))

    async def provider_for(
        self, lab: Lab, dirs: Dirs, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> Provider:
        """The provider for guests that run `built`. Raises UserError if the lab requires KVM and KVM does not work."""
        from kdevops.lab.model import Qemu
        from kdevops.providers.base import BootKernel
        from kdevops.providers.qemu.provider import QemuProvider
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.run.guests.initrd import initrd_for
        from kdevops.run.guests.speed import speed_here

        assert built.image
        wanted, artifact = lab.provider_as(Qemu), built.artifact
        accel = await speed_here(wanted.accel, dirs, artifact.image, report, binary=wanted.binary)
        initrd = await initrd_for(artifact, built.image, dirs.cache)
        kernel = BootKernel(artifact.image, artifact.key, initrd=initrd)
        directory = LabDirectory(dirs.lab(lab.name))
        provider = QemuProvider(lab, directory, accel, built.image, kernel, built.payloads, built.servers)
        await provider.render()
        return provider

    async def build_root(self, lab: Lab, dirs: Dirs, report: Report) -> Root:
        """The image of `guests.image`, with what the suites need in guests."""
        from kdevops.images.image import ensure_image
        from kdevops.run.built import Root
        from kdevops.suites.registry import guest_needs

        image = await ensure_image(lab.guests.image, guest_needs(lab), cache=dirs.cache, report=report)
        return Root({"key": image.key, **image.record}, image=image)

    def installs(self, lab: Lab) -> bool:
        """False: QEMU gets the kernel at each boot."""
        return False

    def is_down(self, directory: Path, guest: str, port: int | None) -> bool:
        """Whether QEMU was started for this guest with this ssh port, and is gone."""
        from kdevops.providers.qemu.process import QemuProcess

        process = QemuProcess(directory / "guests" / guest)
        ours = f"hostfwd=tcp:127.0.0.1:{port}-"
        return any(ours in word for word in process.command_line or ()) and process.pid() is None

    def connect_terminal(self, directory: Path, guest: str) -> bool:
        """Connect if this lab's guests were ever started by QEMU."""
        from kdevops.providers.qemu.attach import attach

        config = directory / "keeper.json"
        if not config.exists():
            return False
        attach(config, guest)
        return True


def _servers(lab: Lab) -> tuple[Server, ...]:
    from kdevops.suites.registry import servers_of

    try:
        return servers_of(lab)
    except KdevopsError:  # e.g. its profile files are gone; running servers are found anyway
        return ()
