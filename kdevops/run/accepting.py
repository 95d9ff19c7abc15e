"""What accepting a stored run into a baseline would write."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from kdevops import paths
from kdevops.errors import UserError
from kdevops.results import imported
from kdevops.results.baselines import baseline, old_marks
from kdevops.results.baselines.accepting import Accepted, Change, accept
from kdevops.results.baselines.allowed_reports import day_of
from kdevops.results.baselines.baseline import Baseline
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.files import Files
from kdevops.results.baselines.layout import Texts
from kdevops.results.complaints import STRAY_REPORTS
from kdevops.results.model import Status, TestId
from kdevops.results.names import fits
from kdevops.results.reruns import SIDE, Side
from kdevops.results.store import Run, Store
from kdevops.run.plan.known import left_out
from kdevops.run.plan.record import kernel_release
from kdevops.text import clean


@dataclass(frozen=True, slots=True)
class Accepting:
    """The effect of accepting a run. `keys`: the suites and profiles of which it has results, none if it has no results.

    `shipped`: the run's own baseline is the one shipped with kdevops; `directory` is then ./baselines/, and `change` has what
    is shipped, too, unless there is something already.
    """

    directory: Path
    shipped: bool
    release: str
    conditions: Conditions
    before: Baseline
    change: Change
    keys: frozenset[tuple[str, str]]

    def after(self) -> Baseline:
        """The baseline with the run. Raises UserError if it could not be read then."""
        texts = dict(baseline.kept(self.before.files.directory, self.release, self.keys, self.conditions).texts or {})
        texts |= {str(name): text for name, text in self.change.texts.items()}
        return baseline.load(Files(self.directory, texts), self.release, self.conditions)


def directory_of(run: Run) -> Path:
    """The baseline that a run would be accepted into."""
    source = Path(run.record["baseline"])
    return _here() if _is_shipped(source) else source


def accepting(store: Store, run: Run, *, only: Sequence[str] = (), replace: bool = False) -> Accepting:
    """What accepting a run does now. `only`: globs of the tests to accept. `replace`: see `accept`.

    Raises UserError for a run that is not to be accepted, a glob that no test fits, and a baseline that cannot be read.
    """
    _check(run)
    source, directory = Path(run.record["baseline"]), directory_of(run)
    shipped = _is_shipped(source)
    release, conditions = kernel_release(run), Conditions.of(run)
    first = shipped and not (directory.is_dir() and any(directory.iterdir()))
    before = baseline.load(source if first else directory, release, conditions)
    whole = _accepted(store, run)
    tests = {test.plain for test in whole.outcomes}
    keys = frozenset(
        (test.suite, test.profile) for test, end in whole.outcomes.items() if end.status is not Status.MISSING
    )
    change = accept(
        before, conditions, whole, only=_chosen(tests, only) if only else None, replace=replace, today=day_of(run)
    )
    if first and change.texts:
        change = Change({**_shipped(source, release, keys, conditions), **change.texts}, change.already)
    return Accepting(directory, shipped, release, conditions, before, change, keys)


def _check(run: Run) -> None:
    if run.decides is not None:
        raise UserError(
            f"run {run.id} helps to decide run {run.decides}: it has only tests that were selected for failing",
            hint=f"accept the run itself: kdevops baseline accept {run.decides}",
        )
    if not run.ended:
        raise UserError(f"run {run.id} is not finished", hint=f"continue it with: kdevops resume {run.id}")


def _accepted(store: Store, run: Run) -> Accepted:
    outcomes = store.outcomes(run.id)
    reruns = [each for each in store.deciding(run.id) if each.record[SIDE] == Side.NOW]
    again = [{test: end for test, end in store.outcomes(each.id).items() if end.status.ran} for each in reruns]
    strays = [stray for each in (run, *reruns) for stray in each.record.get(STRAY_REPORTS, ())]
    old_mark = old_marks.mark_of(run, outcomes)
    excluded = left_out(run, outcomes)  # by us, which says nothing about the tests
    ends = {test: outcome for test, outcome in outcomes.items() if test not in excluded}
    if not imported.is_imported(run):
        return Accepted([run.lab, run.created], _said(run), ends, again, strays, old_mark)
    identities = imported.by_profile(store, run)
    said = {profile: _said_of_imported(run, profile) for profile in identities}
    return Accepted([run.lab, run.created], "", ends, again, strays, old_mark, identities, said)


def _said(run: Run) -> str:
    when = f"{datetime.fromisoformat(run.created):%Y-%m-%d %H:%M} UTC"
    return f"{when}, {clean(kernel_release(run), 80)}, lab {clean(run.lab)}"


def _said_of_imported(run: Run, profile: str) -> str:
    """Nothing that depends on who imported it, or with what other profiles: that would be another file."""
    when = imported.times(run).get(profile, "")[:10]
    return ", ".join([f"ran {when}" if when else "imported", clean(kernel_release(run), 80)])


def _chosen(tests: Collection[TestId], only: Sequence[str]) -> frozenset[TestId]:
    for pattern in only:
        if not any(fits(test, pattern) for test in tests):
            raise UserError(
                f"no test of the run fits {clean(pattern, 80)}", hint="list them: kdevops results RUN --list"
            )
    return frozenset(test for test in tests if any(fits(test, pattern) for pattern in only))


def _shipped(source: Path, release: str, keys: Collection[tuple[str, str]], conditions: Conditions) -> Texts:
    texts = baseline.kept(source, release, keys, conditions).texts or {}
    return {PurePosixPath(name): text for name, text in texts.items()}


def _here() -> Path:
    return Path("baselines").absolute()


def _is_shipped(directory: Path) -> bool:
    """Whether `directory` is shipped with kdevops and the current directory is not in the same checkout."""
    shipped = paths.data_dir("baselines")
    return directory.is_relative_to(shipped) and not Path.cwd().is_relative_to(shipped.parent)
