"""Read the report that `check -R xunit` writes for a section, `result.xml`.

It is `<testsuite>` with `<properties>` and a `<testcase name="generic/001" time="5">` for each test, empty for a pass,
else with `<skipped message=…>` or `<failure message=…>` (fstests: common/report, doc/xunit.xsd). It may hold all that
a test printed, which is passed over. `check` does not escape the message of a failure, and a guest may have died while
it was written: what comes before the fault is taken, and the fault is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import ParseError, XMLParser

from kdevops.results.model import Status
from kdevops.results.text import clean
from kdevops.suites.fstests.check_lines import MAX_REASON, failure

MAX_SIZE = 64 << 20
"""Bytes read of a report."""
MAX_CASES = 100_000
_CHUNK = 1 << 16
_MAX_PROPERTIES = 200
TEST_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,64}/)?\d{3,9}[A-Za-z0-9_-]{0,128}")
"""A test in a record: `generic/001`, and before 2013 `001`."""
_SECONDS = re.compile(r"\d{1,9}")


@dataclass(frozen=True, slots=True)
class Case:
    """How the harness recorded one test: PASS, FAIL or SKIP, the whole seconds it took, and why it was no pass."""

    name: str
    status: Status
    seconds: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report: its tests in order, what it says of machine and configuration, and in a line what is wrong with it.

    `finished` says that it was written at the end of `check`; newer trees write it before each test too.
    """

    cases: tuple[Case, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""
    finished: bool = True


def read_report(path: Path) -> Report | None:
    """The report in this file; None when there is no such file. Raises OSError when it cannot be read."""
    target = _Target()
    parser = XMLParser(target=target)  # noqa: S314 - the target refuses a DOCTYPE, without which there are no entities
    trouble, size = "", 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > MAX_SIZE:
                    trouble = f"only the first {MAX_SIZE >> 20} MiB were read"
                    break
                parser.feed(chunk)
            else:
                parser.close()
    except FileNotFoundError:
        return None
    except (ParseError, ValueError, LookupError) as error:
        trouble = f"cannot be read to its end: {clean(str(error), MAX_REASON)}"
    return Report(tuple(target.cases), target.properties, trouble, target.finished and not trouble)


class _Target:
    """What XMLParser calls while it reads; keeps no text."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.properties: dict[str, str] = {}
        self.finished = False
        self._case: Case | None = None

    def doctype(self, *_: str | None) -> None:
        """A document type may define entities, and a report has none."""
        raise ValueError("it has a document type")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        message = attributes.get("message", "")
        if tag == "testsuite":
            self.finished = attributes.get("time") != ""
        if tag == "property" and len(self.properties) < _MAX_PROPERTIES:
            self.properties[clean(attributes.get("name", ""), 80)] = clean(attributes.get("value", ""), MAX_REASON)
        elif tag == "testcase":
            name, time = attributes.get("name", ""), attributes.get("time", "")
            seconds = int(time) if _SECONDS.fullmatch(time) else 0
            self._case = Case(name, Status.PASS, seconds) if TEST_NAME.fullmatch(name) else None
        elif self._case and tag == "skipped":
            self._case = Case(self._case.name, Status.SKIP, self._case.seconds, clean(message, MAX_REASON))
        elif self._case and tag == "failure":
            reason = failure(message) or clean(message, MAX_REASON)
            self._case = Case(self._case.name, Status.FAIL, self._case.seconds, reason)

    def end(self, tag: str) -> None:
        """An element ends: only a test that is described to its end counts."""
        if tag == "testcase" and self._case:
            if len(self.cases) < MAX_CASES:
                self.cases.append(self._case)
            self._case = None

    def close(self) -> None:
        """The document ends."""
