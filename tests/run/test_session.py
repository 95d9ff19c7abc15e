from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.load import LoadedLab
from kdevops.lab.model import Lab
from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow, Store
from kdevops.run import session
from kdevops.run.dirs import Dirs
from kdevops.run.lock import lab_lock
from kdevops.run.plan.narrow import narrowed

ROWS = [
    PlannedRow(TestId("selftests", "default", "futex:run.sh"), 45),
    PlannedRow(TestId("selftests", "default", "size:get_size"), 45),
    PlannedRow(TestId("kunit", "default", "example"), 300),
]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("futex:*", ["futex:run.sh"]),
        ("selftests/*", ["futex:run.sh", "size:get_size"]),
        ("kunit/default/example", ["example"]),
        ("*", ["futex:run.sh", "size:get_size", "example"]),
    ],
)
def test_only_fits_any_end_of_the_full_name(pattern: str, names: list[str]) -> None:
    assert [row.id.name for row in narrowed(ROWS, [pattern])] == names


def test_only_that_fits_nothing_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"no planned test matches futex:runsh; did you mean futex:run.sh\?"):
        narrowed(ROWS, ["example", "futex:runsh"])


@given(st.lists(st.text(max_size=20), max_size=4))
def test_only_never_adds_reorders_or_empties(patterns: list[str]) -> None:
    try:
        chosen = narrowed(ROWS, patterns)
    except UserError:
        return
    assert chosen
    assert chosen == [row for row in ROWS if row in chosen]


def test_a_lab_is_used_by_one_command_at_a_time_and_the_holder_is_named(tmp_path: Path) -> None:
    with lab_lock(tmp_path / "demo", "demo", "run"):
        with (
            pytest.raises(UserError, match="lab demo is in use by `kdevops run`, process"),
            lab_lock(tmp_path / "demo", "demo", "up"),
        ):
            pass
        with lab_lock(tmp_path / "other", "other", "up"):
            pass
    with lab_lock(tmp_path / "demo", "demo", "up"):
        pass


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    holder.kill()
    holder.join()
    with lab_lock(tmp_path, "demo", "resume"):
        pass


def _hold(directory: Path, ready: object) -> None:
    with lab_lock(directory, "demo", "run"):
        ready.set()  # type: ignore[attr-defined]
        import time

        time.sleep(600)


class _Kind:
    async def preflight(self, *_: object) -> None:
        pass


def test_suites_are_prepared_with_the_baseline_that_the_run_is_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Path | None] = []

    async def build(lab: Lab, *_: object) -> None:
        given.append(lab.baseline)
        raise UserError("enough")

    lab, dirs, watcher = Lab.model_validate({"name": "demo"}), Dirs.default(), _Watcher()
    monkeypatch.setattr(session, "build", build)
    monkeypatch.setattr(session, "kind_of", lambda _: _Kind())
    monkeypatch.setattr(session, "remember_again", lambda *_: None)
    loaded = LoadedLab(lab, tmp_path / "lab.yaml", "digest")
    record: dict[str, Any] = {"baseline": str(tmp_path / "theirs"), "lab_file": str(tmp_path / "lab.yaml")}
    with Store(tmp_path) as store:
        run = store.run(store.create_run("demo", ROWS, record))
        with pytest.raises(UserError, match="enough"):
            asyncio.run(session.prepare(loaded, dirs, store, watcher))  # type: ignore[arg-type]
        with pytest.raises(UserError, match="enough"):
            asyncio.run(session.rebuild(run, lab, dirs, watcher))  # type: ignore[arg-type]
    assert given == [tmp_path / "baselines", tmp_path / "theirs"]


class _Watcher:
    def handle(self, _: object) -> None:
        pass

    def confirm(self, _: object) -> None:
        pass
