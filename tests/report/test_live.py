import io
from collections.abc import Callable

import pytest
from rich.console import Console

from kdevops.progress import Progress
from kdevops.report.live import Display, duration
from kdevops.results.events import GuestChanged, Note, TestEnded, TestStarted
from kdevops.results.model import Outcome, Status
from kdevops.results.store import PlannedRow
from tests.report.samples import tid


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def plain(clock: Callable[[], float]) -> tuple[Display, io.StringIO]:
    file = io.StringIO()
    return Display(Console(file=file, width=80, force_terminal=False), clock=clock), file


def terminal(clock: Callable[[], float], term: str = "xterm") -> tuple[Display, io.StringIO]:
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None, _environ={"TERM": term})
    return Display(console, clock=clock), file


def picture(display: Display) -> list[str]:
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(display.render())
    return [line.rstrip() for line in console.export_text().splitlines()]


def rows(*expected: float | None) -> list[PlannedRow]:
    return [PlannedRow(tid(f"t{number}"), 45.0, seconds) for number, seconds in enumerate(expected)]


def test_plain_lines(clock: Clock) -> None:
    display, file = plain(clock)
    with display:
        display.plan(rows(*[None] * 10), {tid("t0"): Outcome(Status.PASS)})
        display.handle(GuestChanged("demo-1", "booting"))
        display.handle(GuestChanged("demo-1", "ready"))
        display.handle(TestStarted(tid("t1"), "demo-1"))
        display.handle(TestEnded(tid("t1"), Outcome(Status.PASS, 1.44, guest="demo-1")))
        display.handle(TestEnded(tid("t2"), Outcome(Status.CRASH, 75.0, "panic\x1b[2J\r [red]x", guest="demo-1")))
        display.handle(GuestChanged("demo-1", "resetting", "panic\nat once"))
        display.handle(Note("no ssh\x07 within 60 s"))
    assert file.getvalue().splitlines() == [
        "guest demo-1: booting",
        "guest demo-1: ready",
        "[ 2/10] pass    selftests/default/t1  1.4 s",
        "[ 3/10] crash   selftests/default/t2  1 min 15 s  panic  [red]x",
        "guest demo-1: resetting: panic at once",
        "note: no ssh within 60 s",
    ]


def test_plain_progress_is_told_every_tenth_or_half_minute(clock: Clock) -> None:
    display, file = plain(clock)
    for percent in range(31):
        clock.now += 1
        display.handle(Progress("build", f"file{percent}.o", percent / 100, 100.0 - percent))
    clock.now += 30
    display.handle(Progress("build", "slow.o", 0.31))
    display.handle(Progress("build", "slow.o", 0.32))
    display.handle(Progress("build", "bzImage", done=True))
    display.handle(Progress("build", "again", 0.0))
    assert file.getvalue().splitlines() == [
        "build 0%, 1 min 40 s left: file0.o",
        "build 10%, 1 min 30 s left: file10.o",
        "build 20%, 1 min 20 s left: file20.o",
        "build 30%, 1 min 10 s left: file30.o",
        "build 31%: slow.o",
        "build: done: bzImage",
        "build 0%: again",
    ]


def test_long_plain_lines_are_one_line(clock: Clock) -> None:
    display, file = plain(clock)
    display.handle(Note("x" * 300))
    assert file.getvalue() == f"note: {'x' * 300}\n"


