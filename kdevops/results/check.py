"""Whether a store is whole: the file itself, and what its tables say of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kdevops.errors import InfrastructureError
from kdevops.results.reading import Reading
from kdevops.results.rows import check_digest
from kdevops.text import clean

MAX_TOLD = 20
"""Problems of one kind that are told."""
_UNEQUAL = (
    "SELECT run, status, sum(written), sum(kept) FROM ("
    "SELECT run, status, count(*) AS written, 0 AS kept FROM planned JOIN outcome ON outcome.planned = planned.id"
    " GROUP BY run, status UNION ALL SELECT run, status, 0, number FROM total) AS counted"
    " GROUP BY run, status HAVING sum(written) != sum(kept) ORDER BY run, status"
)
_PLANNED = (
    "SELECT run.id, summary.planned, count(planned.id) FROM run LEFT JOIN summary ON summary.run = run.id"
    " LEFT JOIN planned ON planned.run = run.id GROUP BY run.id, summary.planned"
    " HAVING summary.planned IS NULL OR count(planned.id) != summary.planned ORDER BY run.id"
)
_LACKING = (
    "SELECT run.id, count(*) FROM run JOIN planned ON planned.run = run.id"
    " LEFT JOIN outcome ON outcome.planned = planned.id"
    " WHERE run.ended IS NOT NULL AND outcome.planned IS NULL GROUP BY run.id ORDER BY run.id"
)


def problems(store: Reading) -> list[str]:
    """What is wrong with a store, in words; nothing if it is whole. Reads all of it, so this may take minutes."""
    found = []
    for check in (Reading.problems, _totals, _plans, _ends, _records, _texts):
        found += _told(store, check)
    return found


def _told(store: Reading, check: Callable[[Reading], Iterator[str]]) -> list[str]:
    told: list[str] = []
    try:
        for problem in check(store):
            if len(told) == MAX_TOLD:
                return [*told, "and more of that"]
            told.append(clean(problem, 500))
    except InfrastructureError as error:
        told.append(clean(error.message, 500))
    return told


def _totals(store: Reading) -> Iterator[str]:
    for run, status, written, kept in store.query(_UNEQUAL):
        yield f"run {run}: {written} outcomes are {status}, its totals say {kept}"


def _plans(store: Reading) -> Iterator[str]:
    for run, kept, planned in store.query(_PLANNED):
        yield f"run {run}: {planned} tests are planned, its summary says {'nothing' if kept is None else kept}"


def _ends(store: Reading) -> Iterator[str]:
    for run, lacking in store.query(_LACKING):
        yield f"run {run} has ended, and {lacking} of its tests have no outcome"


def _records(store: Reading) -> Iterator[str]:
    for (run,) in store.query("SELECT id FROM run ORDER BY id"):
        try:
            store.run(run)
            store.evidence(run)
        except InfrastructureError as error:
            yield f"run {run}: {error.message}"


def _texts(store: Reading) -> Iterator[str]:
    for planned, stored, *texts in store.query(
        "SELECT planned, digest, reason, output, oops, guest FROM outcome WHERE digest IS NOT NULL"
    ):
        yield from _other(planned, "outcome", stored, texts)
    for planned, stored, *texts in store.query(
        "SELECT planned, digest, kind, signature, title, text FROM report WHERE digest IS NOT NULL"
    ):
        yield from _other(planned, "kernel report", stored, texts)


def _other(planned: int, what: str, stored: int, texts: list[str]) -> Iterator[str]:
    try:
        check_digest(stored, f"{what} of planned test {planned}", *texts)
    except ValueError as error:
        yield str(error)
