"""Entry point of the command line: turns every error into a readable message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from pathlib import Path

import click

from kdevops.errors import ExitCode, InfrastructureError, KdevopsError
from kdevops.paths import state_dir

INTERRUPTED = 130
"""Exit code that a shell reports after SIGINT."""
BROKEN_PIPE = 141
"""The same for SIGPIPE."""
TERMINATED = 143
"""The same for SIGTERM."""

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
"""Errors caused by the machine, not by a bug in kdevops."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit code."""
    from kdevops.cli.options import Context
    from kdevops.cli.output import writing

    _fill_closed()
    if not os.environ.get("HOME", "/").startswith("/"):
        del os.environ["HOME"]  # unset: then the password database gives the home directory
    arguments = sys.argv[1:] if argv is None else argv
    context = Context()
    terminated = _end_alike()
    try:
        code = _run(arguments, context)
        with writing():
            sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    except (KeyboardInterrupt, click.Abort):
        with contextlib.suppress(OSError):
            click.echo("interrupted", err=True)
        return TERMINATED if terminated else INTERRUPTED
    except click.ClickException as error:
        as_json = context.json or "--json" in arguments
        return _tell(_of_click(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - last resort: no traceback may reach the terminal
        return _tell(_as_prose(error, arguments), as_json=context.json)
    return code


def _fill_closed() -> None:
    """Open /dev/null for standard streams closed by the shell (`>&-`), so that no other file gets their number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)  # for our child processes
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - open to the end


def _end_alike() -> list[int]:
    """Make SIGTERM act like Ctrl-C, so that guests are stopped; a second one kills us. Received signals are appended to the
    returned list."""
    came: list[int] = []

    def end(number: int, _: object) -> None:
        came.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is _overhear:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    with contextlib.suppress(ValueError):  # only the main thread can handle signals
        signal.signal(signal.SIGTERM, end)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does this for background jobs
            signal.signal(signal.SIGINT, _overhear)
    return came


def _overhear(_: int, __: object) -> None:
    """Ignore SIGINT in this process only: child processes would inherit SIG_IGN, but we stop them with SIGINT."""


def _run(arguments: list[str], context: object) -> int:
    from kdevops.cli.root import COMPLETE_VARIABLE, cli

    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "kdevops", COMPLETE_VARIABLE, instruction)
    try:
        with cli.make_context("kdevops", list(arguments), obj=context) as ctx:
            return int(cli.invoke(ctx) or ExitCode.OK)
    except click.exceptions.Exit as end:  # --help and --version
        return end.exit_code


def _of_click(error: click.ClickException) -> KdevopsError:
    from kdevops.errors import UserError

    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"see {context.command_path} --help" if context else None
    return UserError(error.format_message(), hint=hint)


def _as_prose(error: Exception, arguments: list[str]) -> KdevopsError:
    return _known(error) or _BugError(error, arguments)


def _known(error: Exception) -> KdevopsError | None:
    """A readable error for `error`: itself, a machine error, or the first of a group if all are readable; else None."""
    if isinstance(error, KdevopsError):
        return error
    if isinstance(error, OSError) and error.errno in _MACHINE:
        return InfrastructureError(f"{error.strerror}" + (f": {error.filename}" if error.filename else ""))
    if isinstance(error, ExceptionGroup):
        members = [_known(each) for each in error.exceptions]
        if all(members):
            return members[0]
    return None


class _BugError(InfrastructureError):
    """A bug in kdevops. The traceback is written to a file, for a bug report."""

    def __init__(self, error: Exception, arguments: list[str]) -> None:
        report = _write_report(error, arguments)
        hint = "please report it with that file" if report else "cannot write to the state directory: see --state"
        fault, where = _innermost(error)
        if where:
            hint = f"please report it to its authors{' with that file' if report else ''}"
        super().__init__(
            f"this is a bug in {where or 'kdevops'}: {type(fault).__name__}: {fault}", hint=hint, log=report
        )


def _innermost(error: Exception) -> tuple[Exception, str]:
    """The error itself, unwrapped from groups of one, and the suite that raised it, from its notes; "" for ours."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        (error,) = error.exceptions
    notes = [note for note in getattr(error, "__notes__", ()) if note.startswith("the suite ")]
    return error, "".join(notes[:1])


def _write_report(error: Exception, arguments: list[str]) -> Path | None:
    import platform
    import tempfile
    import traceback

    from kdevops import __version__

    head = f"kdevops {__version__}, Python {platform.python_version()}, {platform.platform()}\n{arguments!r}\n\n"
    try:
        directory = state_dir() / "crashes"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="crash-", suffix=".txt", dir=directory)  # mode 0600
        with os.fdopen(descriptor, "w", errors="backslashreplace") as file:
            file.write(head + "".join(traceback.format_exception(error)))
    except (OSError, RuntimeError):
        return None
    return Path(name)


def _reader_gone() -> int:
    from kdevops.cli.output import discard_output

    discard_output()
    return BROKEN_PIPE


def _tell(error: KdevopsError, *, as_json: bool) -> int:
    from kdevops.cli.output import OutputError, print_json

    _say(error)
    if as_json and not isinstance(error, OutputError):
        told = {
            "message": error.message,
            "hint": error.hint,
            "log": str(error.log) if error.log else None,
            "exit_code": int(error.exit_code),
        }
        try:
            print_json({**error.data, "error": told}, indent=None)
        except BrokenPipeError:
            return _reader_gone()
        except OutputError as second:
            _say(second)
            return int(second.exit_code)
    return int(error.exit_code)


def _say(error: KdevopsError) -> None:
    with contextlib.suppress(OSError):  # where standard error cannot be written, only the exit code is left
        _print_error(error)


def _print_error(error: KdevopsError) -> None:
    from kdevops.text import clean

    click.secho(clean(error.message, 20_000, lines=True), err=True, fg="red")
    if console := getattr(error, "console", ""):
        click.echo("end of the console:", err=True)
        click.echo("\n".join(f"  | {clean(line)}" for line in console.splitlines()), err=True)
    if error.hint:
        click.echo(f"hint: {clean(error.hint, 2000, lines=True)}", err=True)
    if error.log:
        click.echo(f"log: {error.log}", err=True)


if __name__ == "__main__":
    sys.exit(main())
