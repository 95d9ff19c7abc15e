"""The checks of `kdevops doctor` on this machine, each with the command that fixes a failure."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from kdevops.doctor.packages import Need, install_command, needs, this_distribution
from kdevops.errors import CommandError, KdevopsError
from kdevops.paths import cache_dir
from kdevops.process import run
from kdevops.providers.acceleration import Acceleration

_GIB = 1 << 30
_DISK_NEEDED = 8 * _GIB
"""Bytes for one unpacked kernel tree (1.4 GiB), its objects, a guest image and the guests' overlays."""
_MEMORY_NEEDED = 3 * _GIB
"""Bytes for one default guest (2 GiB) and a compiler or two."""
_SUBORDINATE_IDS = 65536
"""User ids that a Debian tree may use; useradd(8) gives a user this many by default."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `mend`: the command that fixes it, or ""; `needed`: kdevops cannot do without it."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True


def check_packages(missing: Iterable[Need], *, suites: Collection[str] = (), libvirt: bool = False) -> list[Check]:
    """One check per missing need, or a single one if none is missing. `suites` and `libvirt` add their needs."""
    absent = tuple(missing)
    if not absent:
        count = len(needs(*this_distribution(), suites=suites, libvirt=libvirt))
        return [Check("packages", ok=True, detail=f"all {count} commands and libraries are installed")]
    options = "".join(f"--{suite} " for suite in suites) + ("--vagrant " if libvirt else "")
    mend = f"kdevops doctor {options}--install" if install_command(absent) else ""
    return [
        Check(need.name, ok=False, detail=f"missing, package {need.package} provides it", mend=mend)
        if need.package
        else Check(need.name, ok=False, detail="missing, and no package is known for this distribution", needed=False)
        for need in absent
    ]


async def check_namespaces(subuid: Path = Path("/etc/subuid"), subgid: Path = Path("/etc/subgid")) -> Check:
    """Whether this user can build a guest image: needs user namespaces and subordinate ids."""
    name = "user namespaces"
    if os.geteuid() == 0:
        return Check(name, ok=True, detail="root does not need them")
    user = pwd.getpwuid(os.geteuid()).pw_name
    try:
        await run(["unshare", "--user", "--map-root-user", "true"], timeout=30)
    except CommandError as error:
        return Check(name, ok=False, detail=error.message, mend=_namespace_switch())
    if not all(_has_range(path, user) for path in (subuid, subgid)):
        mend = f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
        return Check(
            name, ok=False, detail=f"{user} has no range of subordinate ids in {subuid} and {subgid}", mend=mend
        )
    return Check(name, ok=True, detail=f"usable, with subordinate ids for {user}")


def _namespace_switch() -> str:
    """The command that enables user namespaces for plain users, or "" if this kernel has no such sysctl."""
    switches = {
        "kernel.unprivileged_userns_clone": "1",  # Debian's patch
        "kernel.apparmor_restrict_unprivileged_userns": "0",  # Ubuntu from 23.10
        "user.max_user_namespaces": "15000",  # RHEL 7's default was 0
    }
    there = (name for name in switches if Path("/proc/sys", *name.split(".")).exists())
    return " && ".join(f"sudo sysctl {name}={switches[name]}" for name in there)


def _has_range(path: Path, user: str) -> bool:
    """Whether a subuid(5) file gives `user` enough ids, by name or number."""
    try:
        lines = [line.strip().split(":") for line in path.read_text(errors="replace").splitlines()]
    except OSError:
        return False
    wanted = {user, str(os.geteuid())}
    counts = [int(line[2]) for line in lines if len(line) == 3 and line[0] in wanted and line[2].isdecimal()]
    return any(count >= _SUBORDINATE_IDS for count in counts)


def check_disk(directory: Path | None = None) -> Check:
    """Free disk space where kernels and images are built."""
    directory = directory or cache_dir()
    there = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(there).free
    mend = f"free some space in {there}, or set KDEVOPS_CACHE to a directory on a larger disk"
    return _enough("disk space", free, _DISK_NEEDED, f"free in {there}", mend)


def check_memory(meminfo: Path = Path("/proc/meminfo")) -> Check:
    """Memory for guests: MemAvailable of proc_meminfo(5)."""
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    available = int(fields["MemAvailable"].split()[0]) * 1024
    return _enough(
        "memory",
        available,
        _MEMORY_NEEDED,
        "available",
        "ask for smaller guests: --set guests.memory=1GiB",
        needed=False,
    )


def _enough(name: str, have: int, want: int, what: str, mend: str, *, needed: bool = True) -> Check:
    detail = f"{have / _GIB:.1f} GiB {what}"
    if have >= want:
        return Check(name, ok=True, detail=detail)
    return Check(name, ok=False, detail=f"{detail}, {want / _GIB:.0f} GiB are needed", mend=mend, needed=needed)


def check_kvm_device(device: Path = Path("/dev/kvm")) -> Check:
    """Whether the user can open the KVM device; `check_acceleration` checks whether KVM works."""
    name = str(device)
    if not device.exists():
        detail = "missing: no hardware virtualisation, disabled in the firmware, or not available to this machine"
        return Check(name, ok=False, detail=detail, needed=False)
    if not os.access(device, os.R_OK | os.W_OK):
        mend = f"sudo usermod --append --groups kvm {pwd.getpwuid(os.geteuid()).pw_name}, then log in again"
        return Check(name, ok=False, detail="exists, but this user may not open it", mend=mend, needed=False)
    return Check(name, ok=True, detail="exists and can be opened")


async def check_acceleration(probe: Callable[[], Awaitable[Acceleration]]) -> Check:
    """The acceleration of guests, as found by `probe`, which boots one."""
    try:
        found = await probe()
    except KdevopsError as error:
        return Check("acceleration", ok=False, detail=error.message, mend=error.hint or "")
    detail = f"{found.kind}: {found.why}"
    if found.kind != "kvm":
        detail += f"; guests are emulated and timeouts are {found.slowdown:g} times longer"
    return Check("acceleration", ok=True, detail=detail)
