"""The command line of ssh."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops import clock
from kdevops.errors import BrokenSshError, LostGuestError
from kdevops.guest import ssh
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


@given(
    st.text(st.characters(exclude_characters='\0\n\r"', codec="utf-8"), min_size=1),
    st.sampled_from(["192.0.2.1", "fe80::1%eth0"]),
)
def test_a_jump_is_a_command_that_a_shell_takes_apart_as_it_was(word: str, host: str) -> None:
    words = replace(ROOT, host=host, jump=("ssh", "-i", word, "big")).argv(["true"])
    (value,) = [value.removeprefix("ProxyCommand=") for value in words if value.startswith("ProxyCommand=")]
    assert shlex.split(value.replace("%%", "%")) == ["ssh", "-i", word, "big", "-W", f"[{host}]:22"]
    assert "%" not in value.replace("%%", ""), "ssh would put something there"


def test_ssh_itself_takes_the_jump_for_what_it_is(tmp_path: Path) -> None:
    jump = ("sh", "-c", 'printf "%s\n" "$@" >"$0"', str(tmp_path / "said 100%"))
    words = replace(ROOT, jump=jump, known_hosts=tmp_path / "known hosts").argv(["true"])
    assert subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 255
    assert (tmp_path / "said 100%").read_text().split() == ["-W", "[192.0.2.1]:22"]


@pytest.mark.parametrize("comes_up", [True, False])
def test_a_guest_behind_a_jump_is_waited_for_by_asking_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes_up: bool
) -> None:
    monkeypatch.setattr(ssh, "_BETWEEN", 0.01)
    asked = 0

    async def answer(*_: object, **__: object) -> None:
        nonlocal asked
        asked += 1
        if asked < 3 or not comes_up:
            raise LostGuestError("no route")

    monkeypatch.setattr(SshTarget, "run", answer)
    target = replace(ROOT, jump=("ssh", "big"))
    assert asyncio.run(target.answers(timeout=20 if comes_up else 0.2)) is comes_up
    assert asked >= 3


@pytest.mark.parametrize("slow", [0.0, 0.3])
def test_a_slow_server_is_given_more_time_instead_of_more_connections(
    slow: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "_GREETING", 0.05)
    connections = 0

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await asyncio.sleep(slow)
        with contextlib.suppress(ConnectionError):
            writer.write(b"SSH-2.0-x\r\n")
            await writer.drain()
        writer.close()

    async def wait() -> bool:
        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        found = await ssh.wait_for_banner("127.0.0.1", port, timeout=20, gone=lambda: False)
        server.close()
        return found

    assert asyncio.run(wait())
    assert connections < 20


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a script in the place of ssh."""

    def put(script: str) -> None:
        path = tmp_path / "bin/ssh"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return put


@pytest.mark.parametrize(
    ("script", "ours"),
    [
        ("kill -9 $$", True),
        ("echo 'unix_listener: cannot bind to path /run/x.ssh.Q: No such file or directory' >&2; exit 255", True),
        ("echo 'ssh: connect to host 192.0.2.1 port 22: Network is unreachable' >&2; exit 255", True),
        ("echo 'ssh: connect to host 192.0.2.1 port 22: Connection refused' >&2; exit 255", False),
        ("echo 'Connection to 192.0.2.1 closed by remote host.' >&2; exit 255", False),
        ("exit 255", False),
    ],
)
def test_a_way_that_broke_on_our_side_is_told_from_a_guest_that_was_lost(
    fake_ssh: Callable[[str], None], script: str, ours: bool
) -> None:
    fake_ssh(script)
    with pytest.raises(LostGuestError) as caught:
        asyncio.run(ROOT.run(["true"], timeout=30))
    assert isinstance(caught.value, BrokenSshError) is ours


def test_the_directory_of_shared_connections_is_made_again(fake_ssh: Callable[[str], None], tmp_path: Path) -> None:
    target = replace(ROOT, control=tmp_path / "gone/x.ssh")
    fake_ssh(f"test -d {tmp_path}/gone && echo there")
    assert asyncio.run(target.run(["true"], timeout=30)).stdout == "there\n"
    assert (tmp_path / "gone").stat().st_mode & 0o777 == 0o700


def test_whether_a_guest_answers_is_asked_over_a_connection_of_its_own(
    fake_ssh: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def greets(*_: object, **__: object) -> bool:
        return True

    monkeypatch.setattr(ssh, "wait_for_banner", greets)
    (tmp_path / "file").touch()  # no directory can be made there
    target = replace(ROOT, control=tmp_path / "file/x.ssh")
    fake_ssh('case "$*" in *Control*) exit 255;; esac')
    assert asyncio.run(target.answers(timeout=30))


def test_a_machine_that_is_held_is_waited_for_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "POLL", 0.02)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n")
        await writer.drain()
        writer.close()

    async def wait(hold: bool) -> bool:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        held_until = asyncio.get_running_loop().time() + 1.5

        async def held() -> str:
            return "its disk is full" if hold and asyncio.get_running_loop().time() < held_until else ""

        waiting = asyncio.create_task(
            ssh.wait_for_banner("127.0.0.1", port, timeout=0.5, gone=lambda: False, held=held)
        )
        await asyncio.sleep(1.5)
        server = await asyncio.start_server(greet, "127.0.0.1", port)
        found = await waiting
        server.close()
        return found

    assert asyncio.run(wait(True))
    assert not asyncio.run(wait(False))
