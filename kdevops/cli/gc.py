"""`kdevops gc`: what costs money or room and is not needed any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context, yes_option
from kdevops.errors import ExitCode, InfrastructureError, KdevopsError, UserError

if TYPE_CHECKING:
    from kdevops.providers.terraform.record import Record
    from kdevops.run.caches import CacheEntry


@click.command()
@click.option("--days", type=click.FloatRange(min=0), default=30, show_default=True, help="Not used for so many days.")
@click.option("--delete", is_flag=True, help="Destroy overdue machines, and remove what is listed from the cache.")
@yes_option
@json_option
@common_options
@pass_context
def gc(context: Context, *, days: float, delete: bool) -> int:
    """List machines in clouds that are overdue, of all labs, and what in the cache was not used for long.

    Nothing is changed without --delete; with it, overdue machines are asked about as `kdevops up` does. What is removed from
    the cache is made, or fetched, again when it is needed.
    """
    from kdevops.paths import cache_dir, state_dir
    from kdevops.providers.terraform.record import age, records
    from kdevops.run.caches import keeps_no_access_times, unused

    found = records(state_dir() / "labs")
    labs = [(path, record) for path, record in found if not isinstance(record, InfrastructureError)]
    broken = [record for _, record in found if isinstance(record, InfrastructureError)]
    overdue = [(path, record) for path, record in labs if record.overdue]
    entries = unused(cache_dir(), days)
    data: dict[str, Any] = {
        "labs": [_lab(record) for _, record in labs],
        "cache": [_entry(entry) for entry in entries],
    }
    lines = [f"{'OVERDUE' if record.overdue else 'ok':8}{_machines(record)}, {age(record)}" for _, record in labs]
    lines += [f"{_size(entry.size):>9}  {entry.days():4.0f} days  {entry.kind}/{entry.name}" for entry in entries]
    if keeps_no_access_times(cache_dir()):
        lines.append(
            "The cache's file system does not tell when a file was read: the days are those since it was made."
        )
    if entries:
        lines.append(f"{_size(sum(entry.size for entry in entries))} of {cache_dir()} not used for {days:g} days")
    if not (overdue or entries):
        span = f"{days:g} day{'' if days == 1 else 's'}"
        lines.append(f"nothing is overdue, and all in the cache was used in the last {span}")
    elif not delete:
        lines.append("kdevops gc --delete destroys what is overdue and removes this from the cache")
    errors: list[KdevopsError] = list(broken)
    if delete:
        if not context.json:
            click.echo("\n".join(lines), err=True)
        gone, errors = _destroy(context, overdue)
        removed = [entry for entry in entries if _remove(entry)]
        data |= {"destroyed": gone, "removed": [_entry(entry) for entry in removed]}
        errors = [*broken, *errors]
        lines = [
            *(f"lab {name}: destroyed" for name in gone),
            f"{_size(sum(entry.size for entry in removed))} removed from the cache",
        ]
    context.emit(data, lines)
    for error in errors:
        click.echo(f"kdevops: {error.message}", err=True)
    return errors[0].exit_code if errors else ExitCode.OK


def _destroy(context: Context, overdue: list[tuple[Path, Record]]) -> tuple[list[str], list[KdevopsError]]:
    """Destroy the machines of overdue labs, once that was agreed to: the names of labs that are gone, and what went wrong."""
    if not overdue:
        return [], []
    lines = [f"  destroy  {_machines(record)}" for _, record in overdue]
    if not context.asker()(["overdue:", *lines]):
        return [], []
    gone, errors = [], []
    for path, record in overdue:
        try:
            asyncio.run(_destroy_one(path, record))
        except KdevopsError as error:
            errors.append(error)
        else:
            gone.append(record.lab)
    return gone, errors


async def _destroy_one(path: Path, record: Record) -> None:
    from rich.console import Console

    from kdevops.providers.shared.lab_directory import LabDirectory
    from kdevops.providers.terraform.record import load
    from kdevops.providers.terraform.work import destroy
    from kdevops.report.live import Display
    from kdevops.run.lock import lab_lock

    with lab_lock(path, record.lab, "gc"), Display(Console(stderr=True, highlight=False)) as display:
        now = load(path)
        if now is not None and not now.overdue:
            raise UserError(f"lab {record.lab} was given more time meanwhile; it is left alone")
        await destroy(LabDirectory(path), display.handle)


def _remove(entry: CacheEntry) -> bool:
    from kdevops.run.caches import remove

    removed = remove(entry)
    if not removed:
        click.echo(f"{entry.kind}/{entry.name} is in use, or may not be removed; it is left alone", err=True)
    return removed


def _machines(record: Record) -> str:
    count = len(record.nodes)
    return f"lab {record.lab}: {count} machine{'' if count == 1 else 's'} in {record.where}"


def _lab(record: Record) -> dict[str, Any]:
    return {
        "lab": record.lab, "where": record.where, "machines": list(record.nodes), "made": record.created.isoformat(),
        "expires": record.expires.isoformat(), "overdue": record.overdue,
    }  # fmt: skip


def _entry(entry: CacheEntry) -> dict[str, Any]:
    return {
        "kind": entry.kind, "name": entry.name, "bytes": entry.size, "days": round(entry.days(), 1),
        "paths": [str(path) for path in entry.paths],
    }  # fmt: skip


def _size(size: int) -> str:
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
