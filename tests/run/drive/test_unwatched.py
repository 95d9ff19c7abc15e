"""Guests whose console shows nothing: their own log is read, and where that fails too, the tests were not watched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from kdevops.results.complaints import STRAY_REPORTS
from kdevops.results.model import RunState, Status
from kdevops.results.unwatched import Unwatched
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import LocalTarget, ShellSuite
from tests.support.toy_run import ToyRun

WARNING = "[    3.000000] WARNING: CPU: 0 PID: 1 at fs/xfs/xfs_foo.c:1 xfs_foo+0x1/0x2"
TOY = "while tests of toy ran"


class Bench(ToyRun):
    @property
    def breaks(self) -> str:
        """A shell command after which the guest's own log cannot be read."""
        return f"touch {self.path}/unreadable"

    def chunk(self, scripts: dict[str, str]) -> None:
        self.drive(self.job(ToySuite(scripts, self.path / "leftovers"), seconds=1.0))

    def single(self, scripts: dict[str, str]) -> None:
        assert self.drive(self.job(ShellSuite(scripts))).state is RunState.COMPLETE

    def unwatched(self) -> list[str]:
        return [test.name for test in Unwatched.of(self.store.run(self.run_id).record).tests]

    def strays(self) -> list[tuple[str, str]]:
        return [(each["signature"], each["when"]) for each in self.store.run(self.run_id).record.get(STRAY_REPORTS, [])]

    def kernel(self, text: str) -> str:
        return f"echo '{text}' >>{self.console().with_name('kernel.log')}"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench, run = Bench(tmp_path), LocalTarget.argv
    bench.provider.mute = True
    monkeypatch.setattr("kdevops.run.drive.kernel_log._SHOWN", 0.01)

    def argv(self: LocalTarget, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        if list(command) == ["dmesg"] and (tmp_path / "unreadable").exists():
            return ["false"]
        return run(self, command, tty=tty)

    monkeypatch.setattr(LocalTarget, "argv", argv)
    return bench


def test_what_only_the_guests_own_log_has_is_found_after_a_chunk(bench: Bench) -> None:
    bench.chunk({"a": bench.kernel(WARNING), "b": "true"})
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert bench.strays() == [("WARNING in xfs_foo", TOY)]
    assert bench.unwatched() == []


def test_a_chunk_whose_messages_cannot_be_read_at_all_was_not_watched(bench: Bench) -> None:
    bench.chunk({"a": "true", "b": bench.breaks, "c": "exit 4"})
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS, "c": Status.SKIP}
    assert bench.unwatched() == ["a", "b"]
    assert sum("what the kernel reported during it is unknown" in text for text in bench.troubles()) == 2


def test_a_console_that_is_gone_is_one_that_shows_nothing(bench: Bench) -> None:
    bench.provider.mute = False
    bench.chunk({"a": f"rm {bench.console()}"})
    assert bench.unwatched() == ["a"]


@pytest.mark.parametrize("mute", [False, True])
def test_a_console_or_a_log_that_shows_the_tests_is_enough(bench: Bench, mute: bool) -> None:
    bench.provider.mute = mute
    script = "true" if mute else bench.breaks
    bench.chunk({"a": script})
    assert bench.unwatched() == []
    (bench.path / "unreadable").unlink(missing_ok=True)
    bench.single({"a": script})
    assert bench.unwatched() == []


def test_a_single_test_whose_messages_cannot_be_read_at_all_was_not_watched(bench: Bench) -> None:
    bench.single({"a": "true", "b": bench.breaks})
    assert bench.statuses() == {"a": Status.PASS, "b": Status.PASS}
    assert bench.unwatched() == ["b"]
