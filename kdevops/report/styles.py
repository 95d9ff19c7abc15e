"""How reports for a terminal look, wherever they say the same."""

from __future__ import annotations

from collections.abc import Sequence

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kdevops.report.counting import many

UNBROKEN = 10_000
"""More columns than any line needs: a reason and each part of a name have at most 500 characters."""
_MAX_REASONS = 10


def indented(text: Text, columns: int = 2) -> Padding:
    """A line below what it belongs to."""
    return Padding(text, (0, 0, 0, columns), expand=False)


def counted(reasons: Sequence[tuple[str, int]]) -> Padding:
    """Reasons with how often each was given; the first of them, and the sum of the others."""
    grid = Table.grid(padding=(0, 0, 0, 2))
    grid.add_column(justify="right", min_width=3)
    grid.add_column(overflow="fold")
    for reason, number in reasons[:_MAX_REASONS]:
        grid.add_row(str(number), Text(reason))
    if rest := reasons[_MAX_REASONS:]:
        grid.add_row(str(sum(number for _, number in rest)), f"for {many(len(rest), 'other reason')}")
    return Padding(grid, (0, 0, 0, 2))
