"""Options of `kdevops run` that select tests as fstests users know them: by group, count and so on.

Each sets a field of the suite's section, overriding the lab file as `--set` does. `-g` and TEST replace the lab's
selection; `-x` adds to the lab's exclusions.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from kdevops.errors import UserError

if TYPE_CHECKING:
    from kdevops.cli.options import Context
    from kdevops.lab.load import LoadedLab
    from kdevops.suites.registry import Asked

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Choice:
    """A suite's options from the command line, except test names. None and empty leave the lab unchanged."""

    groups: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()
    start_after: str | None = None
    count: int | None = None
    soak: float | None = None
    known: str | None = None

    @property
    def given(self) -> list[str]:
        """The fields that are set."""
        return [name for name in _OPTIONS if getattr(self, name) not in {None, ()}]

    def assignments(self, tests: Sequence[str], suite: Asked) -> list[str]:
        """These options and these tests, as arguments of `--set`."""
        fields: dict[str, object] = {}
        if tests or self.groups:
            fields |= {"tests": tests, "groups": self.groups}
        if self.exclude_groups:
            fields["exclude_groups"] = [*getattr(suite.section, "exclude_groups"), *self.exclude_groups]  # noqa: B009 - a field named in `options`
        for name in ("start_after", "count", "soak", "known"):
            if (value := getattr(self, name)) is not None:
                fields[name] = value
        return [f"suites.{suite.kind.name}.{name}={json.dumps(value)}" for name, value in fields.items()]


_OPTIONS = {
    "groups": "-g",
    "exclude_groups": "-x",
    "start_after": "--start-after",
    "count": "--count",
    "soak": "--soak",
    "known": "--known",
}


def choice_options(function: _Function) -> _Function:
    """The options: one parameter per field of Choice."""
    group: dict[str, Any] = {"metavar": "GROUP[,…]", "multiple": True, "callback": _split}
    for option in (
        click.option(
            "--known",
            type=click.Choice(["run", "skip"]),
            help="Known failures: run them (last, with short timeouts) or skip them.",
        ),
        click.option("--soak", callback=_seconds, metavar="DURATION", help="How long fstests soak tests run: 5m, 1h."),
        click.option("--count", type=click.IntRange(1, 10_000), metavar="N", help="Run each fstests test N times."),
        click.option("--start-after", metavar="TEST", help="Run only fstests tests after this one."),
        click.option("-x", "exclude_groups", help="Exclude fstests tests of this group.", **group),
        click.option("-g", "groups", help="Run fstests tests of this group: quick, xfs/rw.", **group),
    ):
        function = option(function)
    return function


def chosen(context: Context, choice: Choice, names: Sequence[str]) -> tuple[LoadedLab, list[str]]:
    """The lab with `choice` applied, and globs that narrow its plan to `names` (empty: all tests).

    `names` that look like tests of a suite in the lab (generic/001, xfs/*) are selected through the suite's section.
    Raises UserError for options of a suite that the lab does not have.
    """
    if (file := context.lab_file) and _names_tests(str(file)) and not file.exists():
        hint = f"the lab goes before the tests: kdevops run lab.yaml {shlex.quote(str(file))}"
        raise UserError(f"{file}: no such lab file", hint=hint)
    loaded = context.lab()
    suite = _choosy(loaded, choice)
    if suite is None:
        return loaded, list(names)
    name, pattern = suite.kind.name, re.compile(suite.kind.test_pattern, re.ASCII)
    elsewhere = {"default", *type(loaded.lab.suites).model_fields}
    tests = [word for word in names if pattern.fullmatch(word) and word.partition("/")[0] not in elsewhere]
    globs = [word for word in names if word not in tests]
    if names and (tests or choice.groups):
        globs.append(f"{name}/*")
    context.overrides = (*context.overrides, *choice.assignments(tests, suite))
    return context.lab(), globs


def _choosy(loaded: LoadedLab, choice: Choice) -> Asked | None:
    """The lab's suite that `choice` applies to: the first one that has all its fields.

    None if the lab has no such suite and nothing is chosen. Raises UserError if something is chosen for no suite or for
    several.
    """
    from kdevops.suites.registry import asked, ours

    fields = choice.given
    able = [each for each in asked(loaded.lab) if each.kind.test_pattern and each.kind.options.issuperset(fields)]
    if not able and fields:
        known = " or ".join(kind.name for kind in ours() if fields[0] in kind.options)
        raise UserError(
            f"{_OPTIONS[fields[0]]} is for {known}, and {loaded.path} does not list it under suites",
            hint="select tests of other suites by name: kdevops run LAB TEST",
        )
    if len(able) > 1 and fields:
        both = " and ".join(each.kind.name for each in able)
        raise UserError(
            f"{_OPTIONS[fields[0]]} could mean {both}",
            hint=f"set it for one of them: --set suites.{able[0].kind.name}.{fields[0]}=…",
        )
    return able[0] if able else None


def _names_tests(word: str) -> bool:
    """Whether `word` looks like a test or a glob of tests of any suite, rather than a file."""
    from kdevops.suites.registry import everything

    if word.endswith((".yaml", ".yml")):
        return False
    kinds = tuple(everything())
    first, slash, _ = word.partition("/")
    of_a_suite = bool(slash) and any(first in kind.all_test_suites for kind in kinds)
    fits = any(kind.test_pattern and re.fullmatch(kind.test_pattern, word, re.ASCII) for kind in kinds)
    return of_a_suite or fits or bool(set(word) & set(":*?["))


def _split(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in value.split(",") if word)


def _seconds(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    """Parse 90s, 5m or 1h into seconds, as in a lab file."""
    if value is None:
        return None
    from kdevops.lab.fields import parse_duration

    try:
        return cast("float", parse_duration(value))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a duration such as 90s, 5m or 1h") from None
