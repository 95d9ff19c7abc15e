"""ssh to guests: pinned host keys, one shared connection per guest, argv lists quoted in one place."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from kdevops.clock import Held, OutOfTimeError, within
from kdevops.errors import BrokenSshError, CommandError, InfrastructureError, LostGuestError
from kdevops.process import Completed, describe_exit, run

_LOST = 255
"""ssh's exit code for "no connection"; a remote command that exits with 255 looks the same."""
_GREETING = 2.0
"""Seconds to wait for an ssh server's banner at first, and at most (_PATIENCE) after a long wait."""
_PATIENCE = 30.0
_BETWEEN = 0.5
_PROXY = "ProxyCommand"
_OUR_TROUBLE = re.compile(
    r"^(?:unix_listener|muxserver_listen|control_persist_detach|ControlPath|ssh: Could not resolve hostname)\b"
    r"|(?:fork failed: .*|Too many open files|Cannot allocate memory|Network is unreachable)$"
)
"""OpenSSH's messages (mux.c, misc.c, ssh.c, sshconnect.c) about local sockets, memory and network."""
_AS_ROOT = ("sudo", "-n", "--")


@dataclass(frozen=True, slots=True)
class SshTarget:
    """How to reach one guest. `name` is also the alias under which its host key is pinned in `known_hosts`.

    Without a `key`, those of the user's agent and ssh directory are tried. Commands run as root: another `user` uses sudo,
    which must not ask for a password. `jump` is the ssh command that logs in to a jump host, if the guest can only be
    reached from there.
    """

    name: str
    host: str
    port: int
    user: str
    key: Path | None
    known_hosts: Path
    control: Path | None = None
    jump: tuple[str, ...] = ()

    @property
    def is_root(self) -> bool:
        """Whether the login user is root."""
        return self.user == "root"

    def options(self) -> tuple[tuple[str, str], ...]:
        """ssh_config(5) keywords and values. Curve25519 and ChaCha20 are the cheapest pair for an emulated CPU."""
        identity = (("IdentityFile", str(self.key)), ("IdentitiesOnly", "yes")) if self.key else ()
        always = (
            *identity,
            ("UserKnownHostsFile", str(self.known_hosts)),
            ("GlobalKnownHostsFile", "/dev/null"),
            ("HostKeyAlias", self.name),
            ("StrictHostKeyChecking", "yes"),
            ("HostKeyAlgorithms", "ssh-ed25519"),
            ("KexAlgorithms", "curve25519-sha256"),
            ("Ciphers", "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes128-ctr"),
            ("PasswordAuthentication", "no"),
            ("ForwardAgent", "no"),
            ("ServerAliveInterval", "15"),
            ("ServerAliveCountMax", "8"),
            ("LogLevel", "ERROR"),
        )
        if self.jump:
            always = (*always, (_PROXY, shlex.join([*self.jump, "-W", f"[{self.host}]:{self.port}"])))
        if self.control is None:
            return always
        return (*always, ("ControlMaster", "auto"), ("ControlPath", str(self.control)), ("ControlPersist", "120"))

    def argv(self, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        """The ssh command line that runs `command` in the guest, or a login shell without one."""
        words = ["ssh", "-F", "none", "-p", str(self.port), "-l", self.user]
        for keyword, value in self.options():
            words += ["-o", f"{keyword}={quote_option(keyword, value)}"]
        words += ["-t"] if tty else (["-T"] if command else [])
        words.append(self.host)
        if not command:
            return words
        return [*words, "--", shlex.join(command if self.is_root else [*_AS_ROOT, *command])]

    async def run(
        self,
        command: Sequence[str],
        *,
        timeout: float | None,
        stdin: bytes | BinaryIO | None = None,
        check: bool = True,
        on_line: Callable[[str], None] | None = None,
        on_bytes: Callable[[bytes], None] | None = None,
        log_to: Path | None = None,
    ) -> Completed:
        """Run `command` in the guest. `timeout` (seconds) is enforced on our side only; None: the caller watches it.

        Raises LostGuestError when the connection breaks or cannot be made, BrokenSshError when our own ssh is certainly
        the cause, CommandError when the deadline passes or, with `check`, when the command fails.
        """
        self._mend_control()
        done = await run(
            self.argv(command),
            timeout=timeout,
            stdin=stdin,
            check=False,
            on_line=on_line,
            on_bytes=on_bytes,
            log_to=log_to,
        )
        if done.returncode < 0:
            raise BrokenSshError(f"the ssh to guest {self.name} {describe_exit(done.returncode)}")
        if done.returncode == _LOST:
            reason = (done.stderr.strip().splitlines() or ["connection closed"])[-1]
            if _OUR_TROUBLE.search(reason):
                raise BrokenSshError(f"ssh to guest {self.name} fails on this machine: {reason}")
            raise LostGuestError(f"guest {self.name} does not answer over ssh: {reason}")
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            message = f"{command[0]} in guest {self.name} failed with exit code {done.returncode}: {''.join(said)}"
            raise CommandError(message, argv=tuple(command), returncode=done.returncode, output=done.stderr, log=log_to)
        return done

    async def answers(self, *, timeout: float) -> bool:
        """Whether the guest runs a command within `timeout` seconds, over a new, unshared connection."""
        with contextlib.suppress(InfrastructureError):
            await self.disconnect()
        alone = replace(self, control=None)
        end = time.monotonic() + timeout
        while True:
            with contextlib.suppress(InfrastructureError):
                # Behind a jump host, we cannot ask for the banner.
                if self.jump or await wait_for_banner(self.host, self.port, timeout=timeout, gone=lambda: False):
                    await alone.run(["true"], timeout=timeout)
                    return True
            if not self.jump or time.monotonic() >= end:
                return False
            await asyncio.sleep(_BETWEEN)

    async def push_tar(self, archive: Path, directory: str, *, timeout: float) -> None:
        """Unpack a local uncompressed tar archive into a guest directory."""
        with archive.open("rb") as file:
            script = 'mkdir -p "$1" && exec tar -x -C "$1" -f -'
            await self.run(["sh", "-c", script, "sh", directory], timeout=timeout, stdin=file)

    def _mend_control(self) -> None:
        """Recreate the directory of the shared connection's socket if it was removed: ssh fails without it."""
        if self.control and not self.control.parent.is_dir():
            with contextlib.suppress(OSError):  # then ssh reports the cause
                self.control.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def disconnect(self) -> None:
        """Close the shared connection, so that it is not used after a guest was reset."""
        if self.control is None or not self.control.exists():
            return
        await run(
            ["ssh", "-F", "none", "-O", "exit", "-o", f"ControlPath={self.control}", self.host], timeout=10, check=False
        )
        self.control.unlink(missing_ok=True)


def quote_option(keyword: str, value: str) -> str:
    """ssh parses -o values as configuration lines: blanks need quotes, and % introduces tokens.

    The value of ProxyCommand is a shell command, so its quotes are kept.
    """
    if keyword == _PROXY:
        return value.replace("%", "%%")
    return '"' + value.replace("%", "%%") + '"' if set(value) & set(" %\t") else value


async def wait_for_banner(
    host: str, port: int, *, timeout: float, gone: Callable[[], bool], held: Held | None = None
) -> bool:
    """Wait for an ssh server's banner on `host`:`port`; False when `gone()` says that the guest is gone, or time is up.

    Seconds in which this process was held up do not count, nor those in which `held` says why the machine does not run.
    A connect alone proves nothing: user-mode networks accept it before the guest is up. The longer it takes, the longer we
    wait for each answer: each connection costs a slow guest a process, and too many would overload it.
    """
    try:
        return await within(_banner(host, port, gone), timeout, held=held)
    except OutOfTimeError:
        return False


async def _banner(host: str, port: int, gone: Callable[[], bool]) -> bool:
    began = time.monotonic()
    while not gone():
        waited = time.monotonic() - began
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _GREETING)
            try:
                patience = min(_PATIENCE, max(_GREETING, waited / 5))
                if (await asyncio.wait_for(reader.read(8), patience)).startswith(b"SSH-"):
                    return True
            finally:
                writer.close()
        await asyncio.sleep(0.1)
    return False
