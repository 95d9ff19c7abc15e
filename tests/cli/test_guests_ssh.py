"""`kdevops ssh` to a guest that is not up: said as such where that is known, and left to ssh where it is not."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdevops.__main__ import main
from kdevops.paths import state_dir


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of an embedded guest that is down; ssh is started in name only."""
    monkeypatch.setenv("KDEVOPS_STATE", str(tmp_path / "state"))
    lab = state_dir() / "labs/demo"
    directory = lab / "guests/demo-1"
    directory.mkdir(parents=True)
    (lab / "ssh_config").write_text("Host demo-1\n  HostName 127.0.0.1\n  Port 45063\nHost demo-2\n  Port 1\n")
    argv = ["qemu", "-netdev", "user,id=net0,hostfwd=tcp:127.0.0.1:45063-10.0.2.15:22"]
    (directory / "keeper.json").write_text(json.dumps({"argv": argv}))
    (directory / "keeper.lock").write_text("1")
    return directory


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    words: list[str] = []
    monkeypatch.setattr(os, "execvp", lambda _, argv: words.extend(argv))
    return words


def test_a_guest_that_is_down_is_told_so(guest: Path, started: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ssh", "demo-1", "uname"]) == 2
    told = capsys.readouterr().err
    assert "demo-1 is not up" in told
    assert "start the guests of lab demo with: kdevops up LAB" in told
    assert not started


def test_a_guest_that_was_taken_down_is_told_of_in_the_same_words(
    guest: Path, started: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (guest.parents[1] / "ssh_config").unlink()
    (guest / "console.log").write_text("its last words\n")
    assert main(["ssh", "demo-1", "uname"]) == 2
    assert "demo-1 is not up" in capsys.readouterr().err
    assert not started


def test_a_guest_that_runs_is_entered(guest: Path, started: list[str]) -> None:
    with (guest / "keeper.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        main(["ssh", "demo-1", "uname"])
    assert started[:1] == ["ssh"]


@pytest.mark.parametrize("known", ["nothing", "another's"])
def test_where_nothing_is_known_ssh_is_asked(guest: Path, started: list[str], known: str) -> None:
    """Guests of other providers may be up without our knowing, also in a lab whose guests were embedded once."""
    if known == "nothing":
        (guest / "keeper.json").unlink()
    else:
        (guest.parents[1] / "ssh_config").write_text("Host demo-1\n  HostName 127.0.0.1\n  Port 2222\n")
    main(["ssh", "demo-1", "uname"])
    assert started[:1] == ["ssh"]
