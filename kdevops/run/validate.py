"""What can be said against a lab without a network and without building: what a run would find out only later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from kdevops.errors import KdevopsError
from kdevops.kernel.config import plan_config
from kdevops.kernel.patches import load_patches
from kdevops.kernel.spec import ConfigSpec
from kdevops.kernel.toolchain import architecture
from kdevops.kernel.tree import check_clean, check_tree
from kdevops.lab.arms import arms
from kdevops.lab.document import Loc, Problem
from kdevops.lab.load import LoadedLab, refused
from kdevops.lab.model import Lab, Selftests
from kdevops.run.guests.kinds import kind_of
from kdevops.run.kernel_spec import spec_of
from kdevops.suites.fstests.devices import assign, disk_sizes
from kdevops.suites.fstests.profiles import profiles_of
from kdevops.suites.fstests.source import check_tree as check_fstests
from kdevops.suites.registry import servers_of
from kdevops.suites.selftests.catalogue import check_targets

Check = tuple[Loc, Callable[[], object]]
"""What raises a KdevopsError, and the field that is wrong then."""


def validate(loaded: LoadedLab) -> None:
    """Raise UserError with every reason, each with its place, why the kernels and suites of a lab cannot work.

    Of the checks of one part only the first that fails is told: those after it build upon it.
    """
    problems: list[Problem] = []
    for checks in _checks(loaded.lab):
        for loc, check in checks:
            try:
                check()
            except KdevopsError as error:
                hint = f"; {error.hint}" if error.hint else ""
                problems.append(Problem(loaded.place(loc), loc, error.message.removeprefix(f"{_dotted(loc)}: ") + hint))
                break
    if problems:
        raise refused(problems, hint=None)


def _checks(lab: Lab) -> Iterator[Iterator[Check]]:
    """The checks of each part."""
    *others, under_test = arms(lab)
    for prefix, arm in ((("compare",), others[0]), ((), under_test)) if others else (((), under_test),):
        yield _source(prefix, arm)
        yield _patches(prefix, arm)
        yield _config(prefix, arm)
    yield _fstests(lab)


def _source(prefix: Loc, lab: Lab) -> Iterator[Check]:
    source, selftests = lab.kernel.source, lab.suites.selftests
    if path := source.path:
        yield (*prefix, "kernel", "source", "path"), lambda: _tree(path)
        if selftests:
            yield ("suites", "selftests", "targets"), lambda: _targets(lab, selftests)


def _tree(path: Path) -> None:
    check_tree(path)
    ours = architecture()
    check_clean(path, ours.arch, ours.source)


def _targets(lab: Lab, selftests: Selftests) -> None:
    assert lab.kernel.source.path
    check_targets(lab.kernel.source.path, selftests.targets)


def _patches(prefix: Loc, lab: Lab) -> Iterator[Check]:
    yield (*prefix, "kernel", "patches"), lambda: load_patches(tuple(map(str, lab.kernel.patches)))


def _config(prefix: Loc, lab: Lab) -> Iterator[Check]:
    spec = spec_of(lab.kernel, kind_of(lab).fragments(lab))
    if spec.source.is_built:
        return
    base = spec.config.base
    if base == "distro":  # another machine may build it, and that one's is meant
        base = "lean"
    only_base = replace(spec, config=ConfigSpec(base))
    yield (*prefix, "kernel", "config", "base"), lambda: plan_config(only_base, architecture())
    whole = replace(spec, config=replace(spec.config, base=base))
    yield (*prefix, "kernel", "config"), lambda: plan_config(whole, architecture())


def _fstests(lab: Lab) -> Iterator[Check]:
    fstests = lab.suites.fstests
    if not fstests:
        return
    if path := fstests.source.path:
        yield ("suites", "fstests", "source"), lambda: check_fstests(path)
    yield ("suites", "fstests", "profiles"), lambda: profiles_of(fstests)
    yield ("guests", "disks"), lambda: assign(profiles_of(fstests), disk_sizes(lab.guests))
    yield ("suites", "fstests", "profiles"), lambda: servers_of(lab)


def _dotted(loc: Loc) -> str:
    return ".".join(map(str, loc))
