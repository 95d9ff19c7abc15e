"""Store a new run, whose output begins in an empty place."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence

from kdevops.errors import InfrastructureError
from kdevops.results.pruning import ASIDE
from kdevops.results.store import JSON, PlannedRow, Store
from kdevops.run.dirs import Dirs


def new_run(
    store: Store,
    dirs: Dirs,
    lab: str,
    plan: Sequence[PlannedRow],
    record: Mapping[str, JSON],
    *,
    decides: int | None = None,
) -> int:
    """Store a run as `Store.create_run` does, and return its number.

    What has its place, from an import that was killed or of a store that is gone, is moved aside for `kdevops results prune`.
    Raises UserError as `create_run` does, InfrastructureError also if it cannot be moved: then there is no new run.
    """
    with store.together():
        run = store.create_run(lab, plan, record, decides=decides)
        place = dirs.run(run)
        try:
            if place.exists():
                place.rename(tempfile.mkdtemp(prefix=f"{ASIDE}{run}-", dir=place.parent))
        except OSError as error:
            raise InfrastructureError(
                f"{place} is of no run, and cannot be moved aside: {error.strerror or error}", hint="remove it"
            ) from error
    return run
