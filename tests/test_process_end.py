"""How a command ends before it is done: deadlines, cancellation, and a controller that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kdevops import process
from kdevops.errors import CommandError, CommandTimeout
from kdevops.process import run
from tests.support.commands import TREE, alive, gone, sh, start


def test_a_controller_that_was_stopped_past_a_deadline_takes_what_ended_in_time(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys; from kdevops.process import run\n"
        "done = asyncio.run(run(sys.argv[1:], timeout=2, on_line=lambda line: print(line, flush=True)))\n"
        "print(len(done.stdout))"
    )
    long = sh('echo started; sleep 0.5; head -c 300000 /dev/zero; echo >"$1"', tmp_path / "ended")
    with subprocess.Popen([sys.executable, "-c", script, *long], stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout
        assert controller.stdout.readline() == "started\n"
        controller.send_signal(signal.SIGSTOP)
        time.sleep(3)  # past the deadline, and longer than the command takes by itself
        controller.send_signal(signal.SIGCONT)
        assert controller.stdout.read().split()[-1] == "300008", "all that it said"
    assert (tmp_path / "ended").exists()


def test_the_deadline_ends_grandchildren_too(tmp_path: Path) -> None:
    with pytest.raises(CommandTimeout, match=r"sh did not finish within 0\.5 s and was stopped") as caught:
        asyncio.run(run(sh(TREE.format(then="echo said; wait"), tmp_path / "pid"), timeout=0.5))
    assert (caught.value.returncode, caught.value.seconds) == (None, 0.5)
    assert caught.value.output == "said\n"
    assert gone(int((tmp_path / "pid").read_text()))


def test_the_deadline_holds_when_the_command_has_ended_but_its_child_holds_the_pipe(tmp_path: Path) -> None:
    with pytest.raises(CommandTimeout):
        asyncio.run(run(sh(TREE.format(then="exit 0"), tmp_path / "pid"), timeout=0.5))
    assert gone(int((tmp_path / "pid").read_text()))


def test_cancellation_ends_the_whole_group(tmp_path: Path) -> None:
    async def cancel() -> None:
        task = await start(sh(TREE.format(then="echo started; wait"), tmp_path / "pid"))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(cancel())
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_cancellation_while_the_command_is_stopped_is_not_lost(monkeypatch, tmp_path: Path) -> None:
    real = os.killpg

    async def cancel_late() -> None:
        stopping = asyncio.Event()

        def note(group: int, number: int) -> None:
            stopping.set()
            real(group, number)

        monkeypatch.setattr(os, "killpg", note)
        task = await start(sh(TREE.format(then="echo started; wait"), tmp_path / "pid"), timeout=1)
        await stopping.wait()  # the deadline has passed, and the group ignores SIGTERM
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, CommandError):
            await task
        assert task.cancelled()

    asyncio.run(cancel_late())
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_command_of_another_user_does_not_hold_us_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.killpg
    groups = []

    def refuse(group: int, number: int) -> None:
        groups.append(group)
        raise PermissionError

    monkeypatch.setattr(process, "_KILL_GRACE", 0.1)
    monkeypatch.setattr(os, "killpg", refuse)
    with pytest.raises(CommandTimeout):
        asyncio.run(run(["sleep", "300"], timeout=0.1))
    with contextlib.suppress(ProcessLookupError):
        real(groups[0], signal.SIGKILL)


def test_a_timeout_error_that_is_not_ours_passes_through() -> None:
    def time_out(_: str) -> None:
        raise TimeoutError("somebody else's")

    with pytest.raises(TimeoutError, match="somebody else's"):
        asyncio.run(run(["echo", "x"], on_line=time_out))


def test_a_listener_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    troubles: list[dict[str, object]] = []

    async def fail() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        await run(sh("yes & yes >&2"), on_line=lambda _: 1 / 0, log_to=tmp_path / "log")  # type: ignore[arg-type,return-value]

    with pytest.raises(ZeroDivisionError):
        asyncio.run(fail())
    assert troubles == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_controller_that_is_killed(tmp_path: Path, number: int) -> None:
    script = "import asyncio, sys; from kdevops.process import run; asyncio.run(run(sys.argv[1:], on_line=print))"
    tree = sh(TREE.format(then="echo started; wait"), tmp_path / "pid")
    argv = [sys.executable, "-u", "-c", script, *tree]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout
        assert controller.stdout.readline() == "started\n"
        pid = int((tmp_path / "pid").read_text())
        assert alive(pid)
        controller.send_signal(number)
    assert gone(pid)


GENTLE = (
    r'trap "head -c 200000 /dev/zero; echo >$1; kill \$child; exit 3" INT; sleep 300 & child=$!; echo started; wait'
)
"""A shell that says more than a pipe holds before it ends at an interrupt, and tells in a file that it did."""


@pytest.mark.parametrize("how", ["cancelled", "deadline"])
def test_a_command_with_grace_is_asked_before_it_is_killed(tmp_path: Path, how: str) -> None:
    async def stop() -> None:
        said = asyncio.Event()
        deadline = 1.0 if how == "deadline" else None
        argv = sh(GENTLE, tmp_path / "asked")
        task = asyncio.create_task(run(argv, interrupt_grace=20, timeout=deadline, on_line=lambda _: said.set()))
        await said.wait()
        if how == "cancelled":
            task.cancel()
        with pytest.raises((CommandError, asyncio.CancelledError)):
            await task

    began = time.monotonic()
    asyncio.run(stop())
    assert (tmp_path / "asked").exists()
    assert time.monotonic() - began < 15


def test_who_does_not_use_its_grace_is_killed_with_its_children(tmp_path: Path) -> None:
    async def stop() -> None:
        argv = sh('trap "" INT; ' + TREE.format(then="echo started; wait"), tmp_path / "pid")
        said = asyncio.Event()
        task = asyncio.create_task(run(argv, interrupt_grace=0.3, on_line=lambda _: said.set()))
        await said.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop())
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("obeys", [True, False])
def test_grace_is_given_also_when_the_controller_is_killed(tmp_path: Path, obeys: bool) -> None:
    script = (
        "import asyncio, sys; from kdevops.process import run; "
        f"asyncio.run(run(sys.argv[1:], on_line=print, interrupt_grace={10 if obeys else 0.3}))"
    )
    tree = sh('trap "" INT; ' + TREE.format(then="echo started; wait"), tmp_path / "pid")
    gentle = sh("echo $$ >$1; trap 'echo >$1.asked; exit' INT; echo started; sleep 300 & wait", tmp_path / "pid")
    argv = [sys.executable, "-u", "-c", script, *(gentle if obeys else tree)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout
        assert controller.stdout.readline() == "started\n"
        pid = int((tmp_path / "pid").read_text())
        controller.kill()
    assert gone(pid)
    assert (tmp_path / "pid.asked").exists() == obeys
