"""Suites that a lab file may name: ours, and those of installed packages.

A suite describes itself (`SuiteFacts`, and more in `kdevops.suites.kind.SuiteKind`). Ours are listed in OURS; others are
found by entry points of the group `kdevops.suites` (see `kdevops.lab.outside`). Both are imported on first use by name, so
that a command without suites does not pay for them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
from collections.abc import Iterator, Mapping

from kdevops.errors import UserError
from kdevops.lab import outside
from kdevops.lab.suite_facts import SuiteFacts

OURS: Mapping[str, str] = {
    "commands": "kdevops.suites.commands",
    "kunit": "kdevops.suites.kunit.kind",
    "selftests": "kdevops.suites.selftests.kind",
    "fstests": "kdevops.suites.fstests.kind",
}
"""Name in lab.yaml → module with the suite's KIND, in the order in which suites are reported."""
READERS: Mapping[str, str] = {
    "blktests": "kdevops.suites.blktests.kind",
    "ltp": "kdevops.suites.ltp.kind",
}
"""The same for suites of which results can be imported, and which cannot be run."""
_SHORTEST_MARK = 4


@functools.cache
def find(name: str) -> SuiteFacts | None:
    """The suite of this name, None if there is none.

    Raises UserError, naming the distribution, for an installed suite that cannot be used.
    """
    if module := OURS.get(name) or READERS.get(name):
        kind: SuiteFacts = importlib.import_module(module).KIND
        return kind
    return outside.load(name, _refusal)


def for_tests(suite: str) -> SuiteFacts | None:
    """The suite whose tests' ids begin with this word; None if there is none or it cannot be used."""
    try:
        kind = find(suite.partition("-")[0])
    except UserError:
        return None
    return kind if kind and suite in kind.all_test_suites else None


def named_in(value: object) -> Iterator[tuple[str, object, SuiteFacts]]:
    """The usable suites that a lab names, as plain data: name, section, suite. The others are reported elsewhere."""
    suites = value.get("suites") if isinstance(value, dict) else None
    for name, section in suites.items() if isinstance(suites, dict) else ():
        with contextlib.suppress(UserError):
            if name not in READERS and (kind := find(name)):
                yield name, section, kind


def origin(name: str) -> str:
    """Distribution and version of a suite, "toy-suite 1.0"; empty for ours."""
    return "" if name in OURS or name in READERS else outside.distribution(name)


def outsiders() -> tuple[dict[str, SuiteFacts], list[str]]:
    """Usable suites of installed packages, by name, and messages about unusable ones."""
    found, refused = {}, []
    for name in outside.names():
        try:
            if name in OURS or name in READERS:
                raise outside.refused(name, "kdevops has a suite of that name")
            if kind := find(name):
                found[name] = kind
        except UserError as error:
            refused.append(error.message)
    return found, refused


@functools.cache
def console_marks() -> tuple[str, ...]:
    """The console marks of all usable suites: a guest that is kept may have run tests of any."""
    kinds = [*(kind for name in OURS if (kind := find(name))), *outsiders()[0].values()]
    return tuple(mark for kind in kinds for mark in kind.console_marks)


def only_imported(name: str) -> str:
    """Why a lab cannot have this suite of READERS."""
    return f"kdevops does not run {name}, but imports its results: kdevops results import --suite {name} DIR"


def unknown(name: str) -> str:
    """The message for an unknown suite, with the known and the unusable ones."""
    from kdevops.text import nearest

    found, refused = outsiders()
    there = [*sorted(OURS), *(f"{each} (of {origin(each)})" for each in found)]
    close = nearest(name, [*OURS, *found], 1)
    return "; ".join([f"no such suite; there are {', '.join(there)}{close}", *refused])


def _exclusive(kind: SuiteFacts) -> Iterator[tuple[str, ...]]:
    """Every exclusive member of a suite's section, as a path of fields."""
    return ((*loc, name) for loc, members in kind.exclusive.items() for member in members for name in member)


def _refusal(name: str, kind: object) -> str:
    """Why an object cannot be the suite `name`; empty if it can."""
    from kdevops.lab.fields import Model
    from kdevops.lab.model import Suites

    if not isinstance(kind, SuiteFacts):
        return f"its entry point must be a SuiteKind of kdevops.suites.kind, found {type(kind).__name__}"
    if getattr(kind, "name", None) != name:
        return f"its own name is {getattr(kind, 'name', None)!r}"
    model = getattr(kind, "model", None)
    if not (isinstance(model, type) and issubclass(model, Model)):
        return "its model is not a subclass of kdevops.lab.fields.Model"
    if hasattr(Suites, name):
        return "a section of lab.yaml cannot have that name"
    for what, words in (("ids of tests", kind.all_test_suites), ("a cache", kind.caches)):
        for word in words:
            if word != name and not outside.is_part(word, name):
                return f"{what} would begin with {word!r}; the suite may use {name} and {name}-… only"
    if any(len(mark.strip()) < _SHORTEST_MARK for mark in kind.console_marks):
        return f"a console mark must have {_SHORTEST_MARK} or more characters, else other messages would begin tests"
    if wrong := next((each for each in kind.environment if re.compile(each).groups != 1), ""):
        return f"the regular expression {wrong!r} of its environment must have one group"
    said = {*kind.chooses, *kind.options, *(loc[0] for loc in kind.paths), *(["tests"] if kind.test_pattern else [])}
    said |= {*kind.environment.values(), *(loc[0] for loc in _exclusive(kind))}
    if absent := sorted(said - model.model_fields.keys()):
        return f"it refers to the field {absent[0]}, which its section does not have"
    return ""
