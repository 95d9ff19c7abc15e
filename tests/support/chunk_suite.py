"""A toy harness for tests of the runner: it says when a test begins and how it ends, and each test is a shell script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kdevops.results.model import Outcome, Status, TestId
from kdevops.suites.base import ParsedEnd, ParsedStart, PlannedTest

_STATUS = {"0": Status.PASS, "1": Status.FAIL, "4": Status.SKIP}
_HARNESS = """
while [ $# -gt 1 ]; do
    echo "toy begins $1." >>/dev/kmsg
    echo "begin $1"
    ( eval "$2" )
    echo "end $1 $?"
    shift 2
done
"""


class ToyParser:
    def __init__(self, profile: str) -> None:
        self._profile, self._rest, self.complaint = profile, "", ""

    def feed(self, text: str) -> Sequence[ParsedStart | ParsedEnd]:
        *lines, self._rest = (self._rest + text).split("\n")
        events: list[ParsedStart | ParsedEnd] = []
        for line in lines:
            if match := re.fullmatch(r"begin (\S+)", line):
                events.append(ParsedStart(TestId("toy", self._profile, match[1])))
            elif match := re.fullmatch(r"end (\S+) ([014])", line):
                events.append(ParsedEnd(TestId("toy", self._profile, match[1]), Outcome(_STATUS[match[2]]), line))
            elif line.startswith("refused"):
                self.complaint = line
        return events

    def close(self) -> Sequence[ParsedStart | ParsedEnd]:
        return []


@dataclass(frozen=True)
class ToySuite:
    scripts: Mapping[str, str]
    directory: Path
    timeout: float = 30.0
    profile: str = "default"
    before: str = ""
    after: str = ""
    sweep: str = "true"
    name: str = "toy"
    payload: Path | None = None
    disk: Path | None = None
    remote: str = "/nonexistent"
    record: Mapping[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()

    @property
    def tests(self) -> tuple[PlannedTest, ...]:
        return tuple(
            PlannedTest(TestId("toy", self.profile, name), self.timeout, known="bug" if name in self.known else "")
            for name in self.scripts
        )

    def chunk_command(self, tests: Sequence[PlannedTest]) -> tuple[tuple[str, ...], str]:
        words = [word for test in tests for word in (test.id.name, self.scripts[test.id.name])]
        return ("sh", "-c", f"{self.before}\n{_HARNESS}\n{self.after}", "toy", *words), "/"

    def output_parser(self, tests: Sequence[PlannedTest]) -> ToyParser:
        return ToyParser(self.profile)

    def console_mark(self, test: TestId) -> str:
        return f"toy begins {test.name}."

    def keep_command(self, test: TestId | None, profile: str, limit: int) -> tuple[str, ...]:
        left = self.directory / (test.name if test else "record")
        left.mkdir(parents=True, exist_ok=True)
        cut = 'cd "$1" && find . -type f -size +"$2"c -exec truncate -s "$2" {} + && exec tar -c -f - .'
        return ("sh", "-c", cut, "toy", str(left), str(limit))

    def sweep_command(self) -> tuple[str, ...]:
        return ("sh", "-c", self.sweep)

    def reconcile(self, directory: Path, told: Mapping[TestId, Outcome]) -> Sequence[str]:
        return [path.read_text() for path in directory.glob("says-otherwise")]
