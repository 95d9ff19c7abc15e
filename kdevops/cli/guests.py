"""`kdevops up`, `down`, `status`, `ssh`, `console`: manage guests manually."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.options import (
    Context,
    common_options,
    guest_argument,
    json_option,
    lab_argument,
    lab_verb,
    pass_context,
    set_option,
    yes_option,
)
from kdevops.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from kdevops.lab.load import LoadedLab
    from kdevops.lab.model import Lab
    from kdevops.providers.base import GuestStatus
    from kdevops.run.dirs import Dirs
    from kdevops.run.guests.rented import Rented


@click.command()
@lab_argument
@set_option
@yes_option
@click.option(
    "--play", "plays", metavar="NAME", multiple=True, help="Then run this playbook on the guests: devconfig, …"
)
@json_option
@common_options
@pass_context
def up(context: Context, *, plays: tuple[str, ...]) -> None:
    """Start the guests of LAB with its kernel, and those of `compare` with theirs. They run until `kdevops down`."""
    from rich.console import Console

    from kdevops.report.live import Display
    from kdevops.run import arms
    from kdevops.run.dirs import Dirs

    loaded = context.lab()
    dirs = Dirs.default()

    async def main() -> tuple[GuestStatus, ...]:
        with Display(Console(stderr=True, highlight=False), ask=context.asker(both_arms(loaded))) as display:
            return await arms.up(
                loaded.lab, dirs, display.handle, lab_file=loaded.path, plays=plays, confirm=display.confirm
            )

    _tell(context, asyncio.run(main()), _rented(loaded.lab, dirs))


@click.command()
@lab_verb
def down(context: Context) -> None:
    """Stop all guests of LAB, including leftovers of an interrupted command.

    Files that LAB names may be missing. LAB is a lab file or the name of a lab; the lab file itself may be missing, too.
    """
    from rich.console import Console

    from kdevops.report.live import Display
    from kdevops.run import arms
    from kdevops.run.dirs import Dirs

    lab = context.live_lab()

    async def main() -> tuple[GuestStatus, ...]:
        with Display(Console(stderr=True, highlight=False)) as display:
            return await arms.down(lab, Dirs.default(), display.handle)

    _tell(context, asyncio.run(main()))


@click.command()
@lab_verb
def status(context: Context) -> None:
    """Show the guests of LAB: their state and ssh address; for cloud machines also their age.

    LAB is a lab file or the name of a lab; the lab file may be missing.
    """
    from kdevops.run import arms
    from kdevops.run.dirs import Dirs

    lab = context.live_lab()
    dirs = Dirs.default()
    _tell(context, asyncio.run(arms.status(lab, dirs)), _rented(lab, dirs))


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@common_options
@guest_argument
@click.argument("command", nargs=-1)
def ssh(guest: str, command: tuple[str, ...]) -> None:
    """Log in to GUEST, or run COMMAND there.

    One word is run as a shell command line; several words are a program and its arguments.
    """
    from kdevops.guest.console import consoles
    from kdevops.guest.sshconfig import find_guest, guests
    from kdevops.paths import state_dir

    state = state_dir()
    if guest not in guests(state) and (recorded := consoles(state).get(guest)):
        raise _not_up(guest, recorded.parents[2].name)
    config = find_guest(state, guest)
    _check_up(config, guest)
    words = ["ssh", "-F", str(config), guest]
    command = command[1:] if command[:1] == ("--",) else command
    if command:
        words += ["--", command[0] if len(command) == 1 else shlex.join(command)]
    sys.stdout.flush()
    try:
        os.execvp(words[0], words)  # noqa: S606 - replaces this process, so that ssh has the terminal and its exit code is ours
    except OSError as error:
        raise InfrastructureError(f"cannot start ssh: {error.strerror}") from error


def _check_up(config: Path, guest: str) -> None:
    """Raise UserError if the guest is known to be down. If its kind cannot tell, ssh itself fails."""
    from kdevops.guest.sshconfig import port_of
    from kdevops.run.guests.kinds import all_kinds

    if any(kind.is_down(config.parent, guest, port_of(config, guest)) for kind in all_kinds()):
        raise _not_up(guest, config.parent.name)


def _not_up(guest: str, lab: str) -> UserError:
    return UserError(f"{guest} is not up", hint=f"start the guests of lab {lab} with: kdevops up LAB")


@click.command()
@guest_argument
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="How many of the last lines to show.",
)
@click.option("-f", "--follow", is_flag=True, help="Show new output until Ctrl-C.")
@click.option("-i", "--interactive", is_flag=True, help="Type at the console; Ctrl-] leaves it.")
@common_options
def console(guest: str, *, lines: int, follow: bool, interactive: bool) -> None:
    """Show the serial console output of GUEST with time stamps, even if the guest never came up."""
    from kdevops.guest.console import consoles, last_lines
    from kdevops.guest.sshconfig import find_guest
    from kdevops.paths import state_dir
    from kdevops.text import clean

    state = state_dir()
    path = consoles(state).get(guest) or find_guest(state, guest).parent / "guests" / guest / "console.log"
    if interactive:
        _type_at(path.parent, guest)
        return
    if not path.exists() and not follow:
        raise UserError(
            f"there is no console log of {guest}",
            hint=f"the lab file names no console for it (docs/hosts.md); see its kernel log: kdevops ssh {guest} dmesg",
        )
    for line in last_lines(path, lines):
        click.echo(clean(line))
    if follow:
        asyncio.run(_follow(path))


def _type_at(directory: Path, guest: str) -> None:
    from kdevops.run.guests.kinds import all_kinds

    if not any(kind.connect_terminal(directory, guest) for kind in all_kinds()):
        raise UserError(f"the console of {guest} is not interactive", hint=f"log in: kdevops ssh {guest}")


async def _follow(path: Path) -> None:
    from kdevops.guest.console import end_of, follow
    from kdevops.text import clean

    async for line in follow(path, end_of(path)):
        click.echo(clean(line))


def both_arms(loaded: LoadedLab) -> list[str]:
    """A note for the confirmation question of a lab with two kernels."""
    return ["The other kernel of this lab gets the same number of machines."] if loaded.lab.compare else []


def _rented(lab: Lab, dirs: Dirs) -> dict[str, Rented]:
    """Records of rented machines, by guest name."""
    from kdevops.lab.arms import arms
    from kdevops.run.guests.kinds import kind_of

    found = [rented for each in arms(lab) if (rented := kind_of(each).rented(dirs.lab(each.name)))]
    return {name: rented for rented in found for name in rented.nodes}


def _tell(context: Context, guests: tuple[GuestStatus, ...], rented: Mapping[str, Rented] | None = None) -> None:
    width = max((len(guest.name) for guest in guests), default=0)
    lines = [
        f"{guest.name:{width}}  {guest.state}" + (f"  ssh {guest.address}:{guest.port}" if guest.port else "")
        for guest in guests
    ]
    data = [asdict(guest) for guest in guests]
    if rented:
        for each in data:
            if of_guest := rented.get(each["name"]):
                each |= {"made": of_guest.created.isoformat(), "expires": of_guest.expires.isoformat()}
        labs = list({each.lab: each for each in rented.values()}.values())
        lines += [f"{each.lab} in {each.where}: {each.age}" for each in labs]
        unknown = {rented[guest.name].advice for guest in guests if guest.state == "unknown" and guest.name in rented}
        lines += [f"unknown: {advice}" for advice in sorted(unknown)]
        if context.json:
            for late in (lab for lab in labs if lab.overdue):
                click.echo(f"{late.lab}: {late.age}", err=True)
    context.emit(data, lines)
