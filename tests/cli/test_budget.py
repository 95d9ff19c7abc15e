from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.cli.budget import limits
from kdevops.errors import UserError


@pytest.mark.parametrize(
    ("text", "results", "seconds"),
    [
        ("200", 200, None),
        ("30m", None, 1800.0),
        ("90s", None, 90.0),
        ("2h,50", 50, 7200.0),
        ("50, 2h", 50, 7200.0),
        ("0", 0, None),
    ],
)
def test_budgets(text: str, results: int | None, seconds: float | None) -> None:
    assert limits(text) == (results, seconds)


@pytest.mark.parametrize("text", ["", "x", "30 m", "30m,40m", "1,2", "-1", "1d", "1.5h", "30m,"])
def test_what_is_not_a_budget_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="not a budget"):
        limits(text)


@given(st.text(max_size=12))
def test_any_text_is_a_budget_or_refused(text: str) -> None:
    try:
        results, seconds = limits(text)
    except UserError:
        return
    assert results is not None or seconds is not None
