"""Recover the tests from a damaged report that are still certain.

`check` writes the start tag of a test in one line, in its own words. What may break the XML comes later: the unescaped
message of a failure, and output. So a test with a complete start tag failed if it contains a `<failure` or an `<error`,
and passed if there is nothing between its start and its end, and nothing but the next test after it. Anything else is
MISSING. Output is skipped as a whole, because a test may print what looks like a test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from xml.sax.saxutils import unescape

from kdevops.results.model import Status
from kdevops.suites.fstests.check_lines import MAX_REASON
from kdevops.suites.fstests.xunit_cases import TEST_NAME, Case, Suite, conclude, suite_of
from kdevops.text import clean

MAX_CASES = 100_000
_MAX_START = 64 << 10
"""Characters of a start tag."""
_DOUBT = "the report is damaged there"
_ENTITIES = {"&quot;": '"', "&apos;": "'"}
_ESCAPED = r"&(?:amp|lt|gt|quot|apos|#\d{1,7});"
_ATTRIBUTE = rf"""[\w:.-]{{1,64}}\s*=\s*(?:"(?:[^"<&]|{_ESCAPED})*+"|'(?:[^'<&]|{_ESCAPED})*+')"""
_START = re.compile(rf"<(?:[\w.-]{{1,64}}:)?\w{{1,64}}(?P<attributes>(?:\s++{_ATTRIBUTE})*+)\s*+(?P<empty>/?)>")
_PAIR = re.compile(rf"""([\w:.-]{{1,64}})\s*=\s*(?:"((?:[^"<&]|{_ESCAPED})*+)"|'((?:[^'<&]|{_ESCAPED})*+)')""")
_PART = re.compile(r"<(?:[\w.-]{1,64}:)?(?P<tag>testsuite|testcase)(?=[\s/>])")
_PROPERTY = re.compile(r"<(?:[\w.-]{1,64}:)?property(?=\s)")
_OPAQUE = re.compile(
    r"<!\[CDATA\[|<!--|<(?:[\w.-]{1,64}:)?(?P<output>system-out|system-err|kernel-log)\s*(?P<empty>/?)>"
)
_RESULT = re.compile(r"<(?:[\w.-]{1,64}:)?(?P<tag>failure|error|skipped)(?=[\s/>])")
_MESSAGE = re.compile(r"\s+message\s*=\s*(?P<quote>[\"'])(?P<text>.{0,4096}?)(?P=quote)\s*(?:type\s*=|/?>)", re.DOTALL)
_END = re.compile(r"</(?:[\w.-]{1,64}:)?testcase\s*>")
_AFTER = re.compile(r"(?:[\s?]|</(?:[\w.-]{1,64}:)?testsuites?\s*>)*+")
_NAME = re.compile(r"""\sname\s*=\s*["'](?P<name>[^"'<&]{1,200})["']""")
_MAX_PROPERTIES = 200


def recover(text: str) -> tuple[Suite, ...]:
    """The suites of a damaged report; none if it has a document type."""
    text = _without_output(text)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return ()
    parts = [*islice(_PART.finditer(text), MAX_CASES)]
    suites: list[tuple[Mapping[str, str], dict[str, str], list[Case]]] = []
    for number, part in enumerate(parts):
        body = text[part.start() : parts[number + 1].start() if number + 1 < len(parts) else len(text)]
        if part["tag"] == "testsuite":
            start = _START.match(body[:_MAX_START])
            suites.append((_attributes(start) if start else {}, _properties(body), []))
        else:
            suites = suites or [({}, {}, [])]
            suites[-1][2].append(_case(body))
    nested = len(suites) > 1
    return tuple(suite_of(*suite) for suite in suites if suite[2] or not nested)


def _case(body: str) -> Case:
    start = _START.match(body[:_MAX_START])
    attributes = _attributes(start) if start else {}
    if not start or not TEST_NAME.fullmatch(attributes.get("name", "").strip()):
        name = _NAME.search(body[:1000])
        return Case(name["name"] if name else "", Status.MISSING, reason=_DOUBT)
    rest = body[start.end() :]
    found = [*islice(_RESULT.finditer(rest), 2)]
    results = [(each["tag"], _message(rest, each.end())) for each in found[:1]]
    end = None if start["empty"] else _END.search(rest)
    inside, after = (rest[: end.start()], rest[end.end() :]) if end else ("", rest)
    closed = bool(start["empty"] or end) and bool(_AFTER.fullmatch(after))
    # A second one may be part of the message, which is only escaped for skipped tests.
    sound = closed and (len(found) == 1 and inside.lstrip().startswith("<") if found else not inside.strip())
    return conclude(attributes, results, "" if sound else _DOUBT)


def _message(text: str, at: int) -> str:
    found = _MESSAGE.match(text, at)
    return clean(unescape(found["text"], _ENTITIES), MAX_REASON) if found else ""


def _properties(body: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in islice(_PROPERTY.finditer(body), _MAX_PROPERTIES):
        if start := _START.match(body[each.start() : each.start() + _MAX_START]):
            pair = _attributes(start)
            found.setdefault(*(clean(pair.get(name, ""), MAX_REASON) for name in ("name", "value")))
    return found


def _attributes(start: re.Match[str]) -> dict[str, str]:
    """The attributes of a start tag; none if one occurs twice."""
    pairs = [(key, unescape(one or other, _ENTITIES)) for key, one, other in _PAIR.findall(start["attributes"])]
    return dict(pairs) if len(pairs) == len({key for key, _ in pairs}) else {}


def _without_output(text: str) -> str:
    """The text without comments, and with "?" for output; it ends at the first of these that has no end.

    `check` writes output only for failed tests, so a test with output is not a certain pass.
    """
    kept: list[str] = []
    at, inside = 0, ""
    while found := (_OPAQUE.search(text, at) if not inside else _inside(inside).search(text, at)):
        if not inside:
            kept.append(text[at : found.start()])
        if found[0].startswith("<!"):
            end = text.find("-->" if found[0] == "<!--" else "]]>", found.end())
            if end < 0:
                return "".join(kept)
            at = end + 3
            kept += [] if inside or found[0] == "<!--" else ["?"]
            continue
        kept += [] if inside else ["?"]
        inside = "" if inside or found["empty"] else found["output"]
        at = found.end()
    return "".join(kept) if inside else "".join([*kept, text[at:]])


def _inside(output: str) -> re.Pattern[str]:
    return re.compile(rf"<!\[CDATA\[|</(?:[\w.-]{{1,64}}:)?{output}\s*>")
