"""The checks of `kdevops doctor --vagrant`: Vagrant with libvirt or VirtualBox."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from kdevops.doctor.checks import Check
from kdevops.doctor.packages import install_command, needs, this_distribution
from kdevops.errors import CommandError
from kdevops.process import Completed, run
from kdevops.providers.vagrant.errors import translate, understand

Backend = Literal["libvirt", "virtualbox"]
_TIMEOUT = 60.0
_URI = "qemu:///system"
_NAME = "default"
"""The storage pool and the network that Vagrant's plugin uses by default."""
_PLUGIN = "vagrant-libvirt"
_INSTALL = "kdevops doctor --vagrant --install"
_BUILDER = Path("/sbin/vboxconfig")
"""Builds the kernel module in Oracle's VirtualBox packages; those of Debian and Ubuntu do not have it."""
_ENVIRONMENT = {"LC_ALL": "C", "LANGUAGE": "", "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}


async def check_vagrant(backend: Backend, device: Path = Path("/dev/vboxdrv")) -> list[Check]:
    """One check per component; components that depend on a failed one are skipped."""
    tools = await check_tools(backend, device)
    asks = backend == "libvirt" and all(check.ok for check in tools if check.name == "virsh")
    return [*tools, *(await _check_libvirt() if asks else ())]


async def check_tools(backend: Backend, device: Path = Path("/dev/vboxdrv")) -> list[Check]:
    """As `check_vagrant`, without libvirt's daemon, pool and network: a lab may choose others."""
    vagrant = await _check_version("vagrant", r"Vagrant (\S+)", _package("vagrant"))
    if backend == "libvirt":
        return [vagrant, *([await _check_plugin()] if vagrant.ok else []), _check_virsh()]
    checks = [vagrant, *await _check_virtualbox(device)]
    # If the kernel module is missing, Vagrant's check would only repeat that.
    return [*checks, await _check_together()] if all(check.ok for check in checks) else checks


def _package(name: str) -> str:
    """The command that installs Vagrant or virsh; "" if the distribution has no package."""
    command = install_command(tuple(it for it in needs(*this_distribution(), libvirt=True) if it.name == name))
    return f"sudo {command}" if command else ""


def _check_virsh() -> Check:
    if shutil.which("virsh"):
        return Check("virsh", ok=True, detail="installed")
    mend = _package("virsh") or _INSTALL
    return Check("virsh", ok=False, detail="missing: needed to find domains that Vagrant has lost track of", mend=mend)


async def _check_plugin() -> Check:
    """Ask Vagrant itself: the plugin may be a package, or a gem in the user's home."""
    name = f"plugin {_PLUGIN}"
    try:
        listed = await _ask("vagrant", "plugin", "list")
    except CommandError as error:
        return _failed(name, error)
    if found := re.search(rf"^{_PLUGIN} \(([^,)]+)", listed.stdout, re.MULTILINE):
        return Check(name, ok=True, detail=found[1])
    mend = f"{_INSTALL} (or, if the distribution has no package: vagrant plugin install {_PLUGIN})"
    return Check(name, ok=False, detail="missing, Vagrant needs it to use libvirt", mend=mend)


async def _check_libvirt() -> list[Check]:
    try:
        told = await _ask(*_virsh("version"))
    except CommandError as error:
        return [_failed("libvirt", error)]
    versions = re.findall(r"^(?:Using library|Running hypervisor): (.*)$", told.stdout, re.MULTILINE)
    return [
        Check("libvirt", ok=True, detail=", ".join([f"answers at {_URI}", *versions])),
        await _check_active("storage pool", "pool", r"^State:\s*running$"),
        await _check_active("network", "net", r"^Active:\s*yes$"),
    ]


async def _check_active(what: str, kind: str, active: str) -> Check:
    """Whether the default pool or network exists and is active; virsh has the same verbs for both."""
    name = f"{what} {_NAME}"
    try:
        told = await _ask(*_virsh(f"{kind}-info", _NAME))
    except CommandError as error:
        return _failed(name, error)
    if re.search(active, told.stdout, re.MULTILINE):
        return Check(name, ok=True, detail="active")
    return Check(name, ok=False, detail="exists, but is stopped", mend=" ".join(_virsh(f"{kind}-start", _NAME)))


async def _check_virtualbox(device: Path) -> list[Check]:
    hint = "install VirtualBox (https://www.virtualbox.org/wiki/Downloads), or use provider.backend: libvirt"
    checks = [await _check_version("VBoxManage", r"^(\d+\.\d+\S*)$", hint)]
    if checks[0].ok and sys.platform == "linux":
        loaded = device.exists()
        detail = "exists, the kernel module is loaded" if loaded else "missing, the kernel module is not loaded"
        checks.append(Check(str(device), ok=loaded, detail=detail, mend=_module_mend()))
    if platform.machine().lower() in {"arm64", "aarch64"}:
        detail = "needs VirtualBox 7.1 or newer and boxes for ARM: it cannot emulate other processors"
        checks.append(Check("ARM host", ok=True, detail=detail, needed=False))
    return checks


def _module_mend() -> str:
    if this_distribution()[0] == "debian" and not _BUILDER.exists():
        return "sudo apt-get install virtualbox-dkms linux-headers-$(uname -r) && sudo modprobe vboxdrv"
    return f"sudo modprobe vboxdrv (if there is no module for this kernel: sudo {_BUILDER})"


async def _check_together() -> Check:
    """Ask Vagrant whether it supports this version of VirtualBox: it rejects versions newer than itself."""
    name = "vagrant and VirtualBox"
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "Vagrantfile").write_text('Vagrant.configure("2") { |config| config.vm.box = "none" }\n')
        environment = {
            "VAGRANT_CWD": directory, "VAGRANT_VAGRANTFILE": "Vagrantfile", "VAGRANT_DEFAULT_PROVIDER": "virtualbox",
        }  # fmt: skip
        try:
            await run(["vagrant", "validate"], cwd=Path(directory), env=_ENVIRONMENT | environment, timeout=_TIMEOUT)
        except CommandError as error:
            return _failed(name, error)
    return Check(name, ok=True, detail="compatible")


async def _check_version(command: str, pattern: str, mend: str) -> Check:
    """Whether a command exists and prints its version; VBoxManage prints warnings first."""
    if shutil.which(command) is None:
        return Check(command, ok=False, detail="missing", mend=mend)
    try:
        told = await _ask(command, "--version")
    except CommandError as error:
        return _failed(command, error)
    if found := re.search(pattern, told.stdout, re.MULTILINE):
        return Check(command, ok=True, detail=found[1])
    return Check(command, ok=False, detail="does not print its version", mend=f"{command} --version")


def _virsh(*words: str) -> tuple[str, ...]:
    return ("virsh", "--connect", _URI, *words)


async def _ask(*words: str) -> Completed:
    return await run(words, env=_ENVIRONMENT, timeout=_TIMEOUT)


def _failed(name: str, error: CommandError) -> Check:
    if error.returncode is None:  # it is missing or did not answer in time
        return Check(name, ok=False, detail=error.message, mend=_INSTALL)
    _, meaning = understand(error.output)
    if meaning:
        return Check(name, ok=False, detail=meaning.message, mend=meaning.hint)
    failed = translate(error.output, command=error.argv[0])
    return Check(name, ok=False, detail=failed.message, mend=failed.hint or "")
