"""`kdevops gc`: list and remove what costs money or disk space and is no longer needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kdevops.cli.options import Context, common_options, json_option, pass_context, yes_option
from kdevops.errors import ExitCode, InfrastructureError, KdevopsError, UserError

if TYPE_CHECKING:
    from kdevops.run.caches import CacheEntry
    from kdevops.run.guests.kinds import Kind
    from kdevops.run.guests.rented import Rented


@click.command()
@click.option("--days", type=click.FloatRange(min=0), default=30, show_default=True, help="Minimum days without use.")
@click.option("--delete", is_flag=True, help="Destroy overdue machines, and remove the listed cache entries.")
@yes_option
@json_option
@common_options
@pass_context
def gc(context: Context, *, days: float, delete: bool) -> int:
    """List overdue cloud machines of all labs, and cache entries that have not been used for a long time.

    Without --delete nothing is changed. With it, you are asked before machines are destroyed, as in `kdevops up`. Removed
    cache entries are made or fetched again when needed.
    """
    found = _survey(days)
    data: dict[str, Any] = {
        "labs": [_lab(rented) for *_, rented in found.labs],
        "cache": [_entry(entry) for entry in found.unused],
    }
    lines = [*_listing(found, days), *_ADVICE[advice(found.facts, delete=delete)](days)]
    errors: list[KdevopsError] = list(found.broken)
    if delete:
        if not context.json:
            click.echo("\n".join(lines), err=True)
        gone, failed = _destroy(context, found.overdue)
        removed = [entry for entry in found.unused if _remove(entry)]
        data |= {"destroyed": gone, "removed": [_entry(entry) for entry in removed]}
        errors += failed
        lines = [
            *(f"lab {name}: destroyed" for name in gone),
            f"{_size(sum(entry.size for entry in removed))} removed from the cache",
        ]
    context.emit(data, lines)
    for error in errors:
        click.echo(f"kdevops: {error.message}", err=True)
    return errors[0].exit_code if errors else ExitCode.OK


class Advice(Enum):
    """The advice below the list: NOTHING_TO_DO, HOW_TO_DELETE, or NOTHING_MORE if the deletion follows at once."""

    NOTHING_TO_DO = auto()
    HOW_TO_DELETE = auto()
    NOTHING_MORE = auto()


_ADVICE: Mapping[Advice, Callable[[float], list[str]]] = {
    Advice.NOTHING_TO_DO: lambda days: [
        f"nothing is overdue, and all cache entries were used in the last {days:g} day{'' if days == 1 else 's'}"
    ],
    Advice.HOW_TO_DELETE: lambda _: ["kdevops gc --delete destroys overdue machines and removes these cache entries"],
    Advice.NOTHING_MORE: lambda _: [],
}


@dataclass(frozen=True, slots=True)
class Facts:
    """Whether any machines are overdue and any cache entries unused."""

    overdue: bool = False
    unused: bool = False


def advice(facts: Facts, *, delete: bool) -> Advice:
    """The advice for these facts."""
    if not (facts.overdue or facts.unused):
        return Advice.NOTHING_TO_DO
    return Advice.NOTHING_MORE if delete else Advice.HOW_TO_DELETE


def still_due(recorded: bool, *, overdue: bool) -> bool:
    """Whether machines found overdue must still be destroyed, checked again once their lab is locked.

    Their time may have been extended meanwhile. Without a record, machines may still be left.
    """
    return overdue or not recorded


@dataclass(frozen=True, slots=True)
class _Found:
    """Findings. `broken`: labs whose record cannot be read; `unused`: cache entries unused for a long time."""

    labs: Sequence[tuple[Kind, Path, Rented]]
    broken: Sequence[InfrastructureError]
    unused: Sequence[CacheEntry]

    @property
    def overdue(self) -> list[tuple[Kind, Path, Rented]]:
        return [(kind, path, rented) for kind, path, rented in self.labs if rented.overdue]

    @property
    def facts(self) -> Facts:
        return Facts(bool(self.overdue), bool(self.unused))


def _survey(days: float) -> _Found:
    from kdevops.paths import cache_dir, state_dir
    from kdevops.run.caches import unused
    from kdevops.run.guests.kinds import all_rented

    found = all_rented(state_dir() / "labs")
    labs = [(kind, path, rented) for kind, path, rented in found if not isinstance(rented, InfrastructureError)]
    broken = [rented for *_, rented in found if isinstance(rented, InfrastructureError)]
    return _Found(labs, broken, unused(cache_dir(), days))


def _listing(found: _Found, days: float) -> Iterator[str]:
    from kdevops.paths import cache_dir
    from kdevops.run.caches import keeps_no_access_times

    for *_, rented in found.labs:
        yield f"{'OVERDUE' if rented.overdue else 'ok':8}{_machines(rented)}, {rented.age}"
    for entry in found.unused:
        yield f"{_size(entry.size):>9}  {entry.days():4.0f} days  {entry.kind}/{entry.name}"
    if keeps_no_access_times(cache_dir()):
        yield "The cache's file system does not record when files are read: days are counted since a file was made."
    if found.unused:
        yield f"{_size(sum(entry.size for entry in found.unused))} in {cache_dir()} not used for {days:g} days"


def _destroy(context: Context, overdue: list[tuple[Kind, Path, Rented]]) -> tuple[list[str], list[KdevopsError]]:
    """Destroy the machines of overdue labs after confirmation. Returns the names of destroyed labs, and errors."""
    if not overdue:
        return [], []
    lines = [f"  destroy  {_machines(rented)}" for *_, rented in overdue]
    if not context.asker()(["overdue:", *lines]):
        return [], []
    gone, errors = [], []
    for kind, path, rented in overdue:
        try:
            asyncio.run(_destroy_one(kind, path, rented))
        except KdevopsError as error:
            errors.append(error)
        else:
            gone.append(rented.lab)
    return gone, errors


async def _destroy_one(kind: Kind, path: Path, rented: Rented) -> None:
    from rich.console import Console

    from kdevops.report.live import Display
    from kdevops.run.lock import lab_lock

    with lab_lock(path, rented.lab, "gc"), Display(Console(stderr=True, highlight=False)) as display:
        now = kind.rented(path)
        if not still_due(now is not None, overdue=now is not None and now.overdue):
            raise UserError(f"lab {rented.lab} is no longer overdue; it is left alone")
        await kind.destroy(path, display.handle)


def _remove(entry: CacheEntry) -> bool:
    from kdevops.run.caches import remove

    removed = remove(entry)
    if not removed:
        click.echo(f"{entry.kind}/{entry.name} is in use or cannot be removed; it is left alone", err=True)
    return removed


def _machines(rented: Rented) -> str:
    count = len(rented.nodes)
    return f"lab {rented.lab}: {count} machine{'' if count == 1 else 's'} in {rented.where}"


def _lab(rented: Rented) -> dict[str, Any]:
    return {
        "lab": rented.lab, "where": rented.where, "machines": list(rented.nodes), "made": rented.created.isoformat(),
        "expires": rented.expires.isoformat(), "overdue": rented.overdue,
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
