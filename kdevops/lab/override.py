"""`--set guests.disks.0.size=1GiB`: set one field of a lab on the command line."""

from __future__ import annotations

from pathlib import Path

from kdevops.errors import UserError
from kdevops.lab.document import MAX_BYTES, MAX_DEPTH, Document, Loc, Problem, SourceSpan, parse
from kdevops.lab.suites import named_in
from kdevops.sources import SOURCES

_KERNEL_SOURCES = tuple((kind, *facts.goes_with) for kind, facts in SOURCES.items())
_EITHER: dict[Loc, tuple[tuple[str, ...], ...]] = {
    ("kernel", "source"): _KERNEL_SOURCES,
    ("compare", "kernel", "source"): _KERNEL_SOURCES,
    ("guests", "image"): (("path",), ("url", "sha256")),
    ("compare", "guests", "image"): (("path",), ("url", "sha256")),
    ("provider",): (("cloud",), ("module",)),
    ("compare", "provider"): (("cloud",), ("module",)),
}
"""Sections with mutually exclusive members, each listed with the fields that belong to it; suites have `exclusive`."""


def apply(document: Document, assignment: str) -> None:
    """Apply `KEY=VALUE` to `document`: KEY is field names and list indices joined with dots, VALUE is YAML.

    Missing sections are created; the index after a list's last entry appends; null (or nothing) removes the field, so
    that its default applies. A field replaces those in the file that exclude it. Relative paths in VALUE start from the
    current directory. A mistake in the assignment becomes a problem of the document.
    """
    shown = " ".join(assignment[:80].split()) + ("..." if len(assignment) > 80 else "")
    place = SourceSpan(f"--set {shown}", 0, 0, Path.cwd())
    key, equals, text = assignment.partition("=")
    parts = key.split(".")
    if not equals or not all(parts) or len(parts) > MAX_DEPTH or len(text) > MAX_BYTES:
        document.problems.append(Problem(place, (), "write KEY=VALUE, as in guests.count=2"))
        return
    try:
        given = parse(text, lambda _line, _column: place, null_ok=True)
        document.value = _put(document.value, parts, given.value)
    except UserError as error:
        document.problems.append(Problem(place, (), error.message.removeprefix(f"{place}: ")))
        return
    loc = _typed(document.value, parts)
    if given.value is not None:
        _drop_others(document, loc)
    shifted = loc if given.value is not None else loc[:-1]  # removing a list entry moves those after it
    for known in [known for known in document.places if len(known) > len(shifted) and known[: len(shifted)] == shifted]:
        del document.places[known]
    for depth in range(1, len(loc)):
        document.places.setdefault(loc[:depth], place)
    if given.value is not None:
        document.places.update({loc + below: place for below in given.places})
    document.problems = [problem for problem in document.problems if problem.loc[: len(loc)] != loc]
    document.problems += [Problem(problem.place, loc + problem.loc, problem.text) for problem in given.problems]


def _drop_others(document: Document, loc: Loc) -> None:
    """Remove fields of the file that exclude `loc`; those set on the command line are left for the validation to refuse."""
    members = {**_EITHER, **_of_suites(document.value)}.get(loc[:-1], ())
    if not any(member[0] == loc[-1] for member in members):
        return
    section: object = document.value
    for step in loc[:-1]:
        section = section[step]  # type: ignore[index]
    for name in (name for member in members if loc[-1] not in member for name in member):
        other = (*loc[:-1], name)
        if isinstance(section, dict) and name in section and document.place(other).line:
            document.value = _put(document.value, [str(step) for step in other], None)
            document.places = {known: place for known, place in document.places.items() if known[: len(other)] != other}
            document.problems = [problem for problem in document.problems if problem.loc[: len(other)] != other]


def _of_suites(lab: object) -> dict[Loc, tuple[tuple[str, ...], ...]]:
    return {
        ("suites", name, *loc): members for name, _, kind in named_in(lab) for loc, members in kind.exclusive.items()
    }


def _put(old: object, parts: list[str], value: object) -> object:
    """`old` with `value` at the path `parts`; None removes the field. Raises UserError if there is no such path."""
    if not parts:
        return value
    part, *rest = parts
    if old is None and value is not None:
        old = [] if part == "0" else {}
    if isinstance(old, list):
        return _put_item(old, part, rest, value)
    if not isinstance(old, dict):
        raise UserError(f"{part}: there are no fields below {'nothing' if old is None else 'a plain value'}")
    if value is None and part not in old:
        raise UserError(f"{part}: cannot be removed because it is not set")
    if value is None and not rest:
        return {key: kept for key, kept in old.items() if key != part}
    return {**old, part: _put(old.get(part), rest, value)}


def _put_item(old: list[object], part: str, rest: list[str], value: object) -> list[object]:
    index = int(part) if part.isascii() and part.isdecimal() and len(part) < 9 else -1
    limit = len(old) - (value is None)
    if not 0 <= index <= limit:
        raise UserError(f"{part}: the list has {len(old)} entries, use an index from 0 to {max(limit, 0)}")
    if value is None and not rest:
        return old[:index] + old[index + 1 :]
    return [*old[:index], _put(old[index] if index < len(old) else None, rest, value), *old[index + 1 :]]


def _typed(value: object, parts: list[str]) -> Loc:
    """`parts` with list indices as numbers."""
    loc: Loc = ()
    for part in parts:
        if isinstance(value, list):
            index = int(part)
            loc, value = (*loc, index), value[index] if index < len(value) else None
        else:
            loc, value = (*loc, part), value.get(part) if isinstance(value, dict) else None
    return loc
