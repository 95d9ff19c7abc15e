"""A run as JUnit XML, for CI systems. Crash, hang and missing are errors; a known failure is still a failure here.

A test with an unknown kernel report is an error even if it passed, and so is one that ran before and skips now: either keeps
the run from being green, and a CI system that reads only this file must see that.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # only written, never read
from collections.abc import Sequence

from kdevops.report.another_way import another_way
from kdevops.report.beyond import Beyond, beyond, skipped_now
from kdevops.report.troubles import lines, unknown_under
from kdevops.results import imported
from kdevops.results.model import Outcome
from kdevops.results.store import Run
from kdevops.results.verdict import Judged, RunVerdict
from kdevops.text import clean

_MAX_NAMED = 20
"""Messages in an attribute; the text has all of them."""
# Characters that `clean` keeps, because they do not harm a terminal, but that XML 1.0 forbids (§2.2).
_NOT_XML = re.compile("[\ufffe\uffff]")


def junit(run: Run, verdict: RunVerdict) -> str:
    """One `testsuite` for each suite and profile; every planned test is a `testcase` with its verdict as a property."""
    suites: dict[str, list[Judged]] = {}
    for each in verdict.tests:
        suites.setdefault(f"{each.test.suite}/{each.test.profile}", []).append(each)
    others = beyond(verdict)
    totals = _totals(verdict.tests, more=["error"] * len(others))
    root = ET.Element("testsuites", {"name": f"{run.lab} run {run.id}", **totals})
    for name, tests in suites.items():
        suite = ET.SubElement(
            root, "testsuite", {"name": _text(name), "timestamp": _began(run, name), **_totals(tests)}
        )
        for each in tests:
            _testcase(suite, name, each)
    for other in others:
        _other(root, run, other)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return f"{document.decode()}\n"


def _began(run: Run, name: str) -> str:
    """When the tests of a suite and profile began, or if others ran them, when they ran."""
    return str(imported.times(run).get(name.partition("/")[2], run.created))


def _other(root: ET.Element, run: Run, other: Beyond) -> None:
    totals = _totals((), more=["error"])
    suite = ET.SubElement(root, "testsuite", {"name": other.suite, "timestamp": run.created, **totals})
    case = ET.SubElement(suite, "testcase", {"name": other.name, "classname": other.suite, "time": "0.000"})
    more = len(other.messages) - _MAX_NAMED
    message = ", ".join(other.messages[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
    error = ET.SubElement(case, "error", {"message": _text(message), "type": other.kind})
    error.text = _NOT_XML.sub("", clean(other.text, lines=True))


def _testcase(suite: ET.Element, classname: str, judged: Judged) -> None:
    outcome = judged.outcome
    case = ET.SubElement(
        suite,
        "testcase",
        {"name": _text(judged.test.name), "classname": _text(classname), "time": f"{outcome.seconds:.3f}"},
    )
    properties = ET.SubElement(case, "properties")
    facts = {"verdict": judged.verdict.value, "guest": outcome.guest, "output": outcome.output}
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for line in lines(judged):
        ET.SubElement(properties, "property", {"name": "kernel-report", "value": _text(line)})
    if tag := _tag(judged):
        kind, message = _why(judged, tag)
        element = ET.SubElement(case, tag, {"message": _text(message) or outcome.status.value})
        if tag != "skipped":
            element.set("type", kind)
            element.text = _details(outcome)
    elif outcome.oops or outcome.reports:
        ET.SubElement(case, "system-err").text = _details(outcome)


def _tag(judged: Judged) -> str:
    """The element for a test that did not simply pass; "" for a pass."""
    tag = judged.outcome.status.ending.junit
    return "error" if tag in {"", "skipped"} and (unknown_under(judged) or skipped_now(judged)) else tag


def _why(judged: Judged, tag: str) -> tuple[str, str]:
    """The type and the message of a test's element."""
    outcome = judged.outcome
    if tag == outcome.status.ending.junit:
        return outcome.status.value, "; ".join(filter(None, (another_way(judged), outcome.reason)))
    return ("kernel report", _reported(judged)) if unknown_under(judged) else ("coverage", skipped_now(judged))


def _reported(judged: Judged) -> str:
    return f"{judged.outcome.status}, with unknown kernel reports: {', '.join(unknown_under(judged))}"


def _details(outcome: Outcome) -> str:
    said = [f"{each.name}: {each.status} {each.reason}" for each in outcome.subtests if each.status.ending.junit]
    said += dict.fromkeys(text for text in (outcome.oops, *(each.text for each in outcome.reports)) if text)
    return _NOT_XML.sub("", clean("\n".join(said), lines=True))


def _totals(tests: Sequence[Judged], *, more: Sequence[str] = ()) -> dict[str, str]:
    """The totals of a suite: its tests, and `more` elements that belong to no test."""
    tags = [*map(_tag, tests), *more]
    return {
        "tests": str(len(tags)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
        "time": f"{sum(each.outcome.seconds for each in tests):.3f}",
    }


def _text(text: str) -> str:
    return _NOT_XML.sub("", clean(text))
