from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.results.model import TestId
from kdevops.results.store import PlannedRow
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
