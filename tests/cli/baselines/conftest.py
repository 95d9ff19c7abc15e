"""Runs in the store, and baselines in the current directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdevops.results.model import Outcome, TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run.dirs import Dirs
from tests.cli.said import told


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KDEVOPS_LAB", raising=False)


@pytest.fixture
def accepted(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Accepts a run with the given results of fstests into ./baselines."""

    def accept(
        outcomes: dict[str, Outcome], *, day: str = "2026-11-21", profile: str = "xfs_crc", **record: Any
    ) -> None:
        said = {"kernel": {"release": "6.1.192", "machine": "x86_64"}, "baseline": str(Path("baselines").absolute())}
        with Store(Dirs.default().state) as store, pytest.MonkeyPatch.context() as patch:
            patch.setattr("kdevops.results.store._now", lambda: f"{day}T08:00:00.000+00:00")
            ids = [TestId("fstests", profile, name) for name in outcomes]
            run = store.create_run("demo", [PlannedRow(test, 60) for test in ids], {**said, **record})
            for test in ids:
                store.ended(run, test, outcomes[test.name])
            store.finish(run)
        told(capsys, "baseline", "accept", str(run))

    return accept
