"""Arguments and options shared by the verbs: LAB, `--set`, `--json`, `--state`, `-v`.

A verb for a lab takes the lab file as an optional argument, LAB; the default is KDEVOPS_LAB, then lab.yaml in the current
directory. A verb for a guest takes the guest's name, which identifies the lab. A verb returns its exit code (an ExitCode,
or None for 0), raises KdevopsError, and looks like this:

    @click.command()
    @lab_verb
    def down(context: Context) -> ExitCode | None:
        loaded = context.lab()                        # LoadedLab; UserError when it is not valid
        ...
        context.emit(data, lines)                     # data with --json, lines without

    @click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
    @common_options
    @guest_argument
    @click.argument("command", nargs=-1)
    def ssh(guest: str, command: tuple[str, ...]) -> int: ...

The shared options fill the Context; only a verb's own options are parameters.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click
from click.shell_completion import CompletionItem

from kdevops.cli.output import print_json, writing
from kdevops.errors import UserError
from kdevops.paths import data_dir, state_dir

if TYPE_CHECKING:
    from kdevops.lab.load import LoadedLab
    from kdevops.lab.model import Lab
    from kdevops.progress import Confirm

DEFAULT_LAB = Path("lab.yaml")

_Function = TypeVar("_Function", bound=Callable[..., Any])
_P = ParamSpec("_P")
_R = TypeVar("_R")


@dataclass(slots=True)
class Context:
    """Values of the common options of one command line."""

    json: bool = False
    lab_file: Path | None = None
    overrides: tuple[str, ...] = ()
    yes: bool = False

    def lab(self) -> LoadedLab:
        """The lab named on the command line, with every `--set` applied.

        Raises UserError if the lab file is missing or invalid.
        """
        from kdevops.lab.load import load_lab

        if self.lab_file is None and not DEFAULT_LAB.exists():
            hint = "create one with: kdevops lab init; or name another lab file as an argument"
            raise UserError("there is no lab.yaml in this directory", hint=hint)
        return load_lab(self.lab_file or DEFAULT_LAB, self.overrides)

    def live_lab(self) -> Lab:
        """The lab whose guests to show or stop, as its file describes it now.

        Files that it names may be missing. If the lab file itself is missing, returns the lab as recorded when its guests
        were started, found by lab file or by lab name. Raises UserError if there is none.
        """
        from kdevops.lab.load import load_lab
        from kdevops.run.dirs import Dirs
        from kdevops.run.live_labs import names, recorded_lab

        path, dirs = self.lab_file or DEFAULT_LAB, Dirs.default()
        known = None if self.overrides or path.exists() else recorded_lab(str(path), path.absolute(), dirs)
        if known:
            return known
        try:
            return (load_lab(path, self.overrides, check_files=False) if path.exists() else self.lab()).lab
        except UserError as error:
            if kept := names(dirs):
                by_name = f"a lab that may have guests can also be given by name: {', '.join(kept)}"
                error.hint = "; ".join(filter(None, [error.hint, by_name]))
            raise

    def asker(self, more: Sequence[str] = ()) -> Confirm:
        """A callback that asks at the terminal before anything that costs money. One yes counts for the whole command.

        With `--yes` the question is still shown, but not repeated if only its last line (about time) changed. `more`: extra
        lines to show with the question.
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
        """Print `data` as JSON with `--json`, else `lines`. Raises OutputError."""
        if self.json:
            print_json(data)
            return
        with writing():
            click.echo("\n".join(lines))


pass_context = click.make_pass_decorator(Context, ensure=True)
"""Passes the Context as the verb's first argument."""


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Context), name, value)

    return callback


def _set_state(_: click.Context, __: click.Parameter, value: Path | None) -> None:
    if value:
        # In the environment, so that commands we start (a playbook that calls us) use the same directory.
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
        logger.propagate = False  # a library may have given the root logger a handler too


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
        help="Override a field of the lab, e.g. guests.count=1.",
    )(function)


def yes_option(function: _Function) -> _Function:
    """`--yes`: sets `Context.yes`; see `Context.asker`."""
    return click.option(
        "-y",
        "--yes",
        is_flag=True,
        callback=_keep("yes"),
        expose_value=False,
        help="Create, change and destroy cloud machines without asking.",
    )(function)


def json_option(function: _Function) -> _Function:
    """`--json`: sets `Context.json`."""
    return click.option(
        "--json", is_flag=True, is_eager=True, callback=_keep("json"), expose_value=False, help="Print JSON."
    )(function)


def common_options(function: _Function) -> _Function:
    """`--state DIR` and `-v`, accepted by every verb, before or after its name."""
    state = click.option(
        "--state",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        is_eager=True,
        callback=_set_state,
        expose_value=False,
        help="Store runs and guests here instead of in ~/.local/state/kdevops.",
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


def lab_verb(function: Callable[Concatenate[Context, _P], _R]) -> Callable[_P, _R]:
    """LAB, `--set`, `--json`, the common options, and the Context: for a verb without options of its own between them."""
    return lab_argument(set_option(json_option(common_options(pass_context(function)))))


def guest_argument(function: _Function) -> _Function:
    """GUEST, the parameter `guest`: a guest's name, completed from the known labs."""
    return click.argument("guest", shell_complete=_complete_guest)(function)


def _complete_guest(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kdevops.guest.sshconfig import guests

    return [CompletionItem(name) for name in guests(state_dir()) if name.startswith(incomplete)]


def templates() -> dict[str, Path]:
    """Lab templates by name."""
    return {path.stem: path for path in sorted(data_dir("labs").glob("*.yaml"))}


def complete_template(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shell completion of a template's name."""
    return [CompletionItem(name) for name in templates() if name.startswith(incomplete)]
