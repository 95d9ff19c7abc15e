"""A run's record: what is needed to repeat the run, and whether kernel and suites are still the same."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kdevops
from kdevops.errors import BootError, InfrastructureError, UserError
from kdevops.results.baselines.conditions import VARIANT
from kdevops.results.boot_failure import BOOT_FAILURE
from kdevops.results.complaints import STRAY_REPORTS
from kdevops.results.imported import is_bundled
from kdevops.results.reruns import DECISION
from kdevops.results.store import JSON, Run, Store
from kdevops.results.unwatched import UNWATCHED
from kdevops.run.plan.known import known_record

if TYPE_CHECKING:  # looking at a run need not import what makes one
    from kdevops.lab.load import LoadedLab
    from kdevops.lab.model import Lab
    from kdevops.run.built import Built

COMPARED_WITH = "compared_with"
"""In the record of a run under test: its baseline run."""
OUTSIDE = "suites_from"
"""In the record of a run: `{suite: "toy-suite 1.0"}`, the Python distributions of suites that are not ours."""
BOOTED = "booted"
"""In the record of a run: a guest of it came up."""
_TROUBLE = "trouble"
_HAPPENED = frozenset({BOOTED, DECISION, _TROUBLE, BOOT_FAILURE, STRAY_REPORTS, UNWATCHED, "acceleration", "guests"})


def record_of(loaded: LoadedLab, built: Built) -> dict[str, JSON]:
    """The record of a new run."""
    return {
        **_maker(),
        "lab": loaded.lab.model_dump(mode="json"),
        "lab_file": str(loaded.path),
        "baseline": str(loaded.baseline),
        **facts(loaded.lab, built),
    }


def _maker() -> dict[str, JSON]:
    host = {"machine": platform.machine(), "kernel": platform.release(), "python": platform.python_version()}
    return {"kdevops": kdevops.__version__, "host": host}


def facts(lab: Lab, built: Built) -> dict[str, JSON]:
    """The part of a record that describes what was built."""
    from kdevops.run.plan.conditions import conditions_of
    from kdevops.suites.registry import origins_of

    artifact = built.artifact
    conditions = conditions_of(built)
    kernel: dict[str, Any] = {"key": artifact.key, "release": artifact.release, "build_id": artifact.build_id}
    kernel |= {"machine": conditions.machine, VARIANT: conditions.variant}
    return {
        "kernel": {**kernel, **artifact.record},
        "image": dict(built.origin),
        "suites": {suite.name: dict(suite.record) for suite in built.suites},
        OUTSIDE: origins_of(lab),
        **known_record(lab, built.suites),
    }


def trouble_record(error: InfrastructureError | None) -> dict[str, JSON]:
    """The part of a run's record for `trouble_of`: the last error of its guests; None clears it."""
    if error is None:
        return {_TROUBLE: None}
    said = error.console if isinstance(error, BootError) else ""
    log = str(error.log) if error.log else None
    return {_TROUBLE: {"message": error.message, "hint": error.hint, "log": log, "console": said}}


def trouble_of(run: Run) -> InfrastructureError | None:
    """Why kdevops gave up on all guests of an interrupted run, or the last error of an ended one; None if there is none."""
    said: dict[str, Any] | None = run.record.get(_TROUBLE)
    if not said:
        return None
    go_on = f"once that is fixed, continue the run: kdevops resume {run.id}"
    hint = said["hint"] if run.ended else "; ".join(filter(None, [said["hint"], go_on]))
    return BootError(
        said["message"], console=said["console"], hint=hint, log=Path(said["log"]) if said["log"] else None
    )


def as_asked(run: Run) -> dict[str, JSON]:
    """The record of a run without what happened in it, for a repetition by this version of kdevops on this machine."""
    return {name: value for name, value in run.record.items() if name not in _HAPPENED} | _maker()


def check_same(run: Run, built: Built) -> None:
    """Raise UserError if the kernel or a suite is no longer the one that `run` tests."""
    from kdevops.suites.registry import origins_of

    then = run.record
    changed = [f"suite {suite.name}" for suite in built.suites if dict(suite.record) != then["suites"].get(suite.name)]
    changed += [
        f"suite {name} ({then.get(OUTSIDE, {}).get(name) or 'ours'} then, {where} now)"
        for name, where in origins_of(lab_of(run)).items()
        if then.get(OUTSIDE, {}).get(name) != where
    ]
    if built.artifact.key != then["kernel"]["key"]:
        changed.insert(0, "kernel")
    if changed:
        raise UserError(
            f"run {run.id} cannot be continued or repeated: its {' and '.join(changed)} changed since",
            hint="restore the sources, or start a new run: kdevops run",
        )


def compared_with(run: Run) -> int | None:
    """The baseline run that this run is compared with; None if there is none."""
    return run.record.get(COMPARED_WITH)


def beside_of(store: Store, run: Run, *, to_be: str, hint: str = "") -> Run | None:
    """The baseline run itself. Raises InfrastructureError if the store has lost it: `run` cannot be `to_be` "decided".

    Without it, what it knew would be unknown, and what it ran not be missed. Without a `hint` it is to run both kernels again.
    """
    beside = compared_with(run)
    if beside is None:
        return None
    try:
        return store.run(beside)
    except UserError as error:
        raise InfrastructureError(
            f"run {run.id} cannot be {to_be}: run {beside}, of the baseline kernel, is lost",
            hint=hint or f"run the tests on both kernels again: kdevops run {run.record['lab_file']}",
        ) from error


def kernel_release(run: Run) -> str:
    """The release of the kernel that a run tests."""
    return str(run.record["kernel"]["release"])


def lab_of(run: Run) -> Lab:
    """The lab of a run, as recorded. Raises UserError if there is none, or this version cannot read it."""
    from kdevops.lab.joined import stored_lab

    if imported := run.record.get("imported"):
        raise UserError(
            f"run {run.id} was imported from {imported['directory']}: it has no lab",
            hint="make a lab that runs the same tests: kdevops lab init",
        )
    if is_bundled(run):
        raise UserError(
            f"run {run.id} came in a bundle: its kernel, image and guests are those of another machine",
            hint="run the same lab here, or do this on the machine that ran it",
        )
    try:
        return stored_lab(run.record["lab"])
    except UserError as error:
        where = ", ".join(sorted(run.record.get(OUTSIDE, {}).values()))
        raise UserError(
            f"the lab of run {run.id} cannot be restored: {error.message}",
            hint=f"install the packages it ran with: {where}" if where else error.hint,
        ) from error
    except ValueError as error:
        raise UserError(f"the lab of run {run.id} cannot be read by this version of kdevops: {error}") from error
