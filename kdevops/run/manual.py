"""Manual control of guests outside a run: up, down and status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from kdevops.errors import KdevopsError, UserError
from kdevops.files import write_atomic
from kdevops.guest import sshconfig
from kdevops.lab.model import Lab
from kdevops.lab.servers import Server
from kdevops.paths import data_dir
from kdevops.progress import Confirm, Progress, Report, ask_nobody, silent
from kdevops.providers.base import GuestStatus, Provider
from kdevops.provision import ansible, inventory
from kdevops.results.events import GuestChanged
from kdevops.run.build import build, first_error
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.run.drive.busy import Busy
from kdevops.run.guests.kinds import kind_of
from kdevops.run.guests.servers import Servers
from kdevops.run.lock import lab_lock
from kdevops.suites.registry import host_variables, server_variables
from kdevops.text import nearest_or_all

_PLAY_SECONDS = 7200.0
"""Long, because a play may compile a kernel."""
_FOR_THIS_MACHINE = ("controller", "libvirt")
_RUN = "run"
"""Tag of the step that calls `kdevops run`. It would be refused, because the command that plays holds the lab's lock."""


async def prepare(lab: Lab, dirs: Dirs, report: Report, confirm: Confirm = ask_nobody) -> tuple[Built, Provider]:
    """Build everything guests need before they can start. The caller holds the lab's lock. Raises KdevopsError."""
    await kind_of(lab).preflight(lab, dirs, report, confirm)
    built = await build(lab, dirs, report)
    return built, await kind_of(lab).provider_for(lab, dirs, built, report, confirm)


async def bring_up(
    lab: Lab,
    dirs: Dirs,
    built: Built,
    provider: Provider,
    report: Report,
    *,
    lab_file: Path | None = None,
    plays: Sequence[str] = (),
) -> tuple[GuestStatus, ...]:
    """Start all guests in parallel, to keep running; then run `plays` on them. Raises KdevopsError."""
    await servers_for(lab, dirs, provider, built, report, lab_file, persist=True).up()
    try:
        async with asyncio.TaskGroup() as group:
            for name in lab.guest_names():
                group.create_task(_up(provider, name, built, report, Busy(dirs.lab(lab.name))))
    except* KdevopsError as errors:
        raise first_error(errors) from None
    write_access(lab, dirs, provider, built, lab_file)
    await _play(lab, dirs, plays, report)
    return await provider.status()


async def down(lab: Lab, dirs: Dirs, report: Report = silent) -> tuple[GuestStatus, ...]:
    """Stop all guests of the lab."""
    with lab_lock(dirs.lab(lab.name), lab.name, "down"):
        provider = kind_of(lab).attached(lab, dirs, report)
        await provider.down()
        sshconfig.config_path(dirs.state, lab.name).unlink(missing_ok=True)  # else ssh waits for a guest that is gone
        return await provider.status()


async def status(lab: Lab, dirs: Dirs) -> tuple[GuestStatus, ...]:
    """The status of the lab's guests."""
    return await kind_of(lab).attached(lab, dirs).status()


def write_access(lab: Lab, dirs: Dirs, provider: Provider, built: Built, lab_file: Path | None) -> None:
    """Write the lab's ssh configuration and inventory, for people and for plain ansible-playbook."""
    targets = [guest.ssh for name in lab.guest_names() if (guest := provider.attach(name))]
    servers = [
        inventory.ServerHost(server.role, guest.ssh, _variables(lab, server, built))
        for server in built.servers
        if (guest := provider.attach(server.name))
    ]
    everybody = [*targets, *(server.ssh for server in servers)]
    variables: dict[str, object] = {
        "kdevops_lab_file": str(lab_file) if lab_file else "",
        "bootlinux_direct_boot": not built.installed,
    }
    if "packages" in built.origin:  # guests start from our image, which has what the suites need
        variables |= host_variables(lab)
    if spec := built.artifact.record.get("spec"):
        variables["bootlinux_spec"] = spec
    if built.installed:  # with other parameters the role would reboot the guest
        variables["bootlinux_cmdline"] = list(provider.parameters(built.quiet_cmdline))
    write_atomic(sshconfig.config_path(dirs.state, lab.name), sshconfig.render(everybody), mode=0o600)
    write_atomic(dirs.inventory(lab.name), inventory.render(lab, targets, variables, servers), mode=0o600)


def servers_for(
    lab: Lab,
    dirs: Dirs,
    provider: Provider,
    built: Built,
    report: Report,
    lab_file: Path | None,
    *,
    tell: Callable[[GuestChanged], None] | None = None,
    persist: bool = False,
) -> Servers:
    """The lab's servers, not started yet; their playbooks find them in the lab's inventory."""

    async def play(server: Server) -> None:
        write_access(lab, dirs, provider, built, lab_file)
        await _play(lab, dirs, [server.role], report)

    return Servers(
        built.servers, provider, built.guest_setup, play, tell=tell, cmdline=built.quiet_cmdline, persist=persist
    )


def _variables(lab: Lab, server: Server, built: Built) -> dict[str, object]:
    return {f"{server.role}_exports": server.exports(), **server_variables(lab, server.role, built.secrets)}


def check_plays(names: Sequence[str]) -> None:
    """Raise UserError, suggesting the nearest, unless all `names` are our playbooks for guests."""
    known = sorted(path.stem for path in data_dir("playbooks").glob("*.yml") if path.stem not in _FOR_THIS_MACHINE)
    for name in names:
        if name not in known:
            raise UserError(f"there is no playbook {name}{nearest_or_all(name, known)}")


async def _play(lab: Lab, dirs: Dirs, names: Sequence[str], report: Report) -> None:
    for name in names:
        log = dirs.lab(lab.name) / f"play-{name}.log"
        await ansible.play(
            f"{name}.yml",
            inventory=dirs.inventory(lab.name),
            report=report,
            log=log,
            timeout=_PLAY_SECONDS,
            skip_tags=[_RUN],
        )


async def _up(provider: Provider, name: str, built: Built, report: Report, busy: Busy) -> None:
    report(Progress(f"guest {name}", "booting"))
    guest = await provider.up(name, extra_cmdline=built.quiet_cmdline, persist=True, fresh=name in busy)
    busy.end([name])
    await built.guest_setup.apply(guest.ssh, provider.slowdown)
    report(Progress(f"guest {name}", "ready", done=True))
