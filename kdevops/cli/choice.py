"""The options of `kdevops run` that choose tests of a suite by more than names, as users of fstests know them.

Each stands for a field of the suite's section and goes over the lab file as `--set` does. What `-g` and TEST choose takes the
place of what the lab chooses; `-x` excludes more than the lab does.
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
    """What the command line says of a suite, but for the names of tests. None and empty leave the lab as it is."""

    groups: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()
    start_after: str | None = None
    count: int | None = None
    soak: float | None = None
    known: str | None = None

    @property
    def given(self) -> list[str]:
        """The fields of which something is said."""
        return [name for name in _OPTIONS if getattr(self, name) not in {None, ()}]

    def assignments(self, tests: Sequence[str], suite: Asked) -> list[str]:
        """The same, and these tests, as `--set` has it."""
        fields: dict[str, object] = {}
        if tests or self.groups:
            fields |= {"tests": tests, "groups": self.groups}
        if self.exclude_groups:
            fields["exclude_groups"] = [*getattr(suite.section, "exclude_groups"), *self.exclude_groups]  # noqa: B009 - a field that `options` names
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
    """The options; a parameter for each field of Choice."""
    group: dict[str, Any] = {"metavar": "GROUP[,…]", "multiple": True, "callback": _split}
    for option in (
        click.option(
            "--known",
            type=click.Choice(["run", "skip"]),
            help="Tests known to fail: run them, last and under short deadlines, or skip them.",
        ),
        click.option(
            "--soak", callback=_seconds, metavar="DURATION", help="How long the soak tests of fstests go on: 5m, 1h."
        ),
        click.option("--count", type=click.IntRange(1, 10_000), metavar="N", help="Run each test of fstests N times."),
        click.option("--start-after", metavar="TEST", help="Only tests of fstests that come after this one."),
        click.option("-x", "exclude_groups", help="No tests of this group of fstests.", **group),
        click.option("-g", "groups", help="Tests of this group of fstests: quick, xfs/rw.", **group),
    ):
        function = option(function)
    return function


def chosen(context: Context, choice: Choice, names: Sequence[str]) -> tuple[LoadedLab, list[str]]:
    """The lab with the choice put over it, and globs of the tests to which `names` narrow its plan; none for all.

    Of `names`, those that look like tests of a suite which takes them (generic/001, xfs/*) are chosen in a lab that has it.
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
    """The suite of the lab that the choice is for: that which has all its fields, the first of several.

    None where the lab has no such suite and nothing is chosen; raises UserError where something is.
    """
    from kdevops.suites.registry import asked, ours

    fields = choice.given
    able = [each for each in asked(loaded.lab) if each.kind.test_pattern and each.kind.options.issuperset(fields)]
    if not able and fields:
        known = " or ".join(kind.name for kind in ours() if fields[0] in kind.options)
        raise UserError(
            f"{_OPTIONS[fields[0]]} is for {known}, and {loaded.path} does not have it below suites",
            hint="tests of other suites are chosen by name: kdevops run LAB TEST",
        )
    if len(able) > 1 and fields:
        both = " and ".join(each.kind.name for each in able)
        raise UserError(
            f"{_OPTIONS[fields[0]]} could be for {both}",
            hint=f"say it of one of them: --set suites.{able[0].kind.name}.{fields[0]}=…",
        )
    return able[0] if able else None


def _names_tests(word: str) -> bool:
    """Whether this looks like a test, or a glob of tests, of any suite, and not like a file."""
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
    """Seconds of 90s, 5m or 1h, as the lab has it."""
    if value is None:
        return None
    from kdevops.lab.fields import parse_duration

    try:
        return cast("float", parse_duration(value))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no duration such as 90s, 5m or 1h") from None
