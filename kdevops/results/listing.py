"""The runs of a store as a list, of which no record is read: these are large, and there may be hundreds of them."""

from __future__ import annotations

from dataclasses import dataclass

from kdevops.results.model import Counts, RunState
from kdevops.results.reading import Reading

ALL = 1 << 31
"""A limit that is none."""
# Whether a run decides is not asked of its row, where that stands behind the record, but of an index.
_LISTED = (
    "SELECT id, lab, state, created, ended, coalesce(planned, 0), coalesce(kernel, ''), exit_code, coalesce(verdict, ''),"
    " ran"
    " FROM run LEFT JOIN summary ON summary.run = run.id"
    " WHERE (lab = :lab OR :lab IS NULL) AND id NOT IN (SELECT id FROM run WHERE decides IS NOT NULL)"
    " ORDER BY id DESC LIMIT :limit"
)
_NUMBER = (
    "SELECT count(*) FROM run"
    " WHERE (lab = :lab OR :lab IS NULL) AND id NOT IN (SELECT id FROM run WHERE decides IS NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One run in short; `counts` are of its results so far, out of `planned`.

    `kernel` is the release, "" if unknown. `exit_code` and `verdict` are those of the last time it was judged after its end:
    None and "" if it was not. `ran`: the first and last moment at which the tests of an imported run ended, see
    `kdevops.results.imported`; None for a run of our own.
    """

    id: int
    lab: str
    state: RunState
    created: str
    ended: str | None
    planned: int
    kernel: str
    exit_code: int | None
    verdict: str
    counts: Counts
    ran: tuple[str, ...] | None = None


def listed(store: Reading, lab: str | None = None, limit: int = ALL) -> tuple[Listed, ...]:
    """The newest runs (of one lab, or of all), newest first, without those that only help to decide another."""
    rows = store.query(_LISTED, lab=lab, limit=min(limit, ALL))
    counts = store.counts(rows[-1][0], rows[0][0]) if rows else {}
    return tuple(
        Listed(
            number,
            name,
            RunState(state),
            created,
            ended,
            planned,
            kernel,
            code,
            words,
            counts.get(number, Counts()),
            None if ran is None else tuple(dict.fromkeys(ran.split())),
        )
        for number, name, state, created, ended, planned, kernel, code, words, ran in rows
    )


def number_of_runs(store: Reading, lab: str | None = None) -> int:
    """How many runs `listed` gives without a limit."""
    return int(store.query(_NUMBER, lab=lab)[0][0])


def labs(store: Reading) -> tuple[str, ...]:
    """The names of all labs that have runs, sorted."""
    return tuple(name for (name,) in store.query("SELECT DISTINCT lab FROM run ORDER BY lab"))
