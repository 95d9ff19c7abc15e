"""`kdevops results remove`: free disk space by removing test output of old runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context
from kdevops.errors import InfrastructureError, UserError

if TYPE_CHECKING:
    from kdevops.results.store import Run, Store


@click.command(short_help="Remove the test output of runs.")
@click.argument("numbers", metavar="RUN...", type=int, nargs=-1, required=True)
@click.option("-y", "--yes", "agreed", is_flag=True, help="Do not ask.")
@json_option
@common_options
@pass_context
def remove(context: Context, numbers: tuple[int, ...], *, agreed: bool) -> None:
    """Remove the output and files of the tests of RUNs to free disk space.

    This includes the runs that helped to decide on their failures. Each test's status, reason and kernel report are kept:
    the runs can still be shown, compared and accepted.
    """
    from kdevops.paths import state_dir
    from kdevops.results.store import Store
    from kdevops.run.dirs import Dirs

    dirs = Dirs.default()
    with ExitStack() as held:
        with Store(state_dir()) as store:
            runs = [store.run(number) for number in dict.fromkeys(numbers)]
            _check_not_compared(store, runs, dirs.run)
            directories = {
                run.id: [dirs.run(run.id), *(dirs.run(each.id) for each in store.deciding(run.id))] for run in runs
            }
        for run in {run.lab: run for run in runs if not run.ended}.values():
            held.enter_context(_stopped(run))
        sizes = {run.id: _total(map(_size, directories[run.id])) for run in runs}
        if not (agreed or _agree(sizes)):
            context.emit([], ["nothing was removed"])
            return
        for run in runs:
            for directory in directories[run.id]:
                _remove(directory)
    context.emit(
        [{"id": number, "bytes": size or 0} for number, size in sizes.items()],
        [
            f"run {number}: {_told(size)} of output removed; its results are kept"
            if size is not None
            else f"run {number} has no output"
            for number, size in sizes.items()
        ],
    )


def _check_not_compared(store: Store, runs: Sequence[Run], place: Callable[[int], Path]) -> None:
    """Raise UserError if a run that keeps its output is compared with one of `runs`."""
    from kdevops.run.plan.record import compared_with

    chosen = {run.id for run in runs}
    for other in reversed(store.runs()):
        beside = compared_with(other)
        if beside in chosen and other.id not in chosen and place(other.id).exists():
            raise UserError(
                f"run {other.id} is compared with run {beside}, and its output is still there",
                hint=f"remove the output of both: kdevops results remove {beside} {other.id}",
            )


@contextmanager
def _stopped(run: Run) -> Iterator[None]:
    """Lock the lab of an unfinished run, so that nobody resumes it. Raises UserError if the lab is in use."""
    from kdevops.run.dirs import Dirs
    from kdevops.run.lock import is_held, lab_lock

    directory = Dirs.default().lab(run.lab)
    if is_held(directory):
        raise UserError(f"run {run.id} has not ended, and its lab {run.lab} is in use", hint="wait for it, or stop it")
    with lab_lock(directory, run.lab, "results remove"):
        yield


def _agree(sizes: Mapping[int, int | None]) -> bool:
    for number, size in sizes.items():
        click.echo(f"run {number}: " + ("no output" if size is None else f"{_told(size)} of output"), err=True)
    if not sys.stdin.isatty():
        raise UserError("cannot ask for confirmation without a terminal", hint="confirm on the command line: --yes")
    return click.confirm("Remove it?", err=True)


def _size(directory: Path) -> int | None:
    """Bytes in the files of `directory`; None if it does not exist."""
    if not os.path.lexists(directory):
        return None
    return sum(Path(place, name).lstat().st_size for place, _, names in os.walk(directory) for name in names)


def _total(sizes: Iterable[int | None]) -> int | None:
    """The sum of the sizes of what exists; None if nothing does."""
    there = [size for size in sizes if size is not None]
    return sum(there) if there else None


def _told(size: int) -> str:
    return f"{size / (1 << 10):.0f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.0f} MiB"


def _remove(directory: Path) -> None:
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InfrastructureError(
            f"{directory} cannot be removed: {error.strerror or error}",
            hint="run the command again to remove what is left",
        ) from error
