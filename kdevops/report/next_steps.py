"""What to do after a run: commands that help, for the run as it is."""

from __future__ import annotations

import shlex

from kdevops.errors import ExitCode
from kdevops.report import words
from kdevops.report.troubles import UNKNOWN, troubles
from kdevops.results.compare import Verdict
from kdevops.results.decision.outlook import still_to_go
from kdevops.results.model import RunState
from kdevops.results.reruns import is_begun
from kdevops.results.store import Run
from kdevops.results.verdict import Judged, RunVerdict
from kdevops.text import clean

_OPEN = frozenset({RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED})
_TO_LEARN = (
    Verdict.NEW,
    Verdict.FIXED,
    Verdict.FLAKE,
    Verdict.KNOWN_FLAKE,
    Verdict.INCONCLUSIVE,
    Verdict.SKIPPED_NOW,
)


def next_steps(run: Run, verdict: RunVerdict) -> list[tuple[str, str]]:
    """Useful next commands, each with its purpose."""
    steps: list[tuple[str, str]] = []
    shown = [each for trouble in troubles(verdict) if trouble.label == UNKNOWN for each in trouble.tests]
    shown = [each for group in words.groups(verdict) for each in group.tests if words.is_bad(each)] + shown
    if shown:
        steps.append(("see why", f"kdevops results {run.id} --test {_argument(shown[0])}"))
    arm = verdict.arm
    if run.state in _OPEN:
        steps.append(("continue", f"kdevops resume {run.id}"))
    elif arm and arm.run.state in _OPEN:
        steps.append(("continue", f"kdevops resume {arm.run.id}"))
    elif (not verdict.complete or verdict.unwatched.count) and "imported" not in run.record:
        steps.append(("run again", f"kdevops rerun {run.id}"))
    if _may_decide(run, verdict):
        steps.append(("decide", f"kdevops decide {run.id}"))
    if verdict.ran and verdict.complete and (acceptable := _acceptable(run, verdict)):
        steps.append(("accept", f"kdevops baseline accept {acceptable}"))
    return steps


def _may_decide(run: Run, verdict: RunVerdict) -> bool:
    """Whether more reruns are likely to decide on a failure."""
    if "imported" in run.record or run.decides is not None or not run.ended:
        return False
    if verdict.arm and verdict.arm.goes_on:
        return False
    return any(
        (each.decided is None and not is_begun(run, verdict.arm))
        or (each.decided and still_to_go(each.decided) is not None)
        for each in verdict.undecided
    )


def _acceptable(run: Run, verdict: RunVerdict) -> int | None:
    """The run to accept into the baseline: this one if it differs; if two kernels were compared, the baseline kernel's."""
    if verdict.exit_code is ExitCode.REGRESSION:
        return None  # look first, before anything is taken for known
    if verdict.arm:
        unknown = any(each.before is None and words.answered(each) for each in verdict.tests)
        return verdict.arm.run.id if unknown and verdict.arm.complete else None
    if run.decides is not None or (words.knows(verdict) and _may_decide(run, verdict)):
        return None  # decide first
    return run.id if verdict.of(*_TO_LEARN) else None


def _argument(judged: Judged) -> str:
    return shlex.quote(clean(str(judged.test)))
