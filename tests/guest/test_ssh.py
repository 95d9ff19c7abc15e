"""The command line of ssh."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kdevops.guest.ssh import SshTarget

ROOT = SshTarget("lab-1", "192.0.2.1", 22, "root", Path("/key"), Path("/known"))


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1))
def test_a_command_is_one_word_that_a_shell_takes_apart_as_it_was(command: list[str]) -> None:
    *words, last = ROOT.argv(command)
    assert words[-2:] == ["192.0.2.1", "--"]
    assert shlex.split(last) == command


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1))
def test_whoever_is_not_root_runs_it_by_sudo_which_never_asks(command: list[str]) -> None:
    assert shlex.split(replace(ROOT, user="me").argv(command)[-1]) == ["sudo", "-n", "--", *command]


def test_a_login_is_the_user_s_own() -> None:
    assert replace(ROOT, user="me").argv()[-1] == "192.0.2.1"


def test_without_a_key_ssh_tries_what_the_user_has() -> None:
    with_key, without = dict(ROOT.options()), dict(replace(ROOT, key=None).options())
    assert with_key.items() - without.items() == {("IdentityFile", "/key"), ("IdentitiesOnly", "yes")}
    assert without["HostKeyAlgorithms"] == "ssh-ed25519"
    assert without["StrictHostKeyChecking"] == "yes"