def test_the_picture_of_a_run(clock: Clock) -> None:
    display, _ = terminal(clock)
    display.plan(rows(10.0, 10.0, 10.0, None, 10.0, 10.0))
    display.handle(Progress("kernel build", "fs/xfs/xfs_log.o", 0.5, 90.0))
    display.handle(Progress("image", "unpacking"))
    display.handle(GuestChanged("demo-1", "ready"))
    display.handle(GuestChanged("demo-2", "booting", "try 2"))
    display.handle(TestStarted(tid("t0"), "demo-1"))
    display.handle(TestEnded(tid("t0"), Outcome(Status.FAIL, 3.0)))
    display.handle(TestStarted(tid("t1"), "demo-1"))
    clock.now += 5
    assert picture(display) == [
        "kernel build  ━━━━━━━━━━            50%, 1 min 30 s left, fs/xfs/xfs_log.o",
        "image         …                     unpacking",
        "demo-1  running  5.0 s  selftests/default/t1",
        "demo-2  booting  5.0 s  try 2",
        "1/6  fail 1  about 22 s left",
    ]
    display.handle(Progress("kernel build", done=True))
    display.handle(Progress("image", done=True))
    assert picture(display)[0].startswith("demo-1")


def test_a_picture_without_any_news_is_empty(clock: Clock) -> None:
    display, _ = plain(clock)
    assert picture(display) == []


def test_many_guests_and_long_names_stay_in_the_picture(clock: Clock) -> None:
    display, _ = terminal(clock)
    for number in range(40):
        display.handle(GuestChanged(f"demo-{number}", "booting", "x" * 200))
    lines = picture(display)
    assert len(lines) == 17
    assert lines[-1] == "and 24 more"
    assert all(len(line) <= 80 for line in lines)


def test_a_terminal_shows_what_is_bad_above_the_picture(clock: Clock) -> None:
    display, file = terminal(clock)
    with display:
        display.plan(rows(None, None, None))
        display.handle(TestEnded(tid("t0"), Outcome(Status.PASS, 1.0)))
        display.handle(TestEnded(tid("t1"), Outcome(Status.HANG, 1.0, "silent")))
        display.handle(Note("retried"))
    said = file.getvalue()
    assert "[2/3] hang    selftests/default/t1  1.0 s  silent" in said
    assert "note: retried" in said
    assert "[1/3] pass" not in said
    assert "\x1b[?25h" in said  # the cursor is back


def test_a_dumb_terminal_gets_plain_lines(clock: Clock) -> None:
    display, file = terminal(clock, term="dumb")
    with display:
        display.handle(GuestChanged("demo-1", "ready"))
    assert file.getvalue() == "guest demo-1: ready\n"


class Broken(io.StringIO):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize("force_terminal", [True, False])
@pytest.mark.parametrize(
    "error", [OSError(5, "I/O error"), ValueError("closed file"), UnicodeEncodeError("ascii", "é", 0, 1, "no")]
)
def test_a_broken_terminal_does_not_end_the_run(error: Exception, force_terminal: bool, clock: Clock) -> None:
    console = Console(file=Broken(error), width=80, force_terminal=force_terminal, _environ={"TERM": "xterm"})
    with Display(console, clock=clock) as display:
        display.handle(Note("one"))
        display.handle(Note("two"))
    assert display.board.steps == {}


def test_a_closed_pipe_does_not_end_the_run(clock: Clock) -> None:
    class Piped(Console):
        def print(self, *objects: object, **options: object) -> None:  # type: ignore[override]
            raise SystemExit(1)  # as rich does

    with Display(Piped(file=io.StringIO()), clock=clock) as display:
        display.handle(Note("one"))


def test_eta_needs_a_known_duration_and_has_the_longest_test_as_floor(clock: Clock) -> None:
    display, _ = plain(clock)
    board = display.board
    display.plan(rows(None, None))
    assert board.eta(clock.now) is None
    display.handle(TestEnded(tid("t0"), Outcome(Status.SKIP, 0.0)))
    assert board.eta(clock.now) is None
    display.plan(rows(8.0, None, 100.0))
    for guest in ("a", "b", "c"):
        display.handle(GuestChanged(guest, "ready"))
    assert board.eta(clock.now) == 100.0
    display.handle(GuestChanged("c", "down"))
    display.handle(TestEnded(tid("t2"), Outcome(Status.PASS, 90.0)))
    assert board.eta(clock.now) == pytest.approx(54.0)
    display.handle(TestStarted(tid("t1"), "a"))
    clock.now += 50
    assert board.eta(clock.now) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told
