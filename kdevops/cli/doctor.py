"""`kdevops doctor`: what this machine has and lacks, and the commands that fix it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.doctor.option import suites_with_tools
from kdevops.errors import ExitCode
from kdevops.run.guests.kinds import KINDS, kind_named

if TYPE_CHECKING:
    from kdevops.doctor.checks import Check
    from kdevops.doctor.option import DoctorOption
    from kdevops.progress import Progress

    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # not generic in click 8.1

_TOOLS = "Also check the tools to build {name} for guests whose image is not ours."


class _ChoiceOrNone(_Choice):
    """One of the choices; the value of the option without a choice is accepted but not offered."""

    def __init__(self, option: DoctorOption) -> None:
        super().__init__(option.choices)
        self._default = option.default

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Accept a choice or the default."""
        return value if value == self._default else super().convert(value, param, ctx)


def command() -> click.Command:
    """The command, with an option for every kind of provider and every suite that has more to check."""
    options = {name: option for name in KINDS if (option := kind_named(name).doctor_option())}
    tools = suites_with_tools()

    @click.command()
    @click.option(
        "--install", is_flag=True, help="First install what is missing; asks for the sudo password if needed."
    )
    @click.option("--packages", "packages_only", is_flag=True, help="Check only packages, which is fast.")
    @json_option
    @common_options
    @pass_context
    def doctor(context: Context, /, *, install: bool, packages_only: bool, **given: str | bool | None) -> None:
        """Check whether this machine can build kernels and run guests, and say how to fix what is missing.

        Exits with 0 if everything needed is present, else with 3.
        """
        from kdevops.doctor.examine import Wanted, examine, healthy
        from kdevops.doctor.option import Asked

        asked = tuple(Asked(option, str(given[name])) for name, option in options.items() if given[name])
        suites = tuple(name for name in tools if given[name])
        wanted = Wanted(install=install, packages_only=packages_only, suites=suites, providers=asked)
        checks = asyncio.run(examine(wanted, _tell, _ask_password if sys.stdin.isatty() else None))
        ok = healthy(checks)
        context.emit({"ok": ok, "checks": [asdict(check) for check in checks]}, _lines(checks))
        sys.exit(ExitCode.OK if ok else ExitCode.INFRASTRUCTURE)

    of_suites = [click.Option([f"--{name}"], is_flag=True, help=_TOOLS.format(name=name)) for name in tools]
    doctor.params[2:2] = [*of_suites, *(_option(name, option) for name, option in options.items())]
    return doctor


def _option(name: str, option: DoctorOption) -> click.Option:
    return click.Option(
        [f"--{name}"],
        type=_ChoiceOrNone(option),
        is_flag=False,
        flag_value=option.default,
        metavar=f"[{'|'.join(option.choices)}]",
        help=option.help,
    )


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


doctor = command()
