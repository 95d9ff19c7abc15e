"""Guests by hand: up, down and status, outside of any run."""

from __future__ import annotations

import asyncio

from kdevops.errors import KdevopsError
from kdevops.guest import sshconfig
from kdevops.lab.model import Lab
from kdevops.paths import write_atomic
from kdevops.progress import Progress, Report
from kdevops.providers.base import GuestStatus, Provider
from kdevops.providers.qemu import QemuProvider
from kdevops.provision import inventory
from kdevops.run.build import Built, build, first_error
from kdevops.run.guests import attached, provider_for
from kdevops.run.lock import lab_lock
from kdevops.run.places import Places


async def up(lab: Lab, places: Places, report: Report) -> tuple[GuestStatus, ...]:
    """Bring all guests up, to stay, in parallel. Raises KdevopsError."""
    with lab_lock(places.lab(lab.name), lab.name, "up"):
        built = await build(lab, places, report)
        provider = await provider_for(lab, places, built.artifact, built.image, report)
        try:
            async with asyncio.TaskGroup() as group:
                for name in lab.guest_names():
                    group.create_task(_up(provider, name, built, report))
        except* KdevopsError as errors:
            raise first_error(errors) from None
        write_access(lab, places, provider)
        return provider.status()


async def down(lab: Lab, places: Places) -> tuple[GuestStatus, ...]:
    """Stop all guests of the lab."""
    with lab_lock(places.lab(lab.name), lab.name, "down"):
        provider = attached(lab, places)
        await provider.down()
        return provider.status()


def status(lab: Lab, places: Places) -> tuple[GuestStatus, ...]:
    """What is known of the lab's guests."""
    return attached(lab, places).status()


def write_access(lab: Lab, places: Places, provider: Provider) -> None:
    """The lab's ssh configuration and inventory, for people and for plain ansible-playbook."""
    running = [provider.attach(name) for name in lab.guest_names()]
    targets = [guest.ssh for guest in running if guest]
    write_atomic(sshconfig.config_path(places.state, lab.name), sshconfig.render(targets), mode=0o600)
    write_atomic(places.lab(lab.name) / "inventory.yaml", inventory.render(lab, targets), mode=0o600)


async def _up(provider: QemuProvider, name: str, built: Built, report: Report) -> None:
    report(Progress(f"guest {name}", "booting"))
    guest = await provider.up(name, extra_cmdline=built.quiet_cmdline, stay=True)
    await built.furniture.bring(guest.ssh, provider.factor)
    report(Progress(f"guest {name}", "ready", done=True))
