"""Suites of installed packages, found and loaded by entry points of the group `kdevops.suites`.

    [project.entry-points."kdevops.suites"]
    toy = "toy_suite:KIND"

Reading the metadata of all packages takes a tenth of a second, so it is done only for a suite that is not ours, or to list
all suites.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from kdevops.errors import UserError
from kdevops.lab.suite_facts import SuiteFacts
from kdevops.text import clean

GROUP = "kdevops.suites"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_PART = re.compile(r"-[a-z0-9_-]{1,31}", re.ASCII)
_TAKEN = frozenset({"all", "ungrouped", "baseline", "dev", "default", "nfsd", "smbd"})
"""Names of inventory groups, and of the profile of suites without profiles."""
_LONGEST = 300
"""Characters kept of an import error."""


@functools.cache
def _found() -> Mapping[str, Sequence[EntryPoint]]:
    table: dict[str, list[EntryPoint]] = {}
    for each in entry_points(group=GROUP):
        table.setdefault(each.name, []).append(each)
    return table


def names() -> tuple[str, ...]:
    """The names of all entry points of the group, usable or not."""
    return tuple(sorted(_found()))


def distribution(name: str) -> str:
    """The distributions with this suite: "toy-suite 1.0", several joined by "and"; empty if none."""
    return " and ".join(_label(each) for each in _found().get(name, ()))


def load(name: str, refusal: Callable[[str, object], str]) -> SuiteFacts | None:
    """The installed suite of this name, None if there is none.

    `refusal` returns why a loaded object is not usable. Raises UserError if it cannot be loaded or is refused.
    """
    if not _found().get(name):
        return None
    kind = _tried(name, refusal)
    if isinstance(kind, str):
        raise refused(name, kind)
    return kind


@functools.cache
def _tried(name: str, refusal: Callable[[str, object], str]) -> SuiteFacts | str:
    """The suite, or why it cannot be used. Cached, because a failed import would be executed again."""
    points = _found()[name]
    if not _NAME.fullmatch(name) or name in _TAKEN:
        return "a suite's name has lower-case letters, digits and _, and is not an inventory group"
    if len(points) > 1:
        return "only one of them may provide it"
    try:
        with contextlib.redirect_stdout(sys.stderr):  # keep our stdout clean
            kind: SuiteFacts = points[0].load()
        why = refusal(name, kind)
        if not why:
            kind.model.model_json_schema()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - importing may raise anything; it is reported
        why = f"it does not load: {type(error).__name__}: {error}"
    return clean(why, _LONGEST) if why else kind


def refused(name: str, why: str) -> UserError:
    """The error for an installed suite that cannot be used."""
    return UserError(
        f"the suite {clean(name, 40)} of {distribution(name)} cannot be used: {why}",
        hint="report it to its authors, or uninstall it",
    )


def is_part(word: str, name: str) -> bool:
    """Whether a word is the suite's name followed by a dash and more."""
    return word.startswith(name) and _PART.fullmatch(word[len(name) :]) is not None


def _label(point: EntryPoint) -> str:
    if point.dist is None:
        return f"the entry point {clean(point.value, 80)}"
    return clean(f"{point.dist.metadata['Name'] or 'a distribution without a name'} {point.dist.version or ''}", 80)
