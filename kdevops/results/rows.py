"""Write and read outcomes in the store's tables, cleaned and bounded because guests are hostile."""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from sys import intern
from typing import Any

from kdevops.results.model import KernelReport, Outcome, Status, Subtest, TestId
from kdevops.text import clean

MAX_LINE = 500
"""Characters kept of a reason, a name or another one-line text from a guest."""
MAX_OOPS = 64 << 10
"""Characters kept from the start of each kernel report, which has its title."""
_SHORT = 900
"""Characters of an outcome that are on one page in any case, four bytes each."""
MAX_SUBTESTS = 10_000
"""Subtests kept per test. Passes are dropped first, so that the limit does not hide failures."""
MAX_REPORTS = 64
"""Kernel reports kept per test. Repeats of a signature are dropped first, then notices, which do not gate."""


def digest(*texts: str) -> int:
    """What tells that texts which take more than a page are as they were written."""
    return zlib.crc32("\0".join(texts).encode())


def check_digest(stored: int | None, what: str, *texts: str) -> None:
    """Raise ValueError if `texts` are not those of this digest; None: it is older than digests."""
    if stored is not None and stored != digest(*texts):
        raise ValueError(f"{what} is not as it was written")


def write_outcome(connection: sqlite3.Connection, planned: int, outcome: Outcome) -> None:
    """Write the outcome of the planned test with this id, within the caller's transaction."""
    subtests, reports = _kept_subtests(outcome.subtests), _kept_reports(outcome.reports)
    texts = (
        clean(outcome.reason, MAX_LINE),
        clean(outcome.output, MAX_LINE),
        clean(outcome.oops, MAX_OOPS, lines=True),
        clean(outcome.guest, MAX_LINE),
    )
    connection.execute(
        "INSERT INTO outcome (planned, status, seconds, reason, output, oops, guest, subtests_cut, reports_cut, digest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            planned,
            outcome.status,
            max(outcome.seconds, 0.0) if math.isfinite(outcome.seconds) else 0.0,
            *texts,
            outcome.subtests_cut + len(outcome.subtests) - len(subtests),
            outcome.reports_cut + len(outcome.reports) - len(reports),
            digest(*texts) if sum(map(len, texts)) > _SHORT else None,
        ),
    )
    connection.executemany(
        "INSERT INTO subtest (planned, number, name, status, reason) VALUES (?, ?, ?, ?, ?)",
        (
            (planned, number, clean(each.name, MAX_LINE), each.status, clean(each.reason, MAX_LINE))
            for number, each in enumerate(subtests)
        ),
    )
    connection.executemany(
        "INSERT INTO report (planned, number, kind, signature, title, gates, text, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((planned, number, *_report_row(each)) for number, each in enumerate(reports)),
    )


def read_outcomes(query: Callable[..., list[Any]], run_id: int, *, brief: bool = False) -> dict[TestId, Outcome | None]:
    """The planned tests of a run, in order, each with its outcome; `query` takes a statement and its values.

    `brief`: without subtests that went well, and without the text of reports, except under crashes, which it explains.
    """
    # Read outcomes first: if a test ends meanwhile, its subtests and reports are ignored, instead of an outcome lacking them.
    rows = query(
        "SELECT planned.id, suite, profile, name, status, seconds, reason, output, oops, guest, subtests_cut, reports_cut,"
        " digest"
        " FROM planned LEFT JOIN outcome ON outcome.planned = planned.id WHERE run = ? ORDER BY position",
        run_id,
    )
    subtests: dict[int, list[Subtest]] = defaultdict(list)
    for planned, name, status, reason in query(
        "SELECT subtest.planned, subtest.name, status, reason FROM subtest"
        " JOIN planned ON planned.id = subtest.planned WHERE run = ?"
        " AND status NOT IN (SELECT value FROM json_each(?)) ORDER BY subtest.planned, number",
        run_id,
        json.dumps([status for status in Status if brief and status.is_well]),
    ):
        subtests[planned].append(Subtest(name, Status.read(status), reason))
    reports: dict[int, list[KernelReport]] = defaultdict(list)
    for planned, kind, signature, title, gates, text, stored in query(
        "SELECT report.planned, kind, signature, title, gates, CASE WHEN ?2 AND status != ?3 THEN '' ELSE text END,"
        " CASE WHEN ?2 AND status != ?3 THEN NULL ELSE report.digest END"
        " FROM report JOIN planned ON planned.id = report.planned JOIN outcome ON outcome.planned = planned.id"
        " WHERE run = ?1 ORDER BY report.planned, number",
        run_id,
        brief,
        Status.CRASH,
    ):
        check_digest(stored, "a kernel report", kind, signature, title, text)
        reports[planned].append(KernelReport(kind, signature, title, bool(gates), text))
    found: dict[TestId, Outcome | None] = {}
    rows.reverse()
    while rows:  # each row is freed as soon as it is read: there may be hundreds of thousands
        planned, suite, profile, name, status, seconds, reason, output, oops, guest, cut, reports_cut, stored = (
            rows.pop()
        )
        if stored is not None:
            check_digest(stored, "the outcome of a test", reason, output, oops, guest)
        found[TestId(intern(suite), intern(profile), name)] = status and Outcome(
            Status.read(status),
            seconds,
            intern(reason),
            tuple(subtests.get(planned, ())),
            output,
            oops,
            intern(guest),
            cut,
            tuple(reports.get(planned, ())),
            reports_cut,
        )
    return found


def _report_row(report: KernelReport) -> tuple[str, str, str, bool, str, int]:
    kind, title, text = (
        clean(report.kind, MAX_LINE),
        clean(report.title, MAX_LINE),
        clean(report.text, MAX_OOPS, lines=True),
    )
    signature = signature_of(report)
    return kind, signature, title, report.gates, text, digest(kind, signature, title, text)


def signature_of(report: KernelReport) -> str:
    """The signature as stored; the title if there is none, because a report without a name could not become known."""
    return clean(report.signature, MAX_LINE) or clean(report.title, MAX_LINE) or clean(report.kind, MAX_LINE)


def _kept_subtests(subtests: Sequence[Subtest]) -> Sequence[Subtest]:
    if len(subtests) <= MAX_SUBTESTS:
        return subtests
    passes_last = sorted(range(len(subtests)), key=lambda index: subtests[index].status is Status.PASS)
    return [subtests[index] for index in sorted(passes_last[:MAX_SUBTESTS])]


def _kept_reports(reports: Sequence[KernelReport]) -> Sequence[KernelReport]:
    if len(reports) <= MAX_REPORTS:
        return reports
    first: Mapping[tuple[bool, str], int] = {
        (each.gates, signature_of(each)): index for index, each in reversed(list(enumerate(reports)))
    }
    once = set(first.values())
    worst_first = sorted(range(len(reports)), key=lambda index: (index not in once, not reports[index].gates))
    return [reports[index] for index in sorted(worst_first[:MAX_REPORTS])]
