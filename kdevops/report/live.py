"""Show a run in progress: a live display on a terminal, plain lines everywhere else."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kdevops.progress import Confirm, Progress, ask_nobody
from kdevops.report.board import Board
from kdevops.report.troubles import brief
from kdevops.results.events import GuestChanged, Note, RunEvent, TestEnded, TestStarted
from kdevops.results.model import Outcome, Status, TestId
from kdevops.results.store import PlannedRow
from kdevops.text import clean

log = logging.getLogger(__name__)

_MAX_ROWS = 16
"""Guests shown in the live display; the rest are counted."""
_REFRESHES = 2
"""Refreshes per second."""
_EVERY_SECONDS = 30.0
"""A step prints a line at every tenth, and after this many seconds if there is news."""


class Display:
    """Shows the progress of a run. A context manager; `handle` takes every event and is a `progress.Report` too.

    On a terminal it is a live display, with failures and notes as lines above it; elsewhere each important event is a
    line. A terminal error ends the display, not the run.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        ask: Confirm = ask_nobody,
    ) -> None:
        self.board = Board()
        self._ask = ask
        self._console = console or Console(highlight=False)
        self._clock = clock
        self._lock = threading.RLock()  # rich draws in its own thread
        self._told: dict[str, tuple[int, float]] = {}
        self._broken = False
        self._live: Live | None = None
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = _Picture(self)

    def __enter__(self) -> Self:
        if self._live:
            self._safely(self._live.start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            with contextlib.suppress(Exception, SystemExit):  # also when broken: the cursor must be restored
                self._live.stop()

    def plan(self, rows: Sequence[PlannedRow], done: Mapping[TestId, Outcome] | None = None) -> None:
        """Set the plan once it is known; `done` has the results of an interrupted run."""
        with self._lock:
            self.board.plan(rows, done or {})

    def handle(self, event: RunEvent | Progress) -> None:
        """Show one event. Never raises."""
        self._safely(lambda: self._handle(event))

    def confirm(self, lines: Sequence[str]) -> bool:
        """Ask the user, with the display stopped meanwhile; see `progress.Confirm`."""
        live = self._live
        if live:
            self._safely(live.stop)
        try:
            return self._ask(lines)
        finally:
            if live:
                self._safely(live.start)

    def render(self) -> RenderableType:
        """The live display."""
        with self._lock:
            now = self._clock()
            parts: list[RenderableType] = [_steps(self.board)] if self.board.steps else []
            parts += [_guests(self.board, now)] if self.board.guests else []
            parts += [_counts(self.board, now)] if self.board.planned else []
            return Group(*parts)

    def _handle(self, event: RunEvent | Progress) -> None:
        with self._lock:
            self.board.apply(event, self._clock())
            line = self._line(event)
        if line is not None:
            self._console.print(line, soft_wrap=True)

    def _line(self, event: RunEvent | Progress) -> Text | None:
        """The line for an event; None if the live display shows it or it is not news."""
        match event:
            case Note():
                return Text(f"note: {clean(event.text)}")
            case Progress():
                return self._progress_line(event)
            case TestEnded():
                reported = any(report.gates for report in event.outcome.reports)
                quiet = self._live and event.outcome.status.is_well and not reported
                return None if quiet else self._test_line(event)
            case GuestChanged():
                quiet = self._live and event.state in {"booting", "ready", "down"}
                detail = f": {clean(event.detail)}" if event.detail else ""
                return None if quiet else Text(f"guest {clean(event.guest)}: {clean(event.state)}{detail}")
            case TestStarted():
                return None

    def _test_line(self, event: TestEnded) -> Text:
        total = len(self.board.planned)
        outcome = event.outcome
        line = Text(f"[{len(self.board.ended):>{len(str(total))}}/{total}] ")
        line.append(f"{outcome.status:<7}", outcome.status.ending.style)
        line.append(f" {clean(str(event.test))}  {duration(outcome.seconds)}")
        if outcome.status is not Status.PASS and outcome.reason:
            line.append(f"  {clean(outcome.reason)}")
        if told := brief(outcome):
            line.append(f"  {told}", "red")
        return line

    def _progress_line(self, event: Progress) -> Text | None:
        now, tenth = self._clock(), int((event.fraction or 0.0) * 10 + 1e-9)
        told_tenth, told_at = self._told.get(event.step, (-1, now))
        news = tenth > told_tenth or now - told_at >= _EVERY_SECONDS
        detail = f": {clean(event.detail)}" if event.detail else ""
        if event.done:
            self._told.pop(event.step, None)
            return Text(f"{clean(event.step)}: done{detail}")
        if self._live or not news:
            return None
        self._told[event.step] = (tenth, now)
        percent = "" if event.fraction is None else f" {event.fraction:.0%}"
        eta = "" if event.eta is None else f", {duration(event.eta)} left"
        return Text(f"{clean(event.step)}{percent}{eta}{detail}")

    def _safely(self, action: Callable[[], object]) -> None:
        if self._broken:
            return
        try:
            action()
        # A terminal may fail in any way, and rich exits on a closed pipe; the store has all results, so the run continues.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._broken = True
            log.warning("the display failed, the run continues: %r", error)


class _Picture(Live):
    """A Live whose thread survives terminal errors."""

    def __init__(self, display: Display) -> None:
        super().__init__(
            console=display._console, get_renderable=display.render, refresh_per_second=_REFRESHES, transient=True
        )
        self._display = display

    def refresh(self) -> None:
        self._display._safely(super().refresh)


def duration(seconds: float) -> str:
    """Seconds for a person: "1.4 s", "12 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _steps(board: Board) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for step in board.steps.values():
        known = step.fraction is not None
        bar = (
            ProgressBar(total=1.0, completed=min(max(step.fraction or 0.0, 0.0), 1.0), width=20) if known else Text("…")
        )
        facts = [f"{step.fraction:.0%}"] if known else []
        facts += [f"{duration(step.eta)} left"] if step.eta is not None else []
        facts += [clean(step.detail)] if step.detail else []
        grid.add_row(Text(clean(step.step)), bar, Text(", ".join(facts), no_wrap=True, overflow="ellipsis"))
    return grid


def _guests(board: Board, now: float) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, row in list(board.guests.items())[:_MAX_ROWS]:
        what = clean(str(row.test)) if row.test else clean(row.detail)
        grid.add_row(
            Text(clean(name), no_wrap=True),
            Text(clean(row.state), no_wrap=True),
            Text(duration(now - row.since), no_wrap=True, justify="right"),
            Text(what, no_wrap=True, overflow="ellipsis"),
        )
    if len(board.guests) > _MAX_ROWS:
        grid.add_row(Text(f"and {len(board.guests) - _MAX_ROWS} more"))
    return grid


def _counts(board: Board, now: float) -> Text:
    counts = board.counts
    line = Text(f"{counts.total}/{len(board.planned)}", style="bold")
    for status in Status:
        if counts[status]:
            line.append("  ")
            line.append(f"{status} {counts[status]}", status.ending.style)
    eta = board.eta(now)
    if eta is not None and counts.total < len(board.planned):
        line.append(f"  about {duration(eta)} left", "dim")
    return line
