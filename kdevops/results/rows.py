"""Write and read outcomes in the store's tables, cleaned and bounded because guests are hostile."""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from sys import intern

from kdevops.results.connection import Connection, Reader, Values
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


_MOST = (1 << 63) - 1
"""The greatest number that a database keeps."""
_OUTCOME = (
    "INSERT INTO outcome"
    " (planned, status, seconds, reason, output, oops, guest, subtests_cut, reports_cut, digest) VALUES"
    " (:planned, :status, :seconds, :reason, :output, :oops, :guest, :subtests_cut, :reports_cut, :digest)"
    " ON CONFLICT (planned) DO NOTHING"
)
COUNT = (
    "INSERT INTO total (run, status, number) VALUES (:run, :status, :number)"
    " ON CONFLICT (run, status) DO UPDATE SET number = total.number + excluded.number"
)
"""Add to the totals of a run."""
_SUBTEST = (
    "INSERT INTO subtest (planned, number, name, status, reason) VALUES (:planned, :number, :name, :status, :reason)"
)
_REPORT = (
    "INSERT INTO report (planned, number, kind, signature, title, gates, text, digest) VALUES"
    " (:planned, :number, :kind, :signature, :title, :gates, :text, :digest)"
)
_SUBTESTS = (
    "SELECT subtest.planned, subtest.name, status, reason FROM subtest"
    " JOIN planned ON planned.id = subtest.planned WHERE run = :run ORDER BY subtest.planned, number"
)
_WELL = ", ".join(f"'{status}'" for status in Status if status.is_well)
_BAD_SUBTESTS = _SUBTESTS.replace(" ORDER BY", f" AND status NOT IN ({_WELL}) ORDER BY")


def digest(*texts: str) -> int:
    """What tells that texts which take more than a page are as they were written."""
    return zlib.crc32("\0".join(texts).encode())


def check_digest(stored: int | None, what: str, *texts: str) -> None:
    """Raise ValueError if `texts` are not those of this digest; None: it is older than digests."""
    if stored is not None and stored != digest(*texts):
        raise ValueError(f"{what} is not as it was written")


def write_outcome(sql: Connection, planned: int, outcome: Outcome) -> bool:
    """Write the outcome of the planned test with this id, within the caller's transaction; False if it has one."""
    row, subtests, reports = _rows_of(planned, outcome)
    if not sql.execute(_OUTCOME, row):
        return False
    _write_more(sql, subtests, reports)
    return True


def write_outcomes(sql: Connection, outcomes: Mapping[int, Outcome]) -> None:
    """The same for many planned tests, of which none has an outcome."""
    found = [_rows_of(planned, outcome) for planned, outcome in outcomes.items()]
    sql.many(_OUTCOME, [row for row, _, _ in found])
    _write_more(sql, [row for _, rows, _ in found for row in rows], [row for _, _, rows in found for row in rows])


def _write_more(sql: Connection, subtests: list[Values], reports: list[Values]) -> None:
    if subtests:
        sql.many(_SUBTEST, subtests)
    if reports:
        sql.many(_REPORT, reports)


def _rows_of(planned: int, outcome: Outcome) -> tuple[Values, list[Values], list[Values]]:
    """The rows of an outcome, of its subtests and of its reports."""
    subtests, reports = _kept_subtests(outcome.subtests), _kept_reports(outcome.reports)
    texts = (
        clean(outcome.reason, MAX_LINE),
        clean(outcome.output, MAX_LINE),
        clean(outcome.oops, MAX_OOPS, lines=True),
        clean(outcome.guest, MAX_LINE),
    )
    row = {
        "planned": planned,
        "status": outcome.status,
        "seconds": max(float(outcome.seconds), 0.0) if math.isfinite(outcome.seconds) else 0.0,
        **dict(zip(("reason", "output", "oops", "guest"), texts, strict=True)),
        "subtests_cut": min(outcome.subtests_cut + len(outcome.subtests) - len(subtests), _MOST),
        "reports_cut": min(outcome.reports_cut + len(outcome.reports) - len(reports), _MOST),
        "digest": digest(*texts) if sum(map(len, texts)) > _SHORT else None,
    }
    of_subtests: list[Values] = [
        {
            "planned": planned,
            "number": number,
            "name": clean(each.name, MAX_LINE),
            "status": each.status,
            "reason": clean(each.reason, MAX_LINE),
        }
        for number, each in enumerate(subtests)
    ]
    return row, of_subtests, [{"planned": planned, "number": n, **_report_row(each)} for n, each in enumerate(reports)]


def read_outcomes(sql: Reader, run_id: int, *, brief: bool = False) -> dict[TestId, Outcome | None]:
    """The planned tests of a run, in order, each with its outcome.

    `brief`: without subtests that went well, and without the text of reports, except under crashes, which it explains.
    """
    # Read outcomes first: if a test ends meanwhile, its subtests and reports are ignored, instead of an outcome lacking them.
    rows = sql.rows(
        "SELECT planned.id, suite, profile, name, status, seconds, reason, output, oops, guest, subtests_cut, reports_cut,"
        " digest"
        " FROM planned LEFT JOIN outcome ON outcome.planned = planned.id WHERE run = :run ORDER BY position",
        {"run": run_id},
    )
    subtests: dict[int, list[Subtest]] = defaultdict(list)
    for planned, name, status, reason in sql.rows(_BAD_SUBTESTS if brief else _SUBTESTS, {"run": run_id}):
        subtests[planned].append(Subtest(name, Status.read(status), reason))
    reports: dict[int, list[KernelReport]] = defaultdict(list)
    for planned, kind, signature, title, gates, text, stored in sql.rows(
        "SELECT report.planned, kind, signature, title, gates, CASE WHEN :brief AND status != 'crash' THEN '' ELSE text END,"
        " CASE WHEN :brief AND status != 'crash' THEN NULL ELSE report.digest END"
        " FROM report JOIN planned ON planned.id = report.planned JOIN outcome ON outcome.planned = planned.id"
        " WHERE run = :run ORDER BY report.planned, number",
        {"run": run_id, "brief": brief},
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


def _report_row(report: KernelReport) -> dict[str, str | bool | int]:
    kind, title, text = (
        clean(report.kind, MAX_LINE),
        clean(report.title, MAX_LINE),
        clean(report.text, MAX_OOPS, lines=True),
    )
    signature = signature_of(report)
    return {
        "kind": kind,
        "signature": signature,
        "title": title,
        "gates": bool(report.gates),
        "text": text,
        "digest": digest(kind, signature, title, text),
    }


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
