"""Ages and sizes as people write them."""

from __future__ import annotations

from datetime import timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.cli.amounts import Age, Size, size_told


@pytest.mark.parametrize(("text", "days"), [("90d", 90), ("12w", 84), ("1y", 365), ("48h", 2), (" 1d ", 1), ("0d", 0)])
def test_ages(text: str, days: float) -> None:
    assert Age().convert(text, None, None) == timedelta(days=days)


@pytest.mark.parametrize(
    ("text", "size"), [("20GiB", 20 << 30), ("20G", 20 << 30), ("1.5 MiB", 3 << 19), ("2T", 2 << 40), ("7KiB", 7 << 10)]
)
def test_sizes(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@given(st.text())
def test_anything_else_is_said_to_be_none(text: str) -> None:
    for kind in (Age(), Size()):
        try:
            kind.convert(text, None, None)
        except click.BadParameter as error:
            assert "give a number of" in error.message  # noqa: PT017 - most text is none, and some is


@pytest.mark.parametrize(
    ("size", "told"), [(0, "0 KiB"), (16 << 10, "16 KiB"), (3 << 20, "3 MiB"), (3 << 29, "1.5 GiB")]
)
def test_sizes_for_people(size: int, told: str) -> None:
    assert size_told(size) == told
