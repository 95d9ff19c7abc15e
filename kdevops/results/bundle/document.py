"""Runs as the texts in a bundle: models that say what may be in them, because whoever wrote it may be anybody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kdevops.results.bundle.archive import is_plain
from kdevops.results.bundle.leaving import tidy, without_credentials
from kdevops.results.model import KernelReport, Outcome, RunState, Status, Subtest, TestId
from kdevops.results.reading import Entry, Kind, PlannedRow
from kdevops.results.rows import MAX_LINE, MAX_OOPS, MAX_REPORTS, MAX_SUBTESTS
from kdevops.text import clean

MAX_RUNS = 10_000
"""Runs in a bundle, with reruns."""
MAX_TESTS = 500_000
"""Tests of a run in a bundle."""
MAX_ENTRIES = 1000
"""Entries of a journal for each test."""


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).isoformat(timespec="milliseconds") != text or not text.endswith("+00:00"):
        raise ValueError("not a moment in UTC")
    return text


def _line_of_text(text: str) -> str:
    if text != clean(text, MAX_LINE):
        raise ValueError(f"not a line that can be printed, of at most {MAX_LINE} characters")
    return text


def _lab_name(text: str) -> str:
    if not text or text != clean(text, 200) or "/" in text or text.startswith("."):
        raise ValueError("not the name of a lab")
    return text


def _output(text: str) -> str:
    if text and not is_plain(text):
        raise ValueError("not the name of an output file")
    return text


Line = Annotated[str, AfterValidator(_line_of_text)]
Text = Annotated[str, Field(max_length=MAX_OOPS)]
Name = Annotated[Line, Field(min_length=1)]
Count = Annotated[int, Field(ge=0, lt=1 << 31)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Moment = Annotated[str, AfterValidator(_moment)]
Index = Annotated[int, Field(ge=0, lt=MAX_RUNS)]


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class EvidenceDocument(_Document):
    """The baseline by which a run was judged, as its files."""

    at: Moment
    source: Line
    texts: dict[str, str]


class RunDocument(_Document):
    """A run without its tests. `decides` and `compared_with` are places of other runs in the same bundle.

    `shipped`: it is compared with the baselines that come with kdevops.
    """

    lab: Annotated[str, AfterValidator(_lab_name)]
    state: RunState
    created: Moment
    ended: Moment
    decides: Index | None = None
    compared_with: Index | None = None
    shipped: bool = False
    record: Annotated[dict[str, Any], AfterValidator(tidy)]


class ReportDocument(_Document):
    """A kernel report during a test."""

    kind: Line
    signature: Line
    title: Line
    gates: bool
    text: Text


class OutcomeDocument(_Document):
    """How a test ended. The subtests are name, status and reason."""

    status: Status
    seconds: Seconds
    reason: Line = ""
    output: Annotated[Line, AfterValidator(_output)] = ""
    oops: Text = ""
    guest: Line = ""
    subtests: Annotated[list[tuple[Line, Status, Line]], Field(max_length=MAX_SUBTESTS)] = []
    subtests_cut: Count = 0
    reports: Annotated[list[ReportDocument], Field(max_length=MAX_REPORTS)] = []
    reports_cut: Count = 0


class TestDocument(_Document):
    """A planned test and how it ended."""

    __test__ = False

    suite: Name
    profile: Name
    name: Name
    timeout: Seconds
    expected: Seconds | None = None
    outcome: OutcomeDocument

    @property
    def id(self) -> TestId:
        """Which test it is."""
        return TestId(self.suite, self.profile, self.name)

    @property
    def row(self) -> PlannedRow:
        """The test as it was planned."""
        return PlannedRow(self.id, self.timeout, self.expected)

    @property
    def ended(self) -> Outcome:
        """How it ended."""
        told = self.outcome
        return Outcome(
            told.status,
            told.seconds,
            told.reason,
            tuple(Subtest(*each) for each in told.subtests),
            told.output,
            told.oops,
            told.guest,
            told.subtests_cut,
            tuple(KernelReport(each.kind, each.signature, each.title, each.gates, each.text) for each in told.reports),
            told.reports_cut,
        )


class EntryDocument(_Document):
    """A line of the journal; `test` is the place of a test in the plan."""

    at: Moment
    kind: Kind
    test: Annotated[int, Field(ge=0)] | None = None
    guest: Line = ""
    text: Line = ""

    def entry(self, tests: list[TestId]) -> Entry:
        """The same as the store has it. Raises IndexError for a test that is not planned."""
        return Entry(self.at, self.kind, None if self.test is None else tests[self.test], self.guest, self.text)


def written(document: _Document) -> bytes:
    """A document as a line."""
    return _line(document.model_dump(mode="json", exclude_defaults=True))


def test_lines(rows: Iterable[PlannedRow], outcomes: Mapping[TestId, Outcome]) -> Iterator[bytes]:
    """A line for each test of a run, in the order of the plan; not through models, because there are many of them."""
    for row in rows:
        suite, profile, name = row.id
        told: dict[str, Any] = {"suite": suite, "profile": profile, "name": name, "timeout": row.timeout}
        if row.expected is not None:
            told["expected"] = row.expected
        yield _line({**told, "outcome": _outcome(outcomes[row.id])})


def _outcome(each: Outcome) -> dict[str, Any]:
    told = {
        "status": each.status.value,
        "seconds": each.seconds,
        "reason": without_credentials(each.reason),
        "output": each.output if is_plain(each.output) else "",
        "oops": each.oops,
        "guest": each.guest,
        "subtests": [[one.name, one.status.value, one.reason] for one in each.subtests],
        "subtests_cut": each.subtests_cut,
        "reports": [
            {"kind": one.kind, "signature": one.signature, "title": one.title, "gates": one.gates, "text": one.text}
            for one in each.reports
        ],
        "reports_cut": each.reports_cut,
    }
    return {name: value for name, value in told.items() if value or name == "seconds"}


def journal_lines(entries: Iterable[Entry], places: Mapping[TestId, int]) -> Iterator[bytes]:
    """A line for each entry of a journal."""
    for each in entries:
        told: dict[str, Any] = {"at": each.at, "kind": each.kind.value}
        if each.test is not None:
            told["test"] = places[each.test]
        more = {"guest": each.guest, "text": without_credentials(each.text)}
        yield _line(told | {name: value for name, value in more.items() if value})


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
