"""`kdevops doctor`: what this machine has, what it lacks, and the command that mends it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import ExitCode
from kdevops.paths import cache_dir, state_dir

if TYPE_CHECKING:
    from kdevops.doctor.checks import Acceleration, Check
    from kdevops.doctor.terraform import Advice
    from kdevops.doctor.vagrant import Backend
    from kdevops.lab.terraform import Cloud
    from kdevops.progress import Progress

    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # which takes no type in click 8.1

CLOUDS = ("aws", "gce", "azure", "oci", "openstack")
"""As lab files name them."""
_NO_CLOUD = "none"


class _CloudChoice(_Choice):
    """A cloud; what stands for none is no answer to be offered."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The cloud as it was named."""
        return value if value == _NO_CLOUD else super().convert(value, param, ctx)


@click.command()
@click.option("--install", is_flag=True, help="Install what is missing first, asking for sudo's password if need be.")
@click.option("--packages", "packages_only", is_flag=True, help="Look at packages only, which takes no time.")
@click.option("--fstests", is_flag=True, help="Also what it takes to build fstests for guests with another's image.")
@click.option(
    "--vagrant",
    type=click.Choice(["libvirt", "virtualbox"]),
    is_flag=False,
    flag_value="libvirt",
    metavar="[libvirt|virtualbox]",
    help="Also what Vagrant gives guests with; with --install libvirt is set up and started, too.",
)
@click.option(
    "--terraform",
    "cloud",
    type=_CloudChoice(CLOUDS),
    is_flag=False,
    flag_value=_NO_CLOUD,
    metavar=f"[{'|'.join(CLOUDS)}]",
    help="Also Terraform or OpenTofu, and of a cloud its own command line and whether there are credentials.",
)
@json_option
@common_options
@pass_context
def doctor(
    context: Context,
    *,
    install: bool,
    packages_only: bool,
    fstests: bool,
    vagrant: Backend | None,
    cloud: str | None,
) -> None:
    """Say whether this machine can build kernels and run guests, and what to do where it cannot.

    Exits with 0 when all that is needed is here, with 3 otherwise.
    """
    wanted = _Wanted(install=install, packages_only=packages_only, fstests=fstests, vagrant=vagrant, terraform=cloud)
    checks = asyncio.run(_examine(wanted, probe=_probe))
    context.emit({"ok": _healthy(checks), "checks": [asdict(check) for check in checks]}, _lines(checks))
    sys.exit(ExitCode.OK if _healthy(checks) else ExitCode.INFRASTRUCTURE)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the options said."""

    install: bool
    packages_only: bool
    fstests: bool
    vagrant: Backend | None
    terraform: str | None

    @property
    def libvirt(self) -> bool:
        return self.vagrant == "libvirt"


async def _examine(wanted: _Wanted, *, probe: Callable[[], Awaitable[Acceleration]]) -> list[Check]:
    from kdevops.doctor import checks as doctor_checks
    from kdevops.doctor import packages

    extra = {"fstests": wanted.fstests, "libvirt": wanted.libvirt}
    missing = await packages.missing(**extra)
    vagrant = await _vagrant(wanted)
    if wanted.install and (missing or (wanted.libvirt and not _healthy(vagrant))):
        ask = _ask_password if sys.stdin.isatty() else None
        log = state_dir() / "logs/doctor-install.log"
        await packages.install(report=_tell, log=log, ask_password=ask, **extra)
        missing, vagrant = await packages.missing(**extra), await _vagrant(wanted)
    checks = [*doctor_checks.check_packages(missing, **extra), *vagrant, *await _terraform(wanted)]
    if wanted.packages_only:
        return checks
    return [
        *checks,
        await doctor_checks.check_namespaces(),
        doctor_checks.check_disk(),
        doctor_checks.check_memory(),
        doctor_checks.check_kvm_device(),
        await doctor_checks.check_acceleration(probe),
    ]


async def _vagrant(wanted: _Wanted) -> list[Check]:
    """Nothing where only packages are looked at."""
    if not wanted.vagrant or wanted.packages_only:
        return []
    from kdevops.doctor.vagrant import check_vagrant
    from kdevops.providers.vagrant.errors import translate

    return await check_vagrant(wanted.vagrant, translate)


async def _terraform(wanted: _Wanted) -> list[Check]:
    """Nothing where only packages are looked at."""
    if not wanted.terraform or wanted.packages_only:
        return []
    from kdevops.doctor.terraform import check_terraform
    from kdevops.providers.terraform.errors import complaints
    from kdevops.providers.terraform.tool import TerraformTool, find_tool

    async def version() -> str:
        binary = find_tool(None)
        with TemporaryDirectory(prefix="kdevops-") as name:
            nowhere, log = Path(name), state_dir() / "logs/doctor-terraform.log"
            told = await TerraformTool(binary, nowhere, log, nowhere).check_version()
        return f"{told}, {binary}"

    def advice(cloud: Cloud) -> Advice:
        return next(each for each in complaints() if each.name == f"{cloud}-none")

    cloud = None if wanted.terraform == _NO_CLOUD else cast("Cloud", wanted.terraform)
    return await check_terraform(cloud, version, advice)


async def _probe() -> Acceleration:
    from kdevops.providers.acceleration import probe

    return await probe(_some_kernel(), cache=cache_dir(), report=_tell)


def _some_kernel() -> Path | None:
    """A kernel to try KVM with: one we built, else one of the host's own; it need not find a root, only speak."""
    from kdevops.kernel.artifact import artifacts

    kernels = [*(built.image for built in artifacts(cache_dir())), *sorted(Path("/boot").glob("vmlinuz*"))]
    return next((path for path in kernels if _readable(path)), None)


def _readable(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def _ask_password() -> str:
    return str(
        click.prompt("sudo password, to install packages", hide_input=True, default="", show_default=False, err=True)
    )


def _tell(news: Progress) -> None:
    click.echo(f"{news.step}: {news.detail}", err=True)


def _healthy(checks: list[Check]) -> bool:
    return all(check.ok for check in checks if check.needed)


def _lines(checks: list[Check]) -> list[str]:
    words = {(True, True): "ok", (True, False): "ok", (False, True): "MISSING", (False, False): "note"}
    width = max(len(check.name) for check in checks)
    lines = [f"{words[check.ok, check.needed]:8}{check.name:{width}}  {check.detail}" for check in checks]
    mends = dict.fromkeys(check.mend for check in checks if check.mend and not check.ok)
    return [*lines, *(["", "To mend it:"] if mends else []), *(f"  {mend}" for mend in mends)]
