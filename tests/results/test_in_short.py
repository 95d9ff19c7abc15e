"""A verdict in a few words says what makes the exit code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import ExitCode
from kdevops.results.boot_failure import BootFailure
from kdevops.results.in_short import in_short
from kdevops.results.model import Counts, Status
from tests.results.test_verdict import FAILS, FLAKY, PASSES, any_counts, run, tid
from tests.support.decided import OPEN, regressed

S = Status


@pytest.mark.parametrize(
    ("statuses", "known", "words"),
    [
        ({"a": S.PASS}, {"a": PASSES}, "nothing regressed"),
        (
            {"a": S.PASS, "b": S.FAIL, "c": S.FAIL},
            {"a": PASSES, "b": FAILS, "c": FLAKY},
            "nothing regressed, flakes 1, known failures 1",
        ),
        ({"a": S.FAIL, "b": S.MISSING}, {"a": PASSES}, "undecided 1, missing 1"),
        ({"a": S.SKIP}, None, "nothing ran"),
        ({"a": S.PASS, "b": S.SKIP}, {"a": FAILS, "b": PASSES}, "skipped now 1, fixed 1"),
    ],
)
def test_words(statuses: dict[str, Status], known: dict[str, Counts] | None, words: str) -> None:
    assert in_short(run(statuses, known)) == words


def test_a_regression_comes_first() -> None:
    known = {"a": PASSES, "b": FAILS}
    verdict = run({"a": S.FAIL, "b": S.FAIL}, known, decisions=regressed(tid("a")))
    assert in_short(verdict) == "regressed 1, known failures 1"


def test_a_kernel_that_does_not_boot() -> None:
    failure = BootFailure("panic", "g", "")
    assert in_short(run({"a": S.MISSING}, None, boot_failure=failure)) == "does not boot"


@given(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(list(Status)), min_size=1),
    st.dictionaries(st.sampled_from("abcd"), any_counts),
    st.sampled_from([None, OPEN]),
)
def test_nothing_regressed_is_said_where_that_is_the_exit_code(
    statuses: dict[str, Status], known: dict[str, Counts], decided: object
) -> None:
    verdict = run(statuses, known, decisions={tid("a"): decided} if decided else {})
    assert in_short(verdict).startswith("nothing regressed") == (verdict.exit_code is ExitCode.OK)
