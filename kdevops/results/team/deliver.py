"""Deliver what a mirror has and the team's store has not; and take what others wrote to the run meanwhile.

Each delivery is one transaction, in which the store also keeps how far it came: what was delivered before a connection was
lost is never delivered again. A test that somebody else gave a status meanwhile keeps that, and the journal says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from kdevops.errors import InfrastructureError
from kdevops.results.connection import Connection
from kdevops.results.rows import COUNT
from kdevops.results.team.mirror import Mirror, copied, insert

_STATUSES = "SELECT planned, status FROM outcome WHERE planned IN (SELECT id FROM planned WHERE run = :run)"
_LINES = "SELECT planned FROM journal WHERE kind = 'ended' AND id > :line"
_END = (
    "UPDATE run SET ended = :ended, state = CASE WHEN EXISTS (SELECT 1 FROM planned JOIN outcome"
    " ON outcome.planned = planned.id WHERE run = :run AND status = 'missing') THEN 'incomplete' ELSE 'complete' END"
    " WHERE id = :run AND ended IS NULL"
)
_CAME_BEFORE = "SELECT lab, created, (SELECT line FROM delivery WHERE origin = :origin) FROM run WHERE id = :run"
_CAME = (
    "INSERT INTO delivery (origin, run, line) VALUES (:origin, :run, :line)"
    " ON CONFLICT (origin) DO UPDATE SET line = excluded.line"
)


class StrangeRunError(InfrastructureError):
    """The store has no such run, or another one with this number."""


def deliver(mirror: Mirror, whole: Connection) -> None:
    """Deliver everything. Raises InfrastructureError if the store does not take it: then nothing was delivered."""
    line, before = mirror.sent
    last, facts = mirror.last_line, mirror.facts
    run = mirror.run
    with whole.transaction(run):
        came = _came(mirror, whole)
        line = line if came is None else came
        if last > line:
            strange = _outcomes(mirror, whole, line)
            _journal(mirror, whole, line, strange)
        _facts(mirror, whole, before, facts)
        whole.execute(_CAME, {"origin": mirror.origin, "run": run, "line": last})
    mirror.note_sent(last, facts)


def take(mirror: Mirror, whole: Connection) -> None:
    """Take the results that others gave tests of this run meanwhile; everything here was delivered."""
    run = {"run": mirror.run}
    with whole.transaction(mirror.run):
        there, here = dict(whole.rows(_STATUSES, run)), dict(mirror.rows(_STATUSES, run))
        new = there.keys() - here.keys()
        (now,) = copied(whole, "run", "id = :run", run)
        evidence, summary = (copied(whole, table, "run = :run", run) for table in ("evidence", "summary"))
        results = {table: _of(whole, table, new) for table in ("outcome", "subtest", "report")}
    with mirror.transaction():
        for table, rows in results.items():
            insert(mirror, table, rows)
        _count(mirror, mirror.run, (there[test] for test in new))
        mirror.execute("UPDATE run SET state = :state, ended = :ended, record = :record, digest = :digest", now)
        for table, kept in {"evidence": evidence, "summary": summary}.items():
            for row in kept:
                mirror.replace(table, {"run": row["run"]} | row)


def _came(mirror: Mirror, whole: Connection) -> int | None:
    """The last line of the mirror's journal that the store has; None if it has none.

    Raises StrangeRunError if its run is another one: a store that was restored from an older copy may give a number again.
    """
    run = {"run": mirror.run}
    found = whole.rows(_CAME_BEFORE, run | {"origin": mirror.origin})
    if not found or found[0][:2] != mirror.rows("SELECT lab, created FROM run", {})[0]:
        raise StrangeRunError(
            f"the team's store {whole.place} has no run {mirror.run} as it goes on here",
            hint=f"its results are in {mirror.place}; if the run was removed, remove this file, too",
        )
    line: int | None = found[0][2]
    return line


def _outcomes(mirror: Mirror, whole: Connection, line: int) -> dict[int, str]:
    """Deliver outcomes; return the statuses that were refused, because somebody else gave the test one."""
    ended = [test for (test,) in mirror.rows(_LINES, {"line": line})]
    if not ended:
        return {}
    if len(ended) == 1:
        known = whole.rows("SELECT planned, status FROM outcome WHERE planned = :test", {"test": ended[0]})
    else:
        known = whole.rows(_STATUSES, {"run": mirror.run})
    there = {test for test, _ in known}
    new = [test for test in ended if test not in there]
    outcomes = _of(mirror, "outcome", new)
    insert(whole, "outcome", outcomes)
    for table in ("subtest", "report"):
        insert(whole, table, _of(mirror, table, new))
    _count(whole, mirror.run, (row["status"] for row in outcomes))
    refused = [test for test in ended if test in there]
    return {row["planned"]: row["status"] for row in _of(mirror, "outcome", refused)}


def _journal(mirror: Mirror, whole: Connection, line: int, refused: dict[int, str]) -> None:
    rows = copied(mirror, "journal", "id > :line ORDER BY id", {"line": line})
    for row in rows:
        if row["kind"] == "ended" and (status := refused.get(row["planned"])):
            row["kind"] = "infrastructure"
            row["text"] = f"came late, and is left out, because the test has a status already: {status}"
    insert(whole, "journal", rows, without="id")


def _facts(mirror: Mirror, whole: Connection, before: Sequence[Any], now: Sequence[Any]) -> None:
    run = {"run": mirror.run}
    changed = {
        name
        for name, old, new in zip(("state", "record", "evidence", "code", "words"), before, now, strict=True)
        if old != new
    }
    if not changed:
        return
    (row,) = copied(mirror, "run", "id = :run", run)
    (summary,) = copied(mirror, "summary", "run = :run", run)
    if "state" in changed and row["ended"]:
        whole.execute(_END, run | {"ended": row["ended"]})
    elif "state" in changed:
        whole.execute("UPDATE run SET state = :state WHERE id = :id AND ended IS NULL", row)
    if "record" in changed:
        whole.execute("UPDATE run SET record = :record, digest = :digest WHERE id = :id", row)
        whole.execute("UPDATE summary SET kernel = :kernel WHERE run = :run", summary)
    if "evidence" in changed:
        (evidence,) = copied(mirror, "evidence", "run = :run", run)
        whole.replace("evidence", evidence)
    if changed & {"code", "words"}:
        whole.execute("UPDATE summary SET exit_code = :exit_code, verdict = :verdict WHERE run = :run", summary)


def _of(sql: Connection, table: str, tests: Iterable[int]) -> list[dict[str, Any]]:
    """The rows of a table that belong to these tests."""
    wanted = sorted(tests)
    found: list[dict[str, Any]] = []
    for start in range(0, len(wanted), 500):
        some = ", ".join(map(str, wanted[start : start + 500]))
        found += copied(sql, table, f"planned IN ({some})", {})
    return found


def _count(sql: Connection, run: int, statuses: Iterable[str]) -> None:
    sql.many(COUNT, [{"run": run, "status": status, "number": number} for status, number in Counter(statuses).items()])
