"""What `kdevops doctor --vagrant` looks at: Vagrant, and libvirt or VirtualBox below it."""

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
"""The storage pool and the network that Vagrant's plugin uses unless told otherwise."""
_PLUGIN = "vagrant-libvirt"
_INSTALL = "kdevops doctor --vagrant --install"
_BUILDER = Path("/sbin/vboxconfig")
"""What Oracle's packages of VirtualBox build the kernel module with; those of Debian and Ubuntu have none."""
_ENVIRONMENT = {"LC_ALL": "C", "LANGUAGE": "", "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}


async def check_vagrant(backend: Backend, device: Path = Path("/dev/vboxdrv")) -> list[Check]:
    """One check per component; components that depend on a failed one are skipped."""
    tools = await check_tools(backend, device)
    asks = backend == "libvirt" and all(check.ok for check in tools if check.name == "virsh")
    return [*tools, *(await _check_libvirt() if asks else ())]


async def check_tools(backend: Backend, device: Path = Path("/dev/vboxdrv")) -> list[Check]:
    """As `check_vagrant`, but nothing of libvirt's own: which of its daemons, pools and networks are used, a lab says."""
    vagrant = await _check_version("vagrant", r"Vagrant (\S+)", _package("vagrant"))
    if backend == "libvirt":
        return [vagrant, *([await _check_plugin()] if vagrant.ok else []), _check_virsh()]
    checks = [vagrant, *await _check_virtualbox(device)]
    # Of one that lacks its module, Vagrant says only that.
    return [*checks, await _check_together()] if all(check.ok for check in checks) else checks


def _package(name: str) -> str:
    """The command that installs Vagrant or virsh; "" where the distribution has no package."""
    command = install_command(tuple(it for it in needs(*this_distribution(), libvirt=True) if it.name == name))
    return f"sudo {command}" if command else ""


def _check_virsh() -> Check:
    if shutil.which("virsh"):
        return Check("virsh", ok=True, detail="there")
    mend = _package("virsh") or _INSTALL
    return Check("virsh", ok=False, detail="missing: needed to find domains that Vagrant has lost track of", mend=mend)


async def _check_plugin() -> Check:
    """By Vagrant's own word: the plugin may be a package, or a gem in the user's home."""
    name = f"plugin {_PLUGIN}"
    try:
        listed = await _ask("vagrant", "plugin", "list")
    except CommandError as error:
        return _failed(name, error)
    if found := re.search(rf"^{_PLUGIN} \(([^,)]+)", listed.stdout, re.MULTILINE):
        return Check(name, ok=True, detail=found[1])
    mend = f"{_INSTALL} (or, where the distribution has no package: vagrant plugin install {_PLUGIN})"
    return Check(name, ok=False, detail="missing, Vagrant cannot ask libvirt", mend=mend)


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
    """Whether the default pool or network is there and active; virsh has the same verbs for both."""
    name = f"{what} {_NAME}"
    try:
        told = await _ask(*_virsh(f"{kind}-info", _NAME))
    except CommandError as error:
        return _failed(name, error)
    if re.search(active, told.stdout, re.MULTILINE):
        return Check(name, ok=True, detail="active")
    return Check(name, ok=False, detail="there, but stopped", mend=" ".join(_virsh(f"{kind}-start", _NAME)))


async def _check_virtualbox(device: Path) -> list[Check]:
    hint = "install VirtualBox (https://www.virtualbox.org/wiki/Downloads), or take provider.backend libvirt"
    checks = [await _check_version("VBoxManage", r"^(\d+\.\d+\S*)$", hint)]
    if checks[0].ok and sys.platform == "linux":
        loaded = device.exists()
        detail = "there, the kernel module is loaded" if loaded else "missing, the kernel module is not loaded"
        checks.append(Check(str(device), ok=loaded, detail=detail, mend=_module_mend()))
    if platform.machine().lower() in {"arm64", "aarch64"}:
        detail = "VirtualBox 7.1 or newer, and boxes for ARM only: it emulates no other processor"
        checks.append(Check("ARM host", ok=True, detail=detail, needed=False))
    return checks


def _module_mend() -> str:
    if this_distribution()[0] == "debian" and not _BUILDER.exists():
        return "sudo apt-get install virtualbox-dkms linux-headers-$(uname -r) && sudo modprobe vboxdrv"
    return f"sudo modprobe vboxdrv (where there is none for this kernel: sudo {_BUILDER})"


async def _check_together() -> Check:
    """Whether Vagrant takes this version of VirtualBox, by its own word: it takes none that is newer than itself."""
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
    return Check(name, ok=True, detail="go together")


async def _check_version(command: str, pattern: str, mend: str) -> Check:
    """Whether a command is there and tells its version; VBoxManage does so after warnings."""
    if shutil.which(command) is None:
        return Check(command, ok=False, detail="missing", mend=mend)
    try:
        told = await _ask(command, "--version")
    except CommandError as error:
        return _failed(command, error)
    if found := re.search(pattern, told.stdout, re.MULTILINE):
        return Check(command, ok=True, detail=found[1])
    return Check(command, ok=False, detail="does not tell its version", mend=f"{command} --version")


def _virsh(*words: str) -> tuple[str, ...]:
    return ("virsh", "--connect", _URI, *words)


async def _ask(*words: str) -> Completed:
    return await run(words, env=_ENVIRONMENT, timeout=_TIMEOUT)


def _failed(name: str, error: CommandError) -> Check:
    if error.returncode is None:  # it is not there, or said nothing in time
        return Check(name, ok=False, detail=error.message, mend=_INSTALL)
    _, meaning = understand(error.output)
    if meaning:
        return Check(name, ok=False, detail=meaning.message, mend=meaning.hint)
    failed = translate(error.output, command=error.argv[0])
    return Check(name, ok=False, detail=failed.message, mend=failed.hint or "")
