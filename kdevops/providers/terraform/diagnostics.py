"""Terraform's diagnostics, as printed with -json and without.

With -json each line of `plan`, `apply` and `destroy` is an object (developer.hashicorp.com/terraform/internals
describes it). `init` and `state` print the same for people (internal/command/format/diagnostic.go of its sources). Only
the summary is assumed to exist: versions and OpenTofu differ in the rest.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kdevops.process import CUT

_MARGIN = re.compile(r"^[│╷╵](?: |$)?")
_HEAD = re.compile(r"^(Error|Warning): (.*)")
_ADDRESS = re.compile(r"^ {1,4}with (\S.*?),?$")
_PLACE = re.compile(r"^ {1,4}on (?P<file>\S.*?) line (?P<line>\d+)")
_FIELD = r'"{}":\s*"((?:[^"\\]|\\.)*)'
_STEPS = (("summary", re.compile(_FIELD.format("summary"))), ("detail", re.compile(_FIELD.format("detail"))))
_SEVERITY = re.compile(r'"severity":\s*"(\w+)"')


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error or warning. `address` is the resource's, `place` is "main.tf line 3"; both may be ""."""

    summary: str
    detail: str = ""
    address: str = ""
    place: str = ""
    is_error: bool = True

    @property
    def words(self) -> str:
        """Summary and detail as one line, uncut."""
        return ": ".join(filter(None, (" ".join(self.summary.split()), " ".join(self.detail.split()))))

    def lines(self) -> list[str]:
        """The text for people, without the surrounding source code and values."""
        where = [f"  with {self.address}," if self.address else "", f"  on {self.place}" if self.place else ""]
        told = list(filter(None, where))
        head = f"{'Error' if self.is_error else 'Warning'}: {self.summary}"
        return ["", *head.split("\n"), "", *told, *([""] if told else []), *self.detail.split("\n"), ""]


def read_line(line: str) -> tuple[list[str], Diagnostic | None]:
    """The text for people in a line of a -json command, and its diagnostic; other text is returned unchanged."""
    if not line.startswith("{"):
        return [line], None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        cut = _cut_off(line)
        return (cut.lines(), cut) if cut else ([line], None)
    if not isinstance(found, dict):
        return [line], None
    if diagnostic := _diagnostic(found.get("diagnostic")):
        return diagnostic.lines(), diagnostic
    return _text(found.get("@message"), line).strip("\n").split("\n"), None


def diagnostics_in(output: str) -> list[Diagnostic]:
    """All diagnostics in an output, of either form, in order."""
    for_people: list[str] = []
    found: list[Diagnostic] = []
    for line in output.splitlines():
        _, diagnostic = read_line(line)
        if diagnostic:
            found += [*_printed(for_people), diagnostic]
            for_people = []
        elif not line.startswith("{"):
            for_people.append(line)
    return [*found, *_printed(for_people)]


def _diagnostic(value: object) -> Diagnostic | None:
    if not isinstance(value, dict) or not (summary := _text(value.get("summary")) or _text(value.get("detail"))):
        return None
    span = value.get("range")
    start = span.get("start") if isinstance(span, dict) else None
    line = start.get("line") if isinstance(start, dict) else None
    place = f"{_text(span.get('filename'))} line {line}" if isinstance(span, dict) and isinstance(line, int) else ""
    detail = _text(value.get("detail"))
    return Diagnostic(
        summary,
        "" if detail == summary else detail,
        _text(value.get("address")),
        place,
        value.get("severity") != "warning",
    )


def _cut_off(line: str) -> Diagnostic | None:
    """A diagnostic whose line was too long to be kept completely: what is left of its summary and detail."""
    line = line.removesuffix(CUT)
    texts = {name: _unquoted(found[1]) for name, step in _STEPS if (found := step.search(line))}
    severity = _SEVERITY.search(line)
    if "summary" not in texts:
        return None
    return Diagnostic(texts["summary"], texts.get("detail", ""), is_error=not severity or severity[1] != "warning")


def _unquoted(text: str) -> str:
    """The text of a JSON string that may be cut in the middle of an escape, which has six characters at most."""
    for end in range(len(text), max(len(text) - 6, 0), -1):
        with contextlib.suppress(ValueError):
            return str(json.loads(f'"{text[:end]}"', strict=False))
    return text


def _text(value: object, otherwise: str = "") -> str:
    return value if isinstance(value, str) else otherwise


def _printed(lines: Iterable[str]) -> Iterator[Diagnostic]:
    """The diagnostics in text for people. In a box each line begins with a bar, and other text follows the box."""
    block: list[str] = []
    boxed = False
    for line in lines:
        ends = line.startswith("╵")
        plain = _MARGIN.sub("", line)
        if _HEAD.match(plain):
            yield from _of_block(block)
            block, boxed = [plain], line.startswith("│")
        elif ends or (boxed and not line.startswith("│")):
            yield from _of_block(block)
            block = []
        elif block:
            block.append(plain)
    yield from _of_block(block)


def _of_block(block: list[str]) -> Iterator[Diagnostic]:
    """Head, then paragraphs: the rest of a long summary, the location with source code, the detail."""
    if not block or not (head := _HEAD.match(block[0])):
        return
    paragraphs = [
        part.split("\n") for part in re.split(r"\n(?:[ \t]*\n)+", "\n".join(block[1:]).rstrip()) if part.strip()
    ]
    summary = head[2]
    if len(block) > 1 and block[1].strip() and not _is_place(paragraphs[0]):
        summary = " ".join([summary, *paragraphs.pop(0)])
    address = place = ""
    if paragraphs and _is_place(paragraphs[0]):
        for line in paragraphs.pop(0):
            address = address or (found[1] if (found := _ADDRESS.match(line)) else "")
            place = place or (f"{found['file']} line {found['line']}" if (found := _PLACE.match(line)) else "")
    detail = "\n\n".join("\n".join(part) for part in paragraphs).strip()
    yield Diagnostic(summary.strip(), detail, address, place, head[1] == "Error")


def _is_place(paragraph: list[str]) -> bool:
    first = next((line for line in paragraph if line.strip()), "")
    return bool(_ADDRESS.match(first) or _PLACE.match(first))
