"""What this machine needs of its distribution, what of it is missing, and how the missing is installed.

The role `controller` holds the data, and does the installing: which package brings what in `vars/commands.json`, how a
distribution's package manager is asked in `vars/<family>.yml`. What only some labs need stands with the roles of those.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from kdevops.distribution import distribution_family
from kdevops.errors import InfrastructureError
from kdevops.paths import data_dir
from kdevops.process import run
from kdevops.progress import Report
from kdevops.provision.ansible import PlayResult, play

_INSTALL_TIMEOUT = 3600.0
_QUERY_TIMEOUT = 60.0
_SYSTEMD_RUNS = Path("/run/systemd/system")
"""sd_booted(3)."""
_ADMIN_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin"
"""A plain user's PATH leaves these out on some distributions; mkfs, depmod and sfdisk are there."""


@dataclass(frozen=True, slots=True)
class Need:
    """A command, library or kernel source; `package` brings it, "" where the distribution has none."""

    name: str
    package: str
    command: bool = False


@dataclass(frozen=True, slots=True)
class PackageManager:
    """A distribution's package manager: each field is the beginning of an argv that the packages' names end."""

    query: tuple[str, ...]
    install: tuple[str, ...]


def needs(family: str, release: str, *, suites: Collection[str] = (), libvirt: bool = False) -> tuple[Need, ...]:
    """All that is needed, on a distribution `family` (distribution.distribution_family) and `release` ("bookworm").

    With `suites` also what these are built with by roles of their names, which no machine needs whose guests have an image
    of ours; with `libvirt` what Vagrant gives guests with.
    """
    table = json.loads((data_dir("roles") / "controller/vars/commands.json").read_text())
    commands = [
        Need(name, packages.get(family) or "", command=True) for name, packages in table["controller_commands"].items()
    ]
    libraries = [Need(name, packages.get(family) or "") for name, packages in table["controller_libraries"].items()]
    sources = [Need(name, name) for name in table["controller_releases"].get(release, ())]
    extra = [need for suite in suites for need in _role_needs(suite, family, "build_commands", "build_headers")]
    if libvirt:
        extra += _role_needs("libvirt", family, "commands", "libraries")
        if not _SYSTEMD_RUNS.is_dir():
            extra += _role_needs("libvirt", family, "start_commands")
    return tuple({need.name: need for need in (*commands, *libraries, *sources, *extra)}.values())


def _role_needs(role: str, family: str, commands: str, libraries: str | None = None) -> list[Need]:
    """What a role's file for the family names: of commands and of what is not one, name → package."""
    path = data_dir("roles") / f"{role}/vars/{family}.yml"
    if not path.is_file():
        return []
    table = yaml.safe_load(path.read_text())
    found = [Need(name, package, command=True) for name, package in table[f"{role}_{commands}"].items()]
    others = table[f"{role}_{libraries}"] if libraries else {}
    return [*found, *(Need(name, package) for name, package in others.items())]


def this_distribution() -> tuple[str, str]:
    """Family and release of the machine we run on; a family of "unknown" has no packages that we know."""
    try:
        release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        release = ""
    return distribution_family(), release


def package_manager(family: str) -> PackageManager | None:
    """How packages are asked for and installed; None for a family that we do not know."""
    path = data_dir("roles") / f"controller/vars/{family}.yml"
    if not path.is_file():
        return None
    words = yaml.safe_load(path.read_text())
    return PackageManager(tuple(words["controller_query"]), tuple(words["controller_install"]))


def find_command(name: str) -> str | None:
    """Where `name` is, looked for where root finds it too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMIN_DIRECTORIES}")


async def missing(*, suites: Collection[str] = (), libvirt: bool = False) -> tuple[Need, ...]:
    """What is not here. A command counts as here wherever it came from, a library when its package is installed."""
    family, release = this_distribution()
    manager = package_manager(family)
    wanted = needs(family, release, suites=suites, libvirt=libvirt)
    absent = [need for need in wanted if need.command and find_command(need.name) is None]
    others = [need for need in wanted if not need.command and need.package]
    if manager and not await _installed(manager, [need.package for need in others]):
        absent += [need for need in others if not await _installed(manager, [need.package])]
    return tuple(absent)


def install_command(needed: tuple[Need, ...]) -> str | None:
    """The command, for root, that installs them; None when we do not know it."""
    manager = package_manager(this_distribution()[0])
    packages = sorted({need.package for need in needed if need.package})
    return shlex.join([*manager.install, *packages]) if manager and packages else None


async def install(
    *,
    report: Report,
    log: Path,
    ask_password: Callable[[], str] | None,
    suites: Collection[str] = (),
    libvirt: bool = False,
) -> PlayResult:
    """Apply the role `controller` to this machine, as root where we are not; with `libvirt` the role `libvirt`, too.

    `ask_password` is called only when sudo wants one; None when nobody is there to be asked.
    Raises InfrastructureError when root cannot be had, or the installation fails.
    """
    family, _ = this_distribution()
    if package_manager(family) is None:
        raise InfrastructureError(
            "this distribution is neither of Debian's, Fedora's, openSUSE's nor Arch's family",
            hint="install what kdevops doctor lists as missing with your own package manager",
        )
    password = None
    if os.geteuid() != 0 and not await _sudo_is_free():
        password = _ask(ask_password, await missing(suites=suites, libvirt=libvirt))

    async def apply(playbook: str, extravars: Mapping[str, bool]) -> PlayResult:
        return await play(
            playbook,
            inventory=None,
            report=report,
            log=log,
            timeout=_INSTALL_TIMEOUT,
            extravars=extravars,
            become_password=password,
        )

    done = await apply("controller.yml", {f"controller_{suite}": True for suite in suites})
    return await apply("libvirt.yml", {}) if libvirt else done


def _ask(ask_password: Callable[[], str] | None, needed: tuple[Need, ...]) -> str:
    if ask_password is None or shutil.which("sudo") is None:
        obstacle = "sudo asks for a password and there is no terminal" if shutil.which("sudo") else "there is no sudo"
        trouble = "packages are missing" if needed else "libvirt is not set up"
        command = install_command(needed) or "kdevops doctor --vagrant --install"
        raise InfrastructureError(f"{trouble}, and {obstacle}", hint=f"as root, run: {command}")
    return ask_password()


async def _sudo_is_free() -> bool:
    """Whether root is to be had without a password."""
    return bool(shutil.which("sudo")) and (await run(["sudo", "-n", "true"], timeout=30, check=False)).returncode == 0


async def _installed(manager: PackageManager, packages: list[str]) -> bool:
    """Whether all of them are. The query answers "installed" for each, or (pacman) with nothing at all."""
    if not packages:
        return True
    done = await run([*manager.query, *packages], timeout=_QUERY_TIMEOUT, check=False)
    return done.returncode == 0 and set(done.stdout.split("\n")) <= {"installed", ""}
