"""The targets and options of kselftest in a kernel tree, and the tests of an installed kselftest."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.lab.model import Selftests
from kdevops.results.model import TestId
from kdevops.suites.base import KernelOptions, PlannedTest
from kdevops.text import nearest

SUITE = "selftests"
DEFAULT_TIMEOUT = 45.0
"""Seconds; kselftest_default_timeout of tools/testing/selftests/kselftest/runner.sh."""
UNBOUNDED_TIMEOUT = 1800.0
"""Seconds for a target with timeout=0 ("none"): the longest timeout of any target, as nothing may run forever."""
_TARGETS = re.compile(r"^[ \t]*TARGETS[ \t]*(?:\+|:{0,2}|\?)=[ \t]*([^#\n]*)", re.MULTILINE)
_OPTION = re.compile(r"(?:CONFIG_)([A-Za-z0-9_]+)=(.+)|# CONFIG_([A-Za-z0-9_]+) is not set")
_ENTRY = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_./+-]*):([A-Za-z0-9_][A-Za-z0-9_.,+@=-]*)")


@dataclass(frozen=True, slots=True)
class InstalledTest:
    """One line of kselftest-list.txt. `argv` runs it in `target`'s directory; `timeout` is the target's, in seconds."""

    target: str
    name: str
    argv: tuple[str, ...]
    timeout: float

    @property
    def id(self) -> TestId:
        """`selftests/default/target:name`."""
        return TestId(SUITE, "default", f"{self.target}:{self.name}")


def directory(tree: Path) -> Path:
    """The selftests directory of a kernel tree. Raises UserError if it has none."""
    path = tree / "tools/testing/selftests"
    if not (path / "Makefile").is_file():
        raise UserError(f"{tree} has no selftests: {path / 'Makefile'} is missing", hint="check kernel.source")
    return path


def targets_of(tree: Path) -> tuple[str, ...]:
    """Every target of tools/testing/selftests/Makefile, sorted. Raises UserError if `tree` has no selftests."""
    text = (directory(tree) / "Makefile").read_text(errors="replace").replace("\\\n", " ")
    words = (word for line in _TARGETS.findall(text) for word in line.split())
    return tuple(sorted({word for word in words if "$" not in word}))


def check_targets(tree: Path, targets: Iterable[str]) -> None:
    """Raise UserError for the first of `targets` that the tree does not have, with the nearest names."""
    known = targets_of(tree)
    for target in targets:
        if target not in known:
            raise UserError(f"suites.selftests.targets: {tree} has no target {target!r}{nearest(target, known)}")


def kernel_options(tree: Path, targets: Iterable[str], arch: str = "x86_64") -> KernelOptions:
    """The options in the targets' own `config` and `config.<arch>` files.

    All are required, because a target without its options skips or fails for reasons that say nothing about the kernel;
    only options that must be off ("n") are optional, because another suite may need them on. If two targets request `m`
    and `y`, `y` serves both. The code that reads Kconfig makes symbols optional that it does not define at all
    (selftests name symbols long after their removal).

    Raises UserError for an unknown target.
    """
    targets = tuple(targets)
    check_targets(tree, targets)
    asked: dict[str, str] = {}
    for target in targets:
        for name in ("config", f"config.{arch}"):
            for symbol, value in _read_config(directory(tree) / target / name):
                asked[symbol] = _stronger(asked.get(symbol), value)
    return KernelOptions(
        required={symbol: value for symbol, value in asked.items() if value != "n"},
        optional={symbol: value for symbol, value in asked.items() if value == "n"},
    )


def read_list(install: Path) -> tuple[InstalledTest, ...]:
    """The tests of an installed kselftest, in its order. Raises UserError for a line of its list that is not a test."""
    tests: dict[tuple[str, str], InstalledTest] = {}
    for line in (install / "kselftest-list.txt").read_text(errors="replace").splitlines():
        if not line.strip():
            continue
        entry = _ENTRY.fullmatch(line.strip())
        if not entry or ".." in entry[1].split("/"):
            raise UserError(f"kselftest-list.txt: cannot read {line.strip()[:80]!r}; expected target:test")
        target, name = entry.groups()
        timeout = _timeout(install / target / "settings")
        tests[target, name] = InstalledTest(target, name, _argv(install / target / name), timeout)
    return tuple(tests.values())


def choose(tests: Sequence[InstalledTest], lab: Selftests) -> tuple[InstalledTest, ...]:
    """The tests that the lab selects. `tests` and `skip` are names (target:test) or globs.

    Raises UserError for a name that matches no test, and if nothing is left.
    """
    names = [test.id.name for test in tests]
    for where, patterns in (("tests", lab.tests), ("skip", lab.skip)):
        for pattern in patterns:
            if not fnmatch.filter(names, pattern):
                raise UserError(f"suites.selftests.{where}: there is no test {pattern!r}{nearest(pattern, names)}")
    chosen = tuple(
        test
        for test in tests
        if (not lab.tests or _fits(test.id.name, lab.tests)) and not _fits(test.id.name, lab.skip)
    )
    if not chosen:
        raise UserError("suites.selftests: tests and skip together leave nothing to run")
    return chosen


def plan(tests: Sequence[InstalledTest], lab: Selftests) -> tuple[PlannedTest, ...]:
    """The chosen tests as planned ones; the lab's timeout overrides the tree's."""
    return tuple(PlannedTest(test.id, lab.timeout or test.timeout) for test in tests)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _read_config(path: Path) -> Iterator[tuple[str, str]]:
    if not path.is_file():
        return
    for line in path.read_text(errors="replace").splitlines():
        if match := _OPTION.fullmatch(line.strip()):
            yield (match[1], match[2].strip()) if match[1] else (match[3], "n")


def _stronger(old: str | None, new: str) -> str:
    rank = {"n": 0, "m": 1, "y": 2}
    return old if old is not None and rank.get(old, 3) > rank.get(new, 3) else new


def _timeout(settings: Path) -> float:
    """The timeout in a target's `settings` (`timeout=N` seconds, 0 for none); the last one counts, as in runner.sh."""
    text = settings.read_text(errors="replace") if settings.is_file() else ""
    values = re.findall(r"^timeout=[\"']?(\d{1,6})", text, re.MULTILINE)
    return (float(values[-1]) or UNBOUNDED_TIMEOUT) if values else DEFAULT_TIMEOUT


def _argv(path: Path) -> tuple[str, ...]:
    """The command of a test, as in runner.sh: by its name, or with its interpreter if it is not executable."""
    command = f"./{path.name}"
    if not path.is_file() or path.stat().st_mode & 0o111:
        return (command,)
    with path.open("rb") as file:
        first = file.readline(256).decode(errors="replace")
    return (*first[2:].split(), command) if first.startswith("#!") else (command,)
