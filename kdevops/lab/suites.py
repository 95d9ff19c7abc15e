"""Which suites a lab file may name: ours, and those that installed packages bring.

A suite says of itself what it is (`SuiteFacts`, and more in `kdevops.suites.kind.SuiteKind`). Ours stand in OURS; others
join by an entry point of the group `kdevops.suites` (see `kdevops.lab.outside`). Both are loaded when somebody asks for
them by name, so that a command which needs none pays for none.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from kdevops.errors import UserError
from kdevops.lab import outside

if TYPE_CHECKING:
    from kdevops.lab.fields import Model

OURS: Mapping[str, str] = {
    "commands": "kdevops.suites.commands",
    "kunit": "kdevops.suites.kunit.kind",
    "selftests": "kdevops.suites.selftests.kind",
    "fstests": "kdevops.suites.fstests.kind",
}
"""By its name in lab.yaml, the module that has the suite's KIND. The order is that in which suites are reported."""


class SuiteFacts:
    """What a suite says of itself as plain data.

    A default never hides a failure: the baseline is run again, a test that is gone counts as lost, a cache is kept.
    """

    name: str
    """In lab.yaml, below `suites`."""
    model: type[Model]
    """That section of lab.yaml."""
    test_suites: tuple[str, ...] = ()
    """The first parts of its tests' ids: its name, or several that begin with its name and a dash. Default: its name.

    A test that moves from one of them to another is not lost.
    """
    chooses: frozenset[str] = frozenset()
    """Fields that only choose tests, so that how a chosen test ends does not depend on them."""
    repeats: bool = False
    """Whether it can plan a test several times: `x`, `x#2`, `x#3`. No test has such an end in its own name then."""
    lab_makes_tests: bool = False
    """Whether the lab itself defines the tests, so that a test which it does not name may be another lab's."""
    tools: tuple[str, ...] = ()
    """Packages of the guests' image whose versions a reader of its results wants to know."""
    caches: tuple[str, ...] = ()
    """Directories below the cache that `kdevops gc` may empty."""
    paths: Mapping[tuple[str, ...], Literal["file", "file or URL"]] = {}
    """Fields that name files: they are made absolute and must be there."""
    options: frozenset[str] = frozenset()
    """Fields that options of `kdevops run` set: groups (-g), exclude_groups (-x), start_after, count, soak, known."""
    test_pattern: str = ""
    """Words of `kdevops run`'s command line that go to the field `tests`; a regular expression that fits the whole word."""
    variables: Mapping[str, object] = {}
    """Ansible variables for guests that the front end has already prepared."""
    imports: bool = False
    """Whether it reads results that others have made (`kdevops results import`)."""

    @property
    def all_test_suites(self) -> tuple[str, ...]:
        """The first parts of its tests' ids."""
        return self.test_suites or (self.name,)


@functools.cache
def find(name: str) -> SuiteFacts | None:
    """The suite of this name, None where there is none.

    Raises UserError, which names the distribution, for one that is installed and cannot be used.
    """
    if name in OURS:
        kind: SuiteFacts = importlib.import_module(OURS[name]).KIND
        return kind
    return outside.load(name, _refusal)


def for_tests(suite: str) -> SuiteFacts | None:
    """The suite whose tests' ids begin with this word; None where there is none, or none that can be used."""
    try:
        kind = find(suite.partition("-")[0])
    except UserError:
        return None
    return kind if kind and suite in kind.all_test_suites else None


def origin(name: str) -> str:
    """Distribution and version that a suite is from, "toy-suite 1.0"; empty for ours."""
    return "" if name in OURS else outside.distribution(name)


def outsiders() -> tuple[dict[str, SuiteFacts], list[str]]:
    """The suites that installed packages bring, by name, and in words why others of them cannot be used."""
    found, refused = {}, []
    for name in outside.names():
        try:
            if name in OURS:
                raise outside.refused(name, "kdevops has a suite of that name itself")
            if kind := find(name):
                found[name] = kind
        except UserError as error:
            refused.append(error.message)
    return found, refused


def unknown(name: str) -> str:
    """What to say of a name that no suite has: which there are, and which cannot be used."""
    from kdevops.text import nearest

    found, refused = outsiders()
    there = [*sorted(OURS), *(f"{each} (of {origin(each)})" for each in found)]
    close = nearest(name, [*OURS, *found], 1)
    return "; ".join([f"no such suite; there are {', '.join(there)}{close}", *refused])


def _refusal(name: str, kind: object) -> str:
    """Why an object cannot be the suite `name`, empty where it can."""
    from kdevops.lab.fields import Model
    from kdevops.lab.model import Suites

    if not isinstance(kind, SuiteFacts):
        return f"its entry point is not a SuiteKind of kdevops.suites.kind but a {type(kind).__name__}"
    if getattr(kind, "name", None) != name:
        return f"it calls itself {getattr(kind, 'name', None)!r}"
    model = getattr(kind, "model", None)
    if not (isinstance(model, type) and issubclass(model, Model)):
        return "its model is not derived from kdevops.lab.fields.Model"
    if hasattr(Suites, name):
        return "a section of lab.yaml cannot have that name"
    for what, words in (("ids of tests", kind.all_test_suites), ("a cache", kind.caches)):
        for word in words:
            if word != name and not outside.is_part(word, name):
                return f"{what} would begin with {word!r}; the suite may use {name} and {name}-… only"
    said = {*kind.chooses, *kind.options, *(loc[0] for loc in kind.paths), *(["tests"] if kind.test_pattern else [])}
    if absent := sorted(said - model.model_fields.keys()):
        return f"it speaks of the field {absent[0]}, which its section does not have"
    return ""
