"""The distribution packages this machine needs, which are missing, and how to install them.

The role `controller` holds the data and installs the packages: `vars/commands.json` maps needs to packages,
`vars/<family>.yml` has the package manager's commands. Needs of only some labs are in the roles for those.
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
"""Not in a plain user's PATH on some distributions; they contain mkfs, depmod and sfdisk."""


@dataclass(frozen=True, slots=True)
class Need:
    """A command, library or kernel source. `package`: the package that provides it, or "" if there is none."""

    name: str
    package: str
    command: bool = False


@dataclass(frozen=True, slots=True)
class PackageManager:
    """A distribution's package manager: each field is an argv to which package names are appended."""

    query: tuple[str, ...]
    install: tuple[str, ...]


def needs(family: str, release: str, *, suites: Collection[str] = (), libvirt: bool = False) -> tuple[Need, ...]:
    """All needs on a distribution `family` (distribution.distribution_family) and `release` ("bookworm").

    `suites` adds the build tools listed in the roles of these names, which are needed only if the guests' image is not
    ours; `libvirt` adds the packages for Vagrant with libvirt.
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
    """The commands and libraries (name → package) in a role's variables for the family."""
    path = data_dir("roles") / f"{role}/vars/{family}.yml"
    if not path.is_file():
        return []
    table = yaml.safe_load(path.read_text())
    found = [Need(name, package, command=True) for name, package in table[f"{role}_{commands}"].items()]
    others = table[f"{role}_{libraries}"] if libraries else {}
    return [*found, *(Need(name, package) for name, package in others.items())]


def this_distribution() -> tuple[str, str]:
    """Family and release of this machine; for the family "unknown" we know no packages."""
    try:
        release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        release = ""
    return distribution_family(), release


def package_manager(family: str) -> PackageManager | None:
    """How to query and install packages; None for an unknown family."""
    path = data_dir("roles") / f"controller/vars/{family}.yml"
    if not path.is_file():
        return None
    words = yaml.safe_load(path.read_text())
    return PackageManager(tuple(words["controller_query"]), tuple(words["controller_install"]))


def find_command(name: str) -> str | None:
    """The path of the command `name`, searched in root's directories too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMIN_DIRECTORIES}")


async def missing(*, suites: Collection[str] = (), libvirt: bool = False) -> tuple[Need, ...]:
    """The missing needs. A command counts as present wherever it came from, a library if its package is installed."""
    family, release = this_distribution()
    manager = package_manager(family)
    wanted = needs(family, release, suites=suites, libvirt=libvirt)
    absent = [need for need in wanted if need.command and find_command(need.name) is None]
    others = [need for need in wanted if not need.command and need.package]
    if manager and not await _installed(manager, [need.package for need in others]):
        absent += [need for need in others if not await _installed(manager, [need.package])]
    return tuple(absent)


def install_command(needed: tuple[Need, ...]) -> str | None:
    """The command that installs them, for root; None if it is not known."""
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
    """Apply the role `controller` to this machine, through sudo if needed; with `libvirt` also the role `libvirt`.

    `ask_password` is called only if sudo asks for a password; None without a terminal.
    Raises InfrastructureError if we cannot become root or the installation fails.
    """
    family, _ = this_distribution()
    if package_manager(family) is None:
        raise InfrastructureError(
            "this distribution does not belong to the Debian, Fedora, openSUSE or Arch family",
            hint="use your package manager to install what kdevops doctor lists as missing",
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
        obstacle = (
            "sudo asks for a password and there is no terminal" if shutil.which("sudo") else "sudo is not installed"
        )
        trouble = "packages are missing" if needed else "libvirt is not set up"
        command = install_command(needed) or "kdevops doctor --vagrant --install"
        raise InfrastructureError(f"{trouble}, and {obstacle}", hint=f"as root, run: {command}")
    return ask_password()


async def _sudo_is_free() -> bool:
    """Whether sudo works without a password."""
    return bool(shutil.which("sudo")) and (await run(["sudo", "-n", "true"], timeout=30, check=False)).returncode == 0


async def _installed(manager: PackageManager, packages: list[str]) -> bool:
    """Whether all packages are installed. The query prints "installed" for each, or (pacman) nothing at all."""
    if not packages:
        return True
    done = await run([*manager.query, *packages], timeout=_QUERY_TIMEOUT, check=False)
    return done.returncode == 0 and set(done.stdout.split("\n")) <= {"installed", ""}
