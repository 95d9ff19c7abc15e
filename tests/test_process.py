import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops import process
from kdevops.errors import CommandError, CommandTimeout, InfrastructureError
from kdevops.process import CUT, MAX_LINE, MAX_OUTPUT, Completed, describe_exit, failure, run

TREE = 'trap "" TERM; sleep 300 & echo $! > "$1"; {then}'
"""A shell with a child; the child's process id goes to a file. The trap is inherited, so only SIGKILL ends either."""


def sh(script: str, *args: object) -> list[str]:
    return ["sh", "-c", script, "sh", *map(str, args)]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, within: float = 10.0) -> bool:
    end = time.monotonic() + within
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


async def start(argv: list[str], timeout: float | None = None) -> asyncio.Task[Completed]:
    """Run a command, and wait until it has said something."""
    said = asyncio.Event()
    task = asyncio.create_task(run(argv, timeout=timeout, on_line=lambda _: said.set()))
    await said.wait()
    return task


def test_what_a_command_says_comes_back() -> None:
    done = asyncio.run(run(sh("echo out; echo err >&2; cat"), stdin=b"in"))
    assert (done.stdout, done.stderr, done.returncode) == ("out\nin", "err\n", 0)


def test_a_file_is_streamed_to_stdin(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x" * 1_000_000)
    with (tmp_path / "in").open("rb") as file:
        assert asyncio.run(run(["wc", "-c"], stdin=file)).stdout.strip() == "1000000"


def test_a_command_that_reads_nothing_may_be_fed() -> None:
    assert asyncio.run(run(["true"], stdin=b"x" * 1_000_000)).returncode == 0


def test_env_is_added_to_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    assert asyncio.run(run(sh('echo "$OURS$THEIRS"'), env={"THEIRS": "2"})).stdout == "12\n"


def test_a_failure_tells_the_last_line() -> None:
    with pytest.raises(CommandError) as caught:
        asyncio.run(run(sh("echo first >&2; echo last >&2; exit 7"), hint="do this"))
    assert caught.value.message == "sh failed with exit code 7: last"
    assert (caught.value.returncode, caught.value.output, caught.value.hint) == (7, "first\nlast", "do this")


def test_a_failure_stays_short_whatever_was_said() -> None:
    error = failure(Completed(("x",), 1, "", "y" * 100_000, 0.0))
    assert len(error.message) < 400


@pytest.mark.parametrize(
    ("code", "prose"),
    [
        (2, "failed with exit code 2"),
        (-15, "was killed by SIGTERM"),
        (-9, "was killed by SIGKILL (out of memory?)"),
        (-63, "was killed by signal 63"),
    ],
)
def test_exit_codes_in_words(code: int, prose: str) -> None:
    assert describe_exit(code) == prose


def test_a_signal_is_told_in_prose() -> None:
    with pytest.raises(CommandError, match="sh was killed by SIGSEGV"):
        asyncio.run(run(sh("kill -SEGV $$")))


def test_an_unknown_command_comes_with_a_way_to_get_it() -> None:
    with pytest.raises(CommandError, match="no-such-tool is not installed") as caught:
        asyncio.run(run(["no-such-tool", "--version"]))
    assert "doctor --install" in (caught.value.hint or "")


def test_what_may_not_be_executed_says_so(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("")
    with pytest.raises(CommandError, match="may not be executed"):
        asyncio.run(run([tmp_path / "tool"]))


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_a_word_that_no_command_line_can_hold_is_an_error_in_prose(word: str) -> None:
    with pytest.raises(CommandError, match="could not be started"):
        asyncio.run(run(["echo", word]))


def test_a_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"directory .*nowhere is gone"):
        asyncio.run(run(["true"], cwd=tmp_path / "nowhere"))


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


def test_memory_stays_bounded_and_the_end_is_kept() -> None:
    tracemalloc.start()
    try:
        done = asyncio.run(run(sh("head -c 64M /dev/zero; echo end")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(done.stdout) == MAX_OUTPUT
    assert done.stdout.endswith("\0end\n")
    assert peak < 12 * MAX_OUTPUT  # the end, while it is kept, cut and decoded; not the 64 MiB


def test_binary_garbage_is_text() -> None:
    lines: list[str] = []
    done = asyncio.run(run(sh(r"printf '\377\000\033[31m\n\200rest'"), on_line=lines.append))
    assert done.stdout == "\ufffd\0\x1b[31m\n\ufffdrest"
    assert lines == ["\ufffd\0\x1b[31m", "\ufffdrest"]


@pytest.mark.parametrize("chunk", [1, 7, 4096, 1 << 16])
def test_a_long_line_is_divided_at_its_carriage_returns(chunk: int) -> None:
    """Whatever the size of the pieces, including ones that split a line end."""
    lines: list[str] = []
    stream = process._Stream(lines.append, None)
    long = b"a" * (MAX_LINE + 10)
    data = b"50%\r\n" + b"x\r" * 9000 + b"not ok 1\r\n" + long + b"\rnot ok 2\r\n" + b"short\r\n"
    for start in range(0, len(data), chunk):
        stream._split(data[start : start + chunk])
    assert lines[0] == "50%"
    assert "".join(lines[1 : lines.index("short")]).replace("\r", "") == (
        "x" * 9000 + "not ok 1" + "a" * MAX_LINE + CUT + "not ok 2"
    )
    assert [line.split("\r")[-1] for line in lines if "not ok" in line] == ["not ok 1", "not ok 2"]
    assert max(map(len, lines)) <= MAX_LINE + len(CUT)


def test_a_line_without_end_is_cut() -> None:
    lines: list[str] = []
    asyncio.run(run(sh("head -c 1M /dev/zero | tr '\\0' a; echo; echo b"), on_line=lines.append))
    assert lines == ["a" * MAX_LINE + CUT, "b"]


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), max_size=20))
def test_lines_do_not_depend_on_how_the_stream_is_cut(data: bytes, cuts: list[int]) -> None:
    async def lines_of(chunks: list[bytes]) -> list[str]:
        reader = asyncio.StreamReader()
        lines: list[str] = []
        stream = process._Stream(lines.append, None)
        draining = asyncio.ensure_future(stream.drain(reader))
        for chunk in chunks:
            reader.feed_data(chunk)
            await asyncio.sleep(0)
        reader.feed_eof()
        await draining
        assert stream.text() == data.decode(errors="replace")
        return lines

    chunks, rest = [], data
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    assert asyncio.run(lines_of([*chunks, rest])) == asyncio.run(lines_of([data]))


def test_the_log_gets_the_command_and_both_streams(tmp_path: Path) -> None:
    log = tmp_path / "logs/x.log"
    with pytest.raises(CommandError) as caught:
        asyncio.run(run(sh("echo out; echo err >&2; exit 1"), log_to=log))
    asyncio.run(run(["echo", "two words"], log_to=log))
    lines = log.read_text().splitlines()
    assert caught.value.log == log
    assert lines[0].startswith("$ sh -c ")
    assert sorted(lines[1:3]) == ["err", "out"]
    assert lines[3:] == ["$ echo 'two words'", "two words"]


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_LOG", 100_000)
    asyncio.run(run(["head", "-c", "1M", "/dev/zero"], log_to=tmp_path / "log"))
    assert (tmp_path / "log").stat().st_size < 101_000
    assert (tmp_path / "log").read_text().endswith("\n[the log is cut here]\n")


def test_every_command_is_logged_with_its_duration(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "kdevops.process"):
        asyncio.run(run(["echo", "two words"]))
    assert "echo 'two words': 0 in " in caplog.text


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
