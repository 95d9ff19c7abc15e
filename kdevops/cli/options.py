"""What the verbs have in common: the lab they work on, `--set`, `--json`, `--state`, `-v`.

There is one convention: a verb that works on a lab takes its file as an optional argument, LAB; without it KDEVOPS_LAB
counts, then lab.yaml in the current directory. A verb that works on a guest takes the guest's name, which tells the lab
by itself. A verb returns its exit code (an ExitCode, or None for 0), raises KdevopsError, and is written so:

    @click.command()
    @lab_argument
    @set_option
    @json_option
    @common_options
    @pass_context
    def up(context: Context) -> ExitCode | None:
        loaded = context.lab()                        # LoadedLab; UserError when it is not valid
        ...
        context.emit(data, lines)                     # data with --json, lines without

    @click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
    @common_options
    @guest_argument
    @click.argument("command", nargs=-1)
    def ssh(guest: str, command: tuple[str, ...]) -> int: ...

The options fill the Context; only what is special to a verb comes as a parameter.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from kdevops.errors import UserError
from kdevops.paths import data_dir, state_dir

if TYPE_CHECKING:
    from kdevops.lab.load import LoadedLab
    from kdevops.lab.model import Lab
    from kdevops.progress import Confirm

DEFAULT_LAB = Path("lab.yaml")

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(slots=True)
class Context:
    """What the common options of one command line said."""

    json: bool = False
    lab_file: Path | None = None
    overrides: tuple[str, ...] = ()
    yes: bool = False

    def lab(self) -> LoadedLab:
        """The lab that the command line means, with every `--set` applied.

        Raises UserError where there is no lab file or it is not valid.
        """
        from kdevops.lab.load import load_lab

        if self.lab_file is None and not DEFAULT_LAB.exists():
            hint = "kdevops lab init writes one to begin with; another file is named as an argument"
            raise UserError("there is no lab.yaml in this directory", hint=hint)
        return load_lab(self.lab_file or DEFAULT_LAB, self.overrides)

    def standing_lab(self) -> Lab:
        """The lab whose guests are to be looked at or stopped, as its file has it now.

        Files that it names may be gone. Where the lab file itself is gone, the lab is meant as it was when its guests came
        up; it is found by its file, or by its name in place of that. Raises UserError where it is not found.
        """
        from kdevops.lab.load import load_lab
        from kdevops.run.live_labs import names, remembered
        from kdevops.run.places import Places

        path, places = self.lab_file or DEFAULT_LAB, Places.default()
        known = None if self.overrides or path.exists() else remembered(str(path), path.absolute(), places)
        if known:
            return known
        try:
            return (load_lab(path, self.overrides, check_files=False) if path.exists() else self.lab()).lab
        except UserError as error:
            if kept := names(places):
                by_name = f"labs that may have guests are found by name too: {', '.join(kept)}"
                error.hint = "; ".join(filter(None, [error.hint, by_name]))
            raise

    def asker(self, more: Sequence[str] = ()) -> Confirm:
        """What asks at the terminal before anything is made that costs money. One yes counts for the whole command.

        `--yes` is an answer too; the question is shown all the same, but not twice: of what was shown only the last line, which
        is about time, may differ. `more` are lines to be said with the question.
        """
        agreed = self.yes
        shown: set[tuple[str, ...]] = set()

        def ask(lines: Sequence[str]) -> bool:
            nonlocal agreed
            what = tuple(lines[:-1] or lines)
            if agreed and what in shown:
                return True
            shown.add(what)
            for line in (*lines, *(() if agreed else more)):
                click.echo(line, err=True)
            if not agreed and not sys.stdin.isatty():
                from kdevops.progress import ask_nobody

                ask_nobody(lines)
            agreed = agreed or click.confirm("Go on?", err=True)
            return agreed

        return ask

    def emit(self, data: object, lines: Iterable[str]) -> None:
        """Print `data` as JSON when that was asked for, else `lines`."""
        click.echo(json.dumps(data, indent=2) if self.json else "\n".join(lines))


pass_context = click.make_pass_decorator(Context, ensure=True)
"""Gives a verb the Context as its first argument."""


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Context), name, value)

    return callback


def _set_state(_: click.Context, __: click.Parameter, value: Path | None) -> None:
    if value:
        # In the environment, because commands that we start (a playbook that calls us) must use the same.
        os.environ["KDEVOPS_STATE"] = str(value.absolute())


_VERBOSE = "verbose"


def _set_verbose(_: click.Context, __: click.Parameter, value: bool) -> None:
    logger = logging.getLogger("kdevops")
    if value and not any(handler.name == _VERBOSE for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.name = _VERBOSE
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False  # a library that uses the root logger gives that one a handler too


def lab_argument(function: _Function) -> _Function:
    """LAB: the lab file, optional; see `Context.lab`."""
    return click.argument(
        "lab",
        required=False,
        type=click.Path(path_type=Path),
        envvar="KDEVOPS_LAB",
        callback=_keep("lab_file"),
        expose_value=False,
    )(function)


def set_option(function: _Function) -> _Function:
    """`--set KEY=VALUE`, any number of times; see `kdevops.lab.override`."""
    return click.option(
        "--set",
        metavar="KEY=VALUE",
        multiple=True,
        callback=_keep("overrides"),
        expose_value=False,
        help="Put a value over a field of the lab, as in guests.count=1.",
    )(function)


def yes_option(function: _Function) -> _Function:
    """`--yes`: sets `Context.yes`; see `Context.asker`."""
    return click.option(
        "-y",
        "--yes",
        is_flag=True,
        callback=_keep("yes"),
        expose_value=False,
        help="Agree to what is made, changed or destroyed in a cloud.",
    )(function)


def json_option(function: _Function) -> _Function:
    """`--json`: sets `Context.json`."""
    return click.option(
        "--json", is_flag=True, is_eager=True, callback=_keep("json"), expose_value=False, help="Print JSON."
    )(function)


def common_options(function: _Function) -> _Function:
    """`--state DIR` and `-v`, which every verb takes, before its name or after."""
    state = click.option(
        "--state",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        is_eager=True,
        callback=_set_state,
        expose_value=False,
        help="Keep runs and guests here instead of in ~/.local/state/kdevops.",
    )
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        is_eager=True,
        callback=_set_verbose,
        expose_value=False,
        help="Log every command that is run.",
    )
    return state(verbose(function))


def guest_argument(function: _Function) -> _Function:
    """GUEST, the parameter `guest`: the name of a guest, which completes from the labs that are known."""
    return click.argument("guest", shell_complete=_complete_guest)(function)


def _complete_guest(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kdevops.guest.sshconfig import guests

    return [CompletionItem(name) for name in guests(state_dir()) if name.startswith(incomplete)]


def templates() -> dict[str, Path]:
    """The shipped labs by name."""
    return {path.stem: path for path in sorted(data_dir("labs").glob("*.yaml"))}


def complete_template(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shell completion of a template's name."""
    return [CompletionItem(name) for name in templates() if name.startswith(incomplete)]
