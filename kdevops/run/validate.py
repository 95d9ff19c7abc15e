"""Checks a lab without network and without building, for errors that a run would find only later."""

from __future__ import annotations

from collections.abc import Iterator
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
from kdevops.lab.model import Lab
from kdevops.results.baselines import allowed_reports
from kdevops.run.guests.kinds import kind_of
from kdevops.run.kernel_spec import spec_of
from kdevops.suites.kind import Check, check_clients
from kdevops.suites.registry import Asked, asked


def validate(loaded: LoadedLab) -> None:
    """Raise UserError listing every reason, with its place, why the kernels and suites of a lab cannot work.

    For each part only the first failed check is reported, because later checks depend on earlier ones.
    """
    problems: list[Problem] = []
    for checks in (_baseline(loaded), *_checks(loaded.lab)):
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
    """The checks of each part of the lab."""
    *others, under_test = arms(lab)
    for prefix, arm in ((("compare",), others[0]), ((), under_test)) if others else (((), under_test),):
        yield _source(prefix, arm)
        yield _patches(prefix, arm)
        yield _config(prefix, arm)
    yield from (_suite(each, lab) for each in asked(lab))


def _baseline(loaded: LoadedLab) -> Iterator[Check]:
    yield ("baseline",), lambda: allowed_reports.load(loaded.baseline)


def _source(prefix: Loc, lab: Lab) -> Iterator[Check]:
    if path := lab.kernel.source.path:
        yield (*prefix, "kernel", "source", "path"), lambda: _tree(path)
        for each in asked(lab):
            yield from each.kind.tree_checks(each.section, path)


def _tree(path: Path) -> None:
    check_tree(path)
    ours = architecture()
    check_clean(path, ours.arch, ours.source)


def _patches(prefix: Loc, lab: Lab) -> Iterator[Check]:
    yield (*prefix, "kernel", "patches"), lambda: load_patches(tuple(map(str, lab.kernel.patches)))


def _config(prefix: Loc, lab: Lab) -> Iterator[Check]:
    spec = spec_of(lab.kernel, kind_of(lab).fragments(lab))
    if spec.source.is_built:
        return
    base = spec.config.base
    if base == "distro":  # it means the configuration of the machine that builds, which may be another one
        base = "lean"
    only_base = replace(spec, config=ConfigSpec(base))
    yield (*prefix, "kernel", "config", "base"), lambda: plan_config(only_base, architecture())
    whole = replace(spec, config=replace(spec.config, base=base))
    yield (*prefix, "kernel", "config"), lambda: plan_config(whole, architecture())


def _suite(suite: Asked, lab: Lab) -> Iterator[Check]:
    yield from suite.kind.checks(suite.section, lab)
    yield ("suites", suite.kind.name), lambda: check_clients(suite.kind.servers(suite.section, lab), lab)


def _dotted(loc: Loc) -> str:
    return ".".join(map(str, loc))
