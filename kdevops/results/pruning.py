"""Retention: which runs are old or take too much room, what must stay all the same, and removing them for good.

A run goes together with the reruns that helped to decide it, and with the runs that are compared with it: no run that stays
refers to one that is gone. A kill at any point leaves whole runs: the store forgets a group in one transaction, and a note
beside the outputs, written before, says what the next removal has to finish.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import write_atomic
from kdevops.results.reading import Reading, Run
from kdevops.results.store import Store

NOTE = ".pruned.json"
"""Beside the directories of the runs: the numbers of runs that are being removed."""
ASIDE = ".aside-"
"""Begins the name of what stood where a new run puts its output."""
_STALE = 24 * 3600
"""Seconds after which what an import left beside the runs is not being written any more."""
_RUNS = (
    "SELECT run.id, run.decides, coalesce(summary.planned, 0) FROM run LEFT JOIN summary ON summary.run = run.id"
    " ORDER BY run.id"
)
# In this order, children first.
_FORGET = (
    "DELETE FROM subtest WHERE planned IN (SELECT id FROM planned WHERE run = :run)",
    "DELETE FROM report WHERE planned IN (SELECT id FROM planned WHERE run = :run)",
    "DELETE FROM outcome WHERE planned IN (SELECT id FROM planned WHERE run = :run)",
    "DELETE FROM journal WHERE run = :run",
    "DELETE FROM evidence WHERE run = :run",
    "DELETE FROM total WHERE run = :run",
    "DELETE FROM summary WHERE run = :run",
    "DELETE FROM planned WHERE run = :run",
    "DELETE FROM run WHERE id = :run",
)
# In this order, CROSS JOIN: a look into the index of each run's plan, where a scan of all plans took a minute.
_FORGET_TESTS = (
    "DELETE FROM test WHERE NOT EXISTS (SELECT 1 FROM summary CROSS JOIN planned WHERE planned.run = summary.run"
    " AND planned.suite = test.suite AND planned.profile = test.profile AND planned.name = test.name)"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What may stay: runs younger than `age`, the newest up to `size` bytes, and in any case the `keep` newest of each lab."""

    age: timedelta | None = None
    size: int | None = None
    keep: int = 1


@dataclass(frozen=True, slots=True)
class Whole:
    """A run with its reruns, as `members`. `compared`: the run that it is compared with.

    `at` is the end of the last of them. `stored` are bytes in the store, about: its share by the number of tests; `output`
    are those of the files.
    """

    id: int
    lab: str
    at: str
    members: tuple[int, ...]
    compared: int | None
    ended: bool
    stored: int
    output: int

    @property
    def size(self) -> int:
        """Bytes in all, about."""
        return self.stored + self.output


@dataclass(frozen=True, slots=True)
class Proposal:
    """The runs to remove, in groups that go together, oldest first; and why others stay that are old or large, by number.

    `newest` is the greatest number of a run that it knows.
    """

    groups: tuple[tuple[Whole, ...], ...]
    stays: Mapping[int, str]
    newest: int = 0

    @property
    def runs(self) -> tuple[Whole, ...]:
        """All of them, oldest first."""
        return tuple(sorted((each for group in self.groups for each in group), key=lambda each: each.id))


def wholes(store: Reading, place: Callable[[int], Path], compared: Callable[[Run], int | None]) -> dict[int, Whole]:
    """All runs but reruns, by number, oldest first. `place`: the directory of a run; `compared`: see `Whole`."""
    rows = store.query(_RUNS)
    share = store.size() / max(1, sum(planned for *_, planned in rows))
    again: dict[int, list[int]] = {}
    for number, decides, _ in rows:
        if decides is not None:
            again.setdefault(decides, []).append(number)
    planned = {number: tests for number, _, tests in rows}
    found = {}
    for number, decides, _ in rows:
        if decides is not None:
            continue
        run, members = store.run(number), (number, *again.get(number, ()))
        parts = [run, *(store.run(each) for each in members[1:])]
        found[number] = Whole(
            number,
            run.lab,
            max(each.ended or each.created for each in parts),
            members,
            compared(run),
            all(each.ended for each in parts),
            round(share * sum(planned[each] for each in members)),
            sum(size_of(place(each)) for each in members),
        )
    return found


def propose(
    runs: Mapping[int, Whole],
    limits: Limits,
    now: datetime,
    *,
    lab: str | None = None,
    keeps: Callable[[int], str] = lambda _: "",
) -> Proposal:
    """What to remove of `runs`, which are those of `wholes`. `lab`: only runs of this lab, and those compared with them.

    `keeps` says of a run that would go why it must stay, "" if it need not.
    """
    of_lab: dict[str, list[int]] = {}
    for each in runs.values():
        if each.ended:
            of_lab.setdefault(each.lab, []).append(each.id)
    latest = {number for numbers in of_lab.values() for number in sorted(numbers)[-limits.keep :]}
    referring: dict[int, list[int]] = {}
    for each in runs.values():
        if each.compared is not None:
            referring.setdefault(each.compared, []).append(each.id)
    oldest = (now - limits.age).isoformat() if limits.age is not None else ""
    left = sum(each.size for each in runs.values() if lab in {None, each.lab})
    groups: list[tuple[Whole, ...]] = []
    gone: set[int] = set()
    stays: dict[int, str] = {}
    for number in sorted(runs):
        if number in gone or lab not in {None, runs[number].lab}:
            continue
        group = [runs[each] for each in _with_referring(number, referring) if each not in gone]
        old = limits.age is not None and runs[number].at < oldest
        large = limits.size is not None and left > limits.size
        others = limits.age is None and limits.size is None
        if not (old or large or (others and number not in latest)):
            continue
        too_young = old and not large and any(each.at >= oldest for each in group)
        if why := _why(group, latest, keeps, too_young=too_young):
            stays[number] = why
            continue
        groups.append(tuple(group))
        gone |= {each.id for each in group}
        left -= sum(each.size for each in group if lab in {None, each.lab})
    known = max((number for each in runs.values() for number in each.members), default=0)
    return Proposal(tuple(groups), {number: why for number, why in stays.items() if number not in gone}, known)


