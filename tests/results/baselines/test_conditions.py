"""The conditions under which results compare."""

from __future__ import annotations

import platform

from hypothesis import given
from hypothesis import strategies as st

from kdevops.results.baselines.conditions import Conditions, nearest
from kdevops.results.model import RunState
from kdevops.results.store import Run

YEARS = st.lists(st.sampled_from(["", "2022", "2023", "2024", "2025"]), unique=True)


def run(**record: object) -> Run:
    return Run(1, "demo", RunState.COMPLETE, "2026-11-21T08:00:00+00:00", None, dict(record))  # type: ignore[arg-type]


def test_they_are_read_from_the_record_of_a_run() -> None:
    kernel = {"release": "6.1", "machine": "aarch64", "variant": "kasan+lockdep"}
    of = Conditions.of(run(kernel=kernel, suites={"fstests": {"series": "2026"}, "kunit": {}}))
    assert of == Conditions("aarch64", "kasan+lockdep", {"fstests": "2026"})
    assert of.folder == "aarch64+kasan+lockdep"
    assert Conditions.of(run(kernel={"release": "6.1"}, host={"machine": "riscv64"})).folder == "riscv64"
    assert Conditions.of(run(kernel={"release": "6.1"})).folder == platform.machine()


@given(st.sampled_from(["", "2021", "2023", "2026"]), YEARS)
def test_all_series_of_a_suite_are_in_order_the_newest_that_is_not_newer_first(series: str, found: list[str]) -> None:
    order = nearest(series, found)
    assert sorted(order) == sorted(found)
    older = [each for each in order if each and each <= series]
    assert order[: len(older)] == sorted(older, reverse=True)
    assert order[-1:] != [""] or not [each for each in found if each > series]
