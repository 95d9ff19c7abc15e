"""The options of `kdevops run` that choose tests of fstests, named as its users know them.

Each stands for a field of `suites.fstests` and goes over the lab file as `--set` does. What `-g` and TEST choose takes the
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
    from kdevops.lab.fstests import Fstests
    from kdevops.lab.load import LoadedLab

_Function = TypeVar("_Function", bound=Callable[..., Any])
# What the lab file takes for a test of fstests; names of other suites may look like it behind their suite or profile.
_TEST = re.compile(r"[a-z0-9_]+/[A-Za-z0-9_*?\[\]-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says of fstests, but for the names of tests. None and empty leave the lab as it is."""

    groups: tuple[str, ...] = ()
    exclude_groups: tuple[str, ...] = ()
    start_after: str | None = None
    count: int | None = None
    soak: float | None = None
    known: str | None = None

    @property
    def options(self) -> list[str]:
        """The options that were given."""
        return [option for name, option in _OPTIONS.items() if getattr(self, name) not in {None, ()}]

    def assignments(self, tests: Sequence[str], lab: Fstests) -> list[str]:
        """The same, and these tests, as `--set` has it."""
        fields: dict[str, object] = {}
        if tests or self.groups:
            fields |= {"tests": tests, "groups": self.groups}
        if self.exclude_groups:
            fields["exclude_groups"] = [*lab.exclude_groups, *self.exclude_groups]
        for name in ("start_after", "count", "soak", "known"):
            if (value := getattr(self, name)) is not None:
                fields[name] = value
        return [f"suites.fstests.{name}={json.dumps(value)}" for name, value in fields.items()]


_OPTIONS = {
    "groups": "-g",
    "exclude_groups": "-x",
    "start_after": "--start-after",
    "count": "--count",
    "soak": "--soak",
    "known": "--known",
}


def choice_options(function: _Function) -> _Function:
    """The options of fstests; a parameter for each field of Choice."""
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

    Of `names`, those that look like tests of fstests (generic/001, xfs/*) are chosen in a lab that has fstests. Raises
    UserError for options of fstests in a lab without.
    """
    if (file := context.lab_file) and _names_tests(str(file)) and not file.exists():
        hint = f"the lab goes before the tests: kdevops run lab.yaml {shlex.quote(str(file))}"
        raise UserError(f"{file}: no such lab file", hint=hint)
    loaded = context.lab()
    lab = loaded.lab.suites.fstests
    if lab is None:
        if choice.options:
            raise UserError(
                f"{choice.options[0]} is for fstests, and {loaded.path} does not have it below suites",
                hint="tests of other suites are chosen by name: kdevops run LAB TEST",
            )
        return loaded, list(names)
    elsewhere = {"default", *type(loaded.lab.suites).model_fields}
    tests = [name for name in names if _TEST.fullmatch(name) and name.partition("/")[0] not in elsewhere]
    globs = [name for name in names if name not in tests]
    if names and (tests or choice.groups):
        globs.append("fstests/*")
    context.overrides = (*context.overrides, *choice.assignments(tests, lab))
    return context.lab(), globs


def _names_tests(word: str) -> bool:
    """Whether this looks like a test, or a glob of tests, of any suite, and not like a file."""
    of_a_suite = re.match(r"(commands|selftests|kunit|fstests)/", word)
    return not word.endswith((".yaml", ".yml")) and bool(_TEST.fullmatch(word) or of_a_suite or set(word) & set(":*?["))


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
