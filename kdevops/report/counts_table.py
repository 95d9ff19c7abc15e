"""How many tests of each suite and profile ended how."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdevops.report.styles import UNBROKEN
from kdevops.results.model import Counts, Status
from kdevops.results.verdict import RunVerdict
from kdevops.text import clean

_MIN_NAME = 20
"""Least columns for names in the table, unless all are shorter; with less room, each row becomes a line."""


def by_suite(verdict: RunVerdict) -> dict[tuple[str, str], Counts]:
    """How the tests of each suite and profile ended."""
    statuses: dict[tuple[str, str], list[Status]] = {}
    for each in verdict.tests:
        statuses.setdefault((each.test.suite, each.test.profile), []).append(each.outcome.status)
    return {key: Counts.of(values) for key, values in sorted(statuses.items())}


class CountsTable:
    """Number of tests per profile and status: a table, or lines if the terminal is too narrow."""

    def __init__(self, verdict: RunVerdict) -> None:
        counts_of = by_suite(verdict)
        suites = {suite for suite, _ in counts_of}
        short = len(suites) == 1 and len(counts_of) > 1  # the common suite goes into the head
        self._head = clean(min(suites)) if short else "suite"
        self._rows = {clean(key[1] if short else "/".join(key)): counts for key, counts in counts_of.items()}
        if len(self._rows) != 1:
            self._rows["all"] = verdict.counts
        self._prefix = f"{self._head}/" if short else ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        table = self._table()
        names = max(cell_len(name) for name in (self._head, *self._rows))
        others = console.measure(table, options=options.update_width(UNBROKEN)).maximum - names
        yield table if others + min(names, _MIN_NAME) <= options.max_width else Group(*self._lines())

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False)
        table.add_column(self._head, overflow="fold")
        table.add_column("planned", justify="right", no_wrap=True)
        for number, status in enumerate(Status):
            table.add_column(f"{'+' if number else '='} {status}", justify="right", no_wrap=True)
        for name, counts in self._rows.items():
            cells = [
                Text(str(counts[status]), style=status.ending.style if counts[status] else "") for status in Status
            ]
            table.add_row(Text(name), str(counts.total), *cells)
        return table

    def _lines(self) -> Iterator[Text]:
        for name, counts in self._rows.items():
            parts = " + ".join(f"{counts[status]} {status}" for status in Status if counts[status])
            full = name if name == "all" else self._prefix + name
            yield Text(f"{full}: {counts.total} planned = {parts or 0}", overflow="fold")
