"""Files named in a lab: made absolute and checked before anything starts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from kdevops.lab.document import Document, Loc, Problem
from kdevops.lab.suites import named_in
from kdevops.sources import SOURCES


def _always(_: str) -> bool:
    return True


def _is_local(value: str) -> bool:
    """Whether `value` is neither a URL nor git's `host:path`."""
    return ":" not in value


def is_config_file(value: str) -> bool:
    """Whether a configuration base or fragment is a file: our own names have neither a slash nor a dot."""
    return "/" in value or "." in value or value.startswith("~")


def _never(_: str) -> bool:
    return False


_NAMES_FILE: dict[str, Callable[[str], bool]] = {"path": _always, "address": _is_local, "name": _never}
"""Whether the location of a source is a file, by what it is."""
_EACH = "*"
"""Every entry of a list of sections."""
_OF_A_KERNEL: tuple[tuple[Loc, Callable[[str], bool]], ...] = (
    *((("source", kind), _NAMES_FILE[facts.location]) for kind, facts in SOURCES.items()),
    (("patches",), _always),
    (("config", "base"), is_config_file),
    (("config", "fragments"), is_config_file),
)
_OF_AN_ARM: tuple[tuple[Loc, Callable[[str], bool]], ...] = (
    (("provider", "module"), _always),
    (("provider", "hosts", _EACH, "key"), _always),
    (("guests", "image", "path"), _always),
    *((("kernel", *loc), is_file) for loc, is_file in _OF_A_KERNEL),
)
_FILES: tuple[tuple[Loc, Callable[[str], bool]], ...] = (
    *_OF_AN_ARM,
    *((("compare", *loc), is_file) for loc, is_file in _OF_AN_ARM),
)
_MAY_COME: Loc = ("baseline",)
"""May be missing: `baseline accept` creates it."""


def resolve_paths(document: Document) -> list[Problem]:
    """Make every path in `document` absolute, in place, and return a problem for each that does not exist.

    A relative path starts from the directory of the lab file, or, given with `--set`, from the current one; `~` is the
    home directory. Values that are not text are left to the type validation.
    """
    problems = []
    for loc, is_file in (*_FILES, *_of_suites(document.value)):
        for where, value in _texts(document.value, loc):
            if not is_file(value):
                continue
            path = _replace(document, where, value)
            if not value or not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that are too long
                problems.append(
                    Problem(
                        document.place(where), where, f"no such file or directory: {path if value else repr(value)}"
                    )
                )
    for where, value in _texts(document.value, _MAY_COME):
        _replace(document, where, value)
    return problems


def _of_suites(lab: object) -> Iterator[tuple[Loc, Callable[[str], bool]]]:
    """The files that suites of the lab say to have, of those that there are."""
    for name, _, kind in named_in(lab):
        for loc, what in kind.paths.items():
            yield ("suites", name, *loc), _always if what == "file" else _is_local


def _texts(value: object, loc: Loc, done: Loc = ()) -> Iterator[tuple[Loc, str]]:
    """The texts at `loc`, each with its location."""
    if loc and loc[0] == _EACH:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _texts(item, loc[1:], (*done, index))
    elif loc:
        below = value.get(str(loc[0])) if isinstance(value, dict) else None
        yield from _texts(below, loc[1:], (*done, loc[0]))
    elif isinstance(value, str):
        yield done, value
    elif isinstance(value, list):
        yield from (((*done, index), item) for index, item in enumerate(value) if isinstance(item, str))


def _replace(document: Document, loc: Loc, value: str) -> str:
    base = document.place(loc).base
    path = os.path.normpath(base / re.sub(r"^~(?=/|$)", lambda _: os.path.expanduser("~"), value))  # noqa: PTH111 - never raises
    holder: object = document.value
    for step in loc[:-1]:
        holder = holder[step]  # type: ignore[index]
    holder[loc[-1]] = path  # type: ignore[index]
    return path
