"""The elements of a well-formed report, parsed by expat. Misplaced ones are reported, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from kdevops.suites.fstests.check_lines import MAX_REASON
from kdevops.suites.fstests.output_diff import difference_in
from kdevops.suites.fstests.xunit_cases import OUTPUT, RESULTS, STAMPS, Case, Suite, conclude, suite_of
from kdevops.text import clean

MAX_CASES = 100_000
_MAX_PROPERTIES = 200
_MAX_DEPTH = 16
_MAX_TEXT = 4096
_MAX_OUTPUT = 64 << 10
_WRITTEN = frozenset({"system-out", "system-err"})
"""Elements of which one has the difference in the output; `check` uses system-err, and system-out for the rest."""
_TESTS = frozenset({"testsuite", "testcase", *RESULTS})


class RefusedError(ValueError):
    """A file that is not read at all."""


@dataclass(slots=True)
class _Open:
    """A suite: `within` is the one that contains it, None for the outermost. `cases` excludes nested suites."""

    attributes: Mapping[str, str]
    within: _Open | None
    properties: dict[str, str] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)
    parts: list[_Open] = field(default_factory=list)

    def done(self) -> Suite:
        attributes = dict(self.attributes)
        above = self.within
        while above:
            attributes |= {
                key: above.attributes[key] for key in STAMPS if key in above.attributes and key not in attributes
            }
            attributes |= {"time": ""} if above.attributes.get("time") == "" else {}
            above = above.within
        return suite_of(attributes, self.inherited(), self.cases)

    def inherited(self) -> dict[str, str]:
        return {**(self.within.inherited() if self.within else {}), **self.properties}

    def whole(self) -> Suite:
        """The suite with the cases of nested suites, which its attributes count."""
        cases = [case for part in self.parts for each in (part.whole(),) for case in (*each.cases, *each.strangers)]
        return suite_of(self.attributes, {}, [*self.cases, *cases])


class Elements:
    """Reads a report. `odd` is one line about a problem of the report, "" if there is none."""

    def __init__(self) -> None:
        self.odd = ""
        self._all: list[_Open] = []
        self._suite: _Open | None = None
        self._path: list[str] = []
        self._cases = 0
        self._case: dict[str, str] | None = None
        self._results: list[tuple[str, str]] = []
        self._words = self._kind = ""
        self._doubt = ""
        self._output: list[str] = []
        self._kept = 0
        self._difference = ""

    def read(self, data: bytes) -> None:
        """Read a file. Raises ExpatError, ValueError, LookupError (encoding), or RefusedError for a document type."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        parser.Parse(data, True)

    def suites(self) -> tuple[Suite, ...]:
        """The suites with cases of their own, or with nothing in them at all."""
        return tuple(each.done() for each in self._all if each.cases or not each.parts)

    def outer(self) -> tuple[Suite, ...]:
        """The suites that contain others, each with all cases below it."""
        return tuple(each.whole() for each in self._all if each.parts)

    @staticmethod
    def _refuse(*_: object) -> NoReturn:
        raise RefusedError("it has a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        path = self._path
        path.append(tag)
        parent = path[-2] if len(path) > 1 else ""
        if len(path) > _MAX_DEPTH:
            raise ValueError("its elements are nested too deep")
        if self._case is not None:
            self._within(tag, parent, attributes)
        elif tag in {"testsuite", "testsuites"} and parent in {"", "testsuites", "testsuite"}:
            self._suite = _Open(attributes, self._suite)
            self._all.append(self._suite)
            if self._suite.within:
                self._suite.within.parts.append(self._suite)
        elif not parent:
            raise ValueError(f"it is not a report of tests but <{clean(tag, 40)}>")
        elif tag == "testcase" and parent in {"testsuite", "testsuites"}:
            self._case, self._results, self._doubt, self._difference = attributes, [], "", ""
        elif tag in _TESTS:
            self.odd = self.odd or f"has <{tag}> in <{clean(parent, 40)}>"
        elif tag == "property" and self._suite and len(self._suite.properties) < _MAX_PROPERTIES:
            key, value = (clean(attributes.get(each, ""), MAX_REASON) for each in ("name", "value"))
            self._suite.properties.setdefault(key, value)

    def _within(self, tag: str, parent: str, attributes: Mapping[str, str]) -> None:
        if parent == "testcase" and tag in RESULTS:
            self._results.append((tag, attributes.get("message", "")))
            self._words, self._kind = "", attributes.get("type", "")
        elif parent == "testcase" and tag in _WRITTEN:
            self._output, self._kept = [], 0
        elif not ((parent == "testcase" and tag in OUTPUT) or (parent == "properties" and tag == "property")):
            self._doubt = self._doubt or f"its <{clean(parent, 40)}> contains <{clean(tag, 40)}>"

    def _text(self, data: str) -> None:
        if self._case is not None and self._path[-1] in _WRITTEN and self._kept < _MAX_OUTPUT:
            self._output.append(data)
            self._kept += len(data)
        elif self._path and self._path[-1] in RESULTS and len(self._words) < _MAX_TEXT:
            self._words += data

    def _end(self, name: str) -> None:
        tag = self._path.pop()
        if self._case is not None and tag in RESULTS and self._path[-1] == "testcase":
            _, message = self._results[-1]
            self._results[-1] = (tag, message or self._words[:_MAX_TEXT].strip() or self._kind)
        elif self._case is not None and tag in _WRITTEN and not self._difference:
            self._difference = difference_in("".join(self._output)[:_MAX_OUTPUT])
        elif tag == "testcase" and self._case is not None and self._path[-1] in {"testsuite", "testsuites"}:
            self._cases += 1
            assert self._suite
            if self._cases > MAX_CASES:
                self.odd = self.odd or f"has more than {MAX_CASES} tests"
            else:
                self._suite.cases.append(conclude(self._case, self._results, self._doubt, self._difference))
            self._case = None
        elif self._case is None and tag in {"testsuite", "testsuites"} and self._suite:
            self._suite = self._suite.within or self._suite