def newest(store: Reading) -> int:
    """The greatest number of a run, 0 if there is none."""
    return int(store.query("SELECT coalesce(max(id), 0) FROM run")[0][0])


def _with_referring(number: int, referring: Mapping[int, Sequence[int]]) -> list[int]:
    found = [number]
    for each in found:
        found += [other for other in referring.get(each, ()) if other not in found]
    return found


def _why(group: Sequence[Whole], latest: Collection[int], keeps: Callable[[int], str], *, too_young: bool) -> str:
    """Why a group must stay, "" if it need not; the first of it is the run that is asked about."""
    first = group[0].id
    for each in group:
        whose = "" if each.id == first else f"run {each.id}, which is compared with it, "
        if not each.ended:
            return f"{whose or 'it '}is not over"
        if each.id in latest:
            return f"{whose or 'it '}is among the newest of lab {each.lab}"
    if too_young:
        return "a run that is compared with it is younger"
    for each in group:  # last, because it may take a second
        if said := keeps(each.id):
            return said if each.id == first else f"run {each.id}, which is compared with it: {said}"
    return ""


def size_of(directory: Path) -> int:
    """Bytes in the files of a directory; 0 if there is none."""
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # another process removes it
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - there may be a million
    return total


def remove(
    store: Store, groups: Sequence[Sequence[Whole]], place: Callable[[int], Path], *, known: int | None = None
) -> int:
    """Remove these runs, finish what an earlier removal left, and give the space back; return how many bytes that is.

    `known` is the greatest number of a run with which `groups` were chosen. Raises InfrastructureError if there is a newer
    one by now, which may need others, and removes no more; also if a file cannot be removed, or the space in the store cannot
    be given back now: the runs are gone then, and the next removal does the rest.
    """
    before = store.size()
    runs = place(0).parent
    freed = _finish(store, runs)
    members = [number for group in groups for each in group for number in each.members]
    beside = [f"DELETE FROM {table} WHERE run = :run" for table in store.tables_beside]  # noqa: S608 - names of ours
    if members:
        _write_note(runs, members)
        for group in groups:
            with store.deleting():
                if known not in {None, newest(store)}:  # of a team's store, others need no lock of this machine
                    raise InfrastructureError("a run was stored meanwhile, which may need others", hint="try again")
                for number in sorted((number for each in group for number in each.members), reverse=True):
                    for statement in (*beside, *_FORGET):
                        store.change(statement, run=number)
        with store.deleting():
            store.change(_FORGET_TESTS)
        freed += _finish(store, runs)
    try:
        store.compact()
    except InfrastructureError as error:
        raise InfrastructureError(
            f"the runs are removed, but the room of the store is not given back yet: {error.message}",
            hint="it is used for new runs; or try again later with: kdevops results prune",
        ) from error
    return max(0, before - store.size()) + freed


def unfinished(runs: Path) -> bool:
    """Whether an earlier removal was stopped before its end."""
    return bool(_noted(runs)) or any(_leftovers(runs))


def _write_note(runs: Path, members: Collection[int]) -> None:
    try:
        write_atomic(runs / NOTE, json.dumps(sorted(members)))
    except OSError as error:
        raise InfrastructureError(f"cannot write {runs / NOTE}: {error.strerror or error}") from error


def _noted(runs: Path) -> list[int]:
    try:
        found = json.loads((runs / NOTE).read_text())
        return [int(each) for each in found]
    except (FileNotFoundError, ValueError, TypeError):
        return []
    except OSError as error:
        raise InfrastructureError(f"cannot read {runs / NOTE}: {error.strerror or error}") from error


def _finish(store: Reading, runs: Path) -> int:
    """Remove the files of runs that the store has forgotten; return their bytes. Runs that it still has stay as they are."""
    freed = 0
    for number in _noted(runs):
        try:
            store.run(number)
        except UserError:
            freed += _remove(runs / str(number))
    for left in _leftovers(runs):
        freed += _remove(left)
    (runs / NOTE).unlink(missing_ok=True)
    return freed


def _leftovers(runs: Path) -> Iterator[Path]:
    """What imports that were killed have left, and what a new run has moved aside."""
    for each in sorted([*runs.glob(".import-*"), *runs.glob(f"{ASIDE}*")]):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - each.stat().st_mtime > _STALE:
                yield each


def _remove(directory: Path) -> int:
    size = size_of(directory)
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise InfrastructureError(
            f"{directory} cannot be removed: {error.strerror or error}",
            hint="mend that, then run the same command again: it removes what is left",
        ) from error
    return size
