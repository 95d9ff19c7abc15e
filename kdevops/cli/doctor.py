"""`kdevops doctor`: what this machine has and lacks, and the commands that fix it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import ExitCode
from kdevops.lab.clouds import cloud_names

if TYPE_CHECKING:
    from kdevops.doctor.checks import Check
    from kdevops.doctor.vagrant import Backend
    from kdevops.progress import Progress

    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # not generic in click 8.1

CLOUDS = cloud_names()
"""Clouds, named as in lab files."""
_NO_CLOUD = "none"


class _CloudChoice(_Choice):
    """A cloud; the placeholder for none is accepted but not offered."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Accept a cloud's name or the placeholder."""
        return value if value == _NO_CLOUD else super().convert(value, param, ctx)


@click.command()
@click.option("--install", is_flag=True, help="First install what is missing; asks for the sudo password if needed.")
@click.option("--packages", "packages_only", is_flag=True, help="Check only packages, which is fast.")
@click.option(
    "--fstests", is_flag=True, help="Also check the tools to build fstests for guests whose image is not ours."
)
@click.option(
    "--vagrant",
    type=click.Choice(["libvirt", "virtualbox"]),
    is_flag=False,
    flag_value="libvirt",
    metavar="[libvirt|virtualbox]",
    help="Also check Vagrant and its backend; with --install, libvirt is also set up and started.",
)
@click.option(
    "--terraform",
    "cloud",
    type=_CloudChoice(CLOUDS),
    is_flag=False,
    flag_value=_NO_CLOUD,
    metavar=f"[{'|'.join(CLOUDS)}]",
    help="Also check Terraform or OpenTofu and, for a cloud, its command-line tool and credentials.",
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
    """Check whether this machine can build kernels and run guests, and say how to fix what is missing.

    Exits with 0 if everything needed is present, else with 3.
    """
    from kdevops.doctor.examine import Wanted, examine, healthy

    wanted = Wanted(
        install=install,
        packages_only=packages_only,
        suites=("fstests",) if fstests else (),
        vagrant=vagrant,
        terraform=bool(cloud),
        cloud=None if cloud == _NO_CLOUD else cloud,
    )
    checks = asyncio.run(examine(wanted, _tell, _ask_password if sys.stdin.isatty() else None))
    ok = healthy(checks)
    context.emit({"ok": ok, "checks": [asdict(check) for check in checks]}, _lines(checks))
    sys.exit(ExitCode.OK if ok else ExitCode.INFRASTRUCTURE)


def _ask_password() -> str:
    return str(
        click.prompt("sudo password, to install packages", hide_input=True, default="", show_default=False, err=True)
    )


def _tell(news: Progress) -> None:
    click.echo(f"{news.step}: {news.detail}", err=True)


def _lines(checks: list[Check]) -> list[str]:
    words = {(True, True): "ok", (True, False): "ok", (False, True): "MISSING", (False, False): "note"}
    width = max(len(check.name) for check in checks)
    lines = [f"{words[check.ok, check.needed]:8}{check.name:{width}}  {check.detail}" for check in checks]
    mends = dict.fromkeys(check.mend for check in checks if check.mend and not check.ok)
    return [*lines, *(["", "To fix it:"] if mends else []), *(f"  {mend}" for mend in mends)]
