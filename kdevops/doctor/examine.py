"""All checks of `kdevops doctor`, in order; on request, missing packages are installed first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kdevops.doctor import checks, packages
from kdevops.doctor.checks import Check
from kdevops.doctor.option import Asked
from kdevops.kernel.artifact import artifacts
from kdevops.paths import cache_dir, state_dir
from kdevops.progress import Report
from kdevops.providers import acceleration
from kdevops.providers.acceleration import Acceleration


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to check. `suites`: those whose build tools are needed; `providers`: what kinds of provider add."""

    install: bool = False
    packages_only: bool = False
    suites: tuple[str, ...] = ()
    providers: tuple[Asked, ...] = ()

    @property
    def libvirt(self) -> bool:
        """Whether libvirt's packages are needed."""
        return any(each.libvirt for each in self.providers)


async def examine(wanted: Wanted, report: Report, ask_password: Callable[[], str] | None) -> list[Check]:
    """Run the wanted checks. Raises KdevopsError if packages cannot be installed."""
    suites, libvirt = wanted.suites, wanted.libvirt
    missing = await packages.missing(suites=suites, libvirt=libvirt)
    of_providers = await _providers(wanted)
    if wanted.install and (missing or not all(healthy(found) for each, found in of_providers if each.libvirt)):
        log = state_dir() / "logs/doctor-install.log"
        await packages.install(report=report, log=log, ask_password=ask_password, suites=suites, libvirt=libvirt)
        missing, of_providers = await packages.missing(suites=suites, libvirt=libvirt), await _providers(wanted)
    found = checks.check_packages(missing, suites=suites, libvirt=libvirt)
    found += [check for _, of_one in of_providers for check in of_one]
    if wanted.packages_only:
        return found
    return [
        *found,
        await checks.check_namespaces(),
        checks.check_disk(),
        checks.check_memory(),
        checks.check_kvm_device(),
        await checks.check_acceleration(lambda: probe(report)),
    ]


def healthy(found: list[Check]) -> bool:
    """Whether all needed checks passed."""
    return all(check.ok for check in found if check.needed)


async def _providers(wanted: Wanted) -> list[tuple[Asked, list[Check]]]:
    """Empty if only packages are checked."""
    asked = () if wanted.packages_only else wanted.providers
    return [(each, await each.option.checks(each.choice)) for each in asked]


async def probe(report: Report) -> Acceleration:
    """Check whether KVM works by booting a kernel: one built by kdevops, else one of the host's."""
    return await acceleration.probe(_some_kernel(), cache=cache_dir(), report=report)


def _some_kernel() -> Path | None:
    """Any readable kernel: it only has to print something, not to find a root."""
    kernels = [*(built.image for built in artifacts(cache_dir())), *sorted(Path("/boot").glob("vmlinuz*"))]
    return next((path for path in kernels if _readable(path)), None)


def _readable(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False
