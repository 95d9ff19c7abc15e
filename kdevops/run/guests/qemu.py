"""The embedded provider: QEMU on this machine, booting each guest with the kernel from an image of ours."""

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
    from kdevops.run.places import Places


class QemuKind(Kind):
    """`provider: {type: qemu}`."""

    def attached(self, lab: Lab, places: Places, report: Report = silent) -> Provider:
        """The provider as far as guests that are already there go, servers among them."""
        from kdevops.providers.qemu.provider import QemuProvider
        from kdevops.providers.shared.lab_directory import LabDirectory

        return QemuProvider(lab, LabDirectory(places.lab(lab.name)), servers=_servers(lab))

    async def provider_for(
        self, lab: Lab, places: Places, built: Built, report: Report, confirm: Confirm = ask_nobody
    ) -> Provider:
        """The provider whose guests run what was built. Raises UserError when the lab insists on KVM and KVM does not work."""
        from kdevops.lab.model import Qemu
        from kdevops.providers.base import BootKernel
        from kdevops.providers.qemu.provider import QemuProvider
        from kdevops.providers.shared.lab_directory import LabDirectory
        from kdevops.run.guests.initrd import initrd_for
        from kdevops.run.guests.speed import speed_here

        assert built.image
        wanted, artifact = lab.provider_as(Qemu), built.artifact
        accel = await speed_here(wanted.accel, places, artifact.image, report, binary=wanted.binary)
        initrd = await initrd_for(artifact, built.image, places.cache)
        kernel = BootKernel(artifact.image, artifact.key, initrd=initrd)
        directory = LabDirectory(places.lab(lab.name))
        provider = QemuProvider(lab, directory, accel, built.image, kernel, built.payloads, built.servers)
        await provider.render()
        return provider

    async def build_root(self, lab: Lab, places: Places, report: Report) -> Root:
        """The image of `guests.image`, with what the suites need of guests."""
        from kdevops.images.image import ensure_image
        from kdevops.run.built import Root
        from kdevops.suites.registry import guest_needs

        image = await ensure_image(lab.guests.image, guest_needs(lab), cache=places.cache, report=report)
        return Root({"key": image.key, **image.record}, image=image)

    def installs(self, lab: Lab) -> bool:
        """No: QEMU is handed the kernel at each boot."""
        return False

    def is_down(self, directory: Path, guest: str, port: int | None) -> bool:
        """Whether QEMU was started for this guest with this port for its ssh, and is gone."""
        from kdevops.providers.qemu.process import QemuProcess

        process = QemuProcess(directory / "guests" / guest)
        ours = f"hostfwd=tcp:127.0.0.1:{port}-"
        return any(ours in word for word in process.command_line or ()) and process.pid() is None

    def connect_terminal(self, directory: Path, guest: str) -> bool:
        """Where QEMU was ever started for this guest."""
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
    except KdevopsError:  # as when its files of profiles are gone; servers that run are found all the same
        return ()
