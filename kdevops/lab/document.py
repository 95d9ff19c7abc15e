"""YAML text as plain data that records where every value was written.

Only JSON's types are accepted: mappings with text keys, lists, text, numbers, true and false. Size, depth and the
expansion of aliases are bounded, so no text can keep the reader busy for long.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from kdevops.errors import UserError

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
"""Values in a document, after aliases are expanded."""
MAX_DEPTH = 32

Loc = tuple[str | int, ...]
"""The path to a value: keys and list indices from the top."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, order=True)
class SourceSpan:
    """Where a value was written: a file with line and column (from 1), or a command-line option (line 0).

    `base` is the directory that relative paths written there start from.
    """

    origin: str
    line: int
    column: int
    base: Path

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}" if self.line else self.origin


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake, described in one line."""

    place: SourceSpan
    loc: Loc = field(compare=False)
    text: str

    def __str__(self) -> str:
        return ": ".join([str(self.place), *([".".join(map(str, self.loc))] if self.loc else []), self.text])


@dataclass(slots=True)
class Document:
    """Plain data, where each value was written, and the problems found while reading it."""

    value: object
    places: dict[Loc, SourceSpan]
    problems: list[Problem] = field(default_factory=list)

    def place(self, loc: Loc) -> SourceSpan:
        """Where `loc` was written, or the nearest value around it."""
        while loc not in self.places and loc:
            loc = loc[:-1]
        return self.places[loc]


def parse(
    text: str, place: Callable[[int, int], SourceSpan], *, null_ok: bool = False, what: str = "a lab file"
) -> Document:
    """Read YAML. `place` makes a SourceSpan from a line and a column, both counted from 1. `what` it should be, for messages.

    A null is a problem of the document unless it is the whole document and `null_ok` is set. Raises UserError if the
    text is not YAML or too large.
    """
    try:
        _check_bounds(text, place, what)
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise UserError(
            _syntax_error(error, text, place), hint="values with : # { [ & * ! | > ' \" % @ ` need quotes"
        ) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise UserError(f"{place(1, 1)}: not valid YAML: it contains control characters or invalid text") from None
    reader = _Reader(place, what)
    if root is None or (null_ok and root.tag == _TAG + "null"):
        return Document({} if not null_ok else None, {(): place(1, 1)})
    value = reader.read(root, ())
    return Document(value, reader.places, reader.problems)


def _check_bounds(text: str, place: Callable[[int, int], SourceSpan], what: str) -> None:
    """Refuse text that is too deep or too large before composing it: libyaml takes hours for a megabyte of `[`."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or count > 2 * MAX_NODES:
            line = event.start_mark.line if event.start_mark else 0
            raise UserError(f"{place(line + 1, 1)}: {_too_much(what)}")


def _too_much(what: str) -> str:
    return f"more than {MAX_NODES} values, or nested deeper than {MAX_DEPTH}: this is not {what}"


def _syntax_error(error: yaml.MarkedYAMLError, text: str, place: Callable[[int, int], SourceSpan]) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{place(1, 1)}: not valid YAML: {error.problem}"
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    where = place(mark.line + 1, mark.column + 1)
    if line[mark.column : mark.column + 1] == "\t":
        return f"{where}: not valid YAML: a tab; indent with spaces"
    context = error.context_mark
    begun = (
        f" ({error.context}, started on line {context.line + 1})" if error.context and context and where.line else ""
    )
    return f"{where}: not valid YAML: {error.problem}{begun}"


class _Reader:
    """Turns composed nodes into plain data. Collects problems, so that all of them can be shown at once."""

    def __init__(self, place: Callable[[int, int], SourceSpan], what: str) -> None:
        self._place, self._what = place, what
        self._count = 0
        self._scalars = yaml.constructor.SafeConstructor()
        self.places: dict[Loc, SourceSpan] = {}
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, loc: Loc) -> object:
        """The value of `node`, which is at `loc`."""
        self._count += 1
        where = self._where(node)
        self.places.setdefault(loc, where)
        if self._count > MAX_NODES or len(loc) > MAX_DEPTH:
            raise UserError(f"{where}: {_too_much(self._what)}")
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.read(item, (*loc, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        self._wrong(loc, f"the tag {node.tag} is not supported")
        return None

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, object]:
        table: dict[str, object] = {}
        for key, value in node.value:
            self._count += 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(self._where(key), loc, "a key must be a word, found a list or a mapping"))
            elif key.tag == _TAG + "merge":
                text = "merge keys are not supported; write the fields out"
                self.problems.append(Problem(self._where(key), (*loc, key.value), text))
            elif key.value in table:
                first = self.places[*loc, key.value]
                text = f"is given twice, first on line {first.line}" if first.line else "is given twice"
                self.problems.append(Problem(self._where(key), (*loc, key.value), text))
            else:
                self.places[*loc, key.value] = self._where(key)
                table[key.value] = self.read(value, (*loc, key.value))
        return table

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> object:
        kind = node.tag.removeprefix(_TAG)
        base_60 = kind in {"int", "float"} and ":" in node.value  # YAML 1.1 reads 22:30 as 1350
        wrong = None
        if kind == "null":
            wrong = "the value is empty; set it ({} for the defaults of a section) or remove the field"
        elif kind in {"str", "timestamp", "merge", "value"} or base_60:
            if not any(unicodedata.category(char) in {"Cc", "Cs"} and char not in "\n\t" for char in node.value):
                return node.value
            wrong = "contains a control character"
        elif kind in {"bool", "int", "float"}:
            try:
                return self._scalars.construct_object(node)
            except (ValueError, LookupError):
                wrong = f"{node.value[:60]!r} is not a valid {kind}"
        self._wrong(loc, wrong or f"the tag {node.tag} is not supported")
        return None

    def _wrong(self, loc: Loc, text: str) -> None:
        self.problems.append(Problem(self.places[loc], loc, text))

    def _where(self, node: yaml.Node) -> SourceSpan:
        return self._place(node.start_mark.line + 1, node.start_mark.column + 1)
