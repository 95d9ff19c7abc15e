"""The baseline by which a run was judged, kept with the run: what is accepted later does not change its verdict."""

from __future__ import annotations

from pathlib import Path

from kdevops.errors import KdevopsError, UserError
from kdevops.process import run as run_command
from kdevops.results.baselines import baseline
from kdevops.results.baselines.conditions import Conditions
from kdevops.results.baselines.files import Files, unpacked
from kdevops.results.store import Run, Store
from kdevops.run.plan.absent import asked_for
from kdevops.run.plan.record import kernel_release

_SECONDS = 60


async def keep_evidence(store: Store, run_id: int, *, anew: bool = False) -> None:
    """Keep what the baseline says now for the tests of a run; no effect the second time, unless it is to be kept `anew`.

    A baseline that cannot be read is not kept: whoever judges the run is told what is wrong, until that is mended.
    """
    run = store.run(run_id)
    if not anew and store.evidence(run_id):
        return
    directory, release = Path(run.record["baseline"]), kernel_release(run)
    conditions = Conditions.of(run)
    keys = {(row.id.suite, row.id.profile) for row in store.plan(run_id)} | asked_for(run)
    try:
        files = baseline.kept(directory, release, keys, conditions)
        baseline.load(files, release, conditions)
    except UserError:
        return
    store.keep_evidence(run_id, await _source(directory), files.packed())


def kept_files(store: Store, run: Run) -> Files | None:
    """The files by which the run was judged; None if they were not kept."""
    found = store.evidence(run.id) if run.ended else None
    return unpacked(Path(run.record["baseline"]), found[2]) if found else None


def judged_by(store: Store, run: Run) -> str:
    """When, and from which commit, the baseline was kept by which the run is judged; "" if it was not kept."""
    found = store.evidence(run.id) if run.ended else None
    if found is None:
        return ""
    at, source, _ = found
    return f"{source + ', ' if source else ''}{at[:16].replace('T', ' ')} UTC"


async def _source(directory: Path) -> str:
    """Which commit of git the baseline is, in words; "" if it is not in git."""
    if not directory.is_dir():
        return ""
    try:
        commit = (await _git(directory, "rev-parse", "--short=12", "HEAD")).strip()
        changed = await _git(directory, "status", "--porcelain", "--untracked-files=all", "--", ".")
    except KdevopsError:
        return ""
    return f"commit {commit}" + (" with changes" if changed.strip() else "")


async def _git(directory: Path, *words: str) -> str:
    return (await run_command(["git", "-C", directory, *words], timeout=_SECONDS)).stdout
