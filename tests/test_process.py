"""The one door for subprocesses."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops import process
from kdevops.errors import CommandError, InfrastructureError
from kdevops.process import CUT, MAX_LINE, MAX_OUTPUT, Completed, describe_exit, failure, run
from tests.support.commands import sh


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
    with pytest.raises(CommandError, match="no permission to execute"):
        asyncio.run(run([tmp_path / "tool"]))


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_a_word_that_no_command_line_can_hold_is_an_error_in_prose(word: str) -> None:
    with pytest.raises(CommandError, match="cannot start"):
        asyncio.run(run(["echo", word]))


def test_a_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"directory .*nowhere is gone"):
        asyncio.run(run(["true"], cwd=tmp_path / "nowhere"))


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
