"""`kdevops console`: what it shows, of whom, and what it says where there is nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kdevops.cli.guests import console
from kdevops.errors import KdevopsError, UserError
from kdevops.guest.sshconfig import config_path


@pytest.fixture
def state() -> Path:
    return Path(os.environ["KDEVOPS_STATE"])


def show(*arguments: str) -> Result:
    return CliRunner().invoke(console, arguments)


def error_of(result: Result) -> KdevopsError:
    assert isinstance(result.exception, KdevopsError)
    return result.exception


def recorded(state: Path, guest: str, text: str) -> None:
    path = state / "labs" / guest.rpartition("-")[0] / "guests" / guest / "console.log"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def known_to_ssh(state: Path, guest: str) -> None:
    path = config_path(state, guest.rpartition("-")[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"Host {guest}\n")


def test_the_console_of_a_guest_that_never_came_up_is_shown(state: Path) -> None:
    recorded(state, "patch-1", "one\ntwo\nKernel panic - not syncing\n")
    assert show("patch-1", "-n", "2").output == "two\nKernel panic - not syncing\n"
    assert show("patch-1", "-n", "0").output == ""


def test_what_a_guest_prints_cannot_steer_the_terminal(state: Path) -> None:
    recorded(state, "patch-1", "\x1b]0;evil\x07red\n")
    assert "\x1b" not in show("patch-1").output


def test_a_guest_without_a_console_is_told_of(state: Path) -> None:
    known_to_ssh(state, "rack-1")
    error = error_of(show("rack-1"))
    assert isinstance(error, UserError)
    assert "there is no console log" in str(error)
    assert "kdevops ssh rack-1 dmesg" in (error.hint or "")


@pytest.mark.parametrize("name", ["patch-9", "../patch-1", "*", ""])
def test_nobody_s_console(state: Path, name: str) -> None:
    recorded(state, "patch-1", "one\n")
    assert "unknown guest" in str(error_of(show(name)))


def test_of_a_console_that_cannot_be_typed_at_nothing_untrue_is_told(state: Path) -> None:
    """A machine in a rack has nothing to do with libvirt."""
    recorded(state, "rack-1", "one\n")
    error = error_of(show("rack-1", "-i"))
    assert isinstance(error, UserError)
    assert str(error) == "the console of rack-1 is not interactive"
    assert error.hint == "log in: kdevops ssh rack-1"
