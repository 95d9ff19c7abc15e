"""The entry of the command line, and the door at which every error becomes prose and an exit code."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
from pathlib import Path

import click

from kdevops.errors import ExitCode, InfrastructureError, KdevopsError
from kdevops.paths import state_dir

INTERRUPTED = 130
"""What a shell reports for a program that SIGINT ended."""
BROKEN_PIPE = 141
"""The same for SIGPIPE."""
TERMINATED = 143
"""The same for SIGTERM."""

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
"""What the machine does to any program, and is no fault in ours."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's own) and return the exit code."""
    from kdevops.cli.options import Context

    _fill_closed()
    if not os.environ.get("HOME", "/").startswith("/"):
        del os.environ["HOME"]  # none at all: the password database says where home is
    arguments = sys.argv[1:] if argv is None else argv
    context = Context()
    terminated = _end_alike()
    try:
        code = _run(arguments, context)
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads any more; keep the interpreter from saying so when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return TERMINATED if terminated else INTERRUPTED
    except click.ClickException as error:
        as_json = context.json or "--json" in arguments
        return _tell(_of_click(error), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last door: whatever comes here must not reach the terminal raw
        return _tell(_as_prose(error, arguments), as_json=context.json)
    return code


def _fill_closed() -> None:
    """Let /dev/null stand for what a shell has closed (`>&-`), where the next file opened would be printed into."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)  # for commands that we start
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115 - open to the end


def _end_alike() -> list[int]:
    """Have SIGTERM end us as Ctrl-C does, guests and all; a second one ends us at once. The list gets what came."""
    came: list[int] = []

    def end(number: int, _: object) -> None:
        came.append(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is _overhear:
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    with contextlib.suppress(ValueError):  # only the main thread hears of signals
        signal.signal(signal.SIGTERM, end)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for jobs in the background
            signal.signal(signal.SIGINT, _overhear)
    return came


def _overhear(_: int, __: object) -> None:
    """Ignore SIGINT, but in this process alone: commands would inherit that, and are asked by it to end."""


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
    hint = f"{context.command_path} --help tells what can be given" if context else None
    return UserError(error.format_message(), hint=hint)


def _as_prose(error: Exception, arguments: list[str]) -> KdevopsError:
    return _known(error) or _BugError(error, arguments)


def _known(error: Exception) -> KdevopsError | None:
    """The error that speaks for `error`: itself, what the machine did, or the first of a group in which all do."""
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
    """A fault in this program. The traceback is in a file, for a report."""

    def __init__(self, error: Exception, arguments: list[str]) -> None:
        report = _write_report(error, arguments)
        hint = "please report it, with that file" if report else "the state directory cannot be written: see --state"
        fault, where = _innermost(error)
        if where:
            hint = f"please report it to its authors{', with that file' if report else ''}"
        super().__init__(
            f"this is a bug in {where or 'kdevops'}: {type(fault).__name__}: {fault}", hint=hint, log=report
        )


def _innermost(error: Exception) -> tuple[Exception, str]:
    """The fault itself, out of a group of one, and whose it is where that is not ours: what is noted at it."""
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


def _tell(error: KdevopsError, *, as_json: bool) -> int:
    from kdevops.text import clean

    click.secho(clean(error.message, 20_000, lines=True), err=True, fg="red")
    if console := getattr(error, "console", ""):
        click.echo("the end of its console:", err=True)
        click.echo("\n".join(f"  | {clean(line)}" for line in console.splitlines()), err=True)
    if error.hint:
        click.echo(f"hint: {clean(error.hint, 2000, lines=True)}", err=True)
    if error.log:
        click.echo(f"log: {error.log}", err=True)
    if as_json:
        told = {
            "message": error.message,
            "hint": error.hint,
            "log": str(error.log) if error.log else None,
            "exit_code": int(error.exit_code),
        }
        click.echo(json.dumps({**error.data, "error": told}))
    return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main())
