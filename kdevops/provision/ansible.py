"""Run a shipped playbook with Ansible, report tasks as progress and turn failures into errors for people."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from kdevops.errors import InfrastructureError, PlayError
from kdevops.paths import data_dir
from kdevops.progress import Progress, Report
from kdevops.provision import mortal_playbook

_THIS_MACHINE = "localhost,"
_FORKS = 16
_CANCEL_POLL = 0.5
"""Seconds until a cancelled play notices; ansible-runner's default is 5."""
_MESSAGE_LIMIT = 400
_SAYS_NOTHING = ("non-zero return code", "MODULE FAILURE", "Module result deserialization failed")
"""Prefixes of Ansible's generic messages; the module's output says more."""
_UNREACHABLE = "check whether the guest is up: kdevops status"
_PASSWORD_PROMPT = r"^BECOME password:\s*$"  # noqa: S105 - Ansible's prompt, not a password


@dataclass(frozen=True, slots=True)
class PlayResult:
    """A successful play: number of ok and changed tasks per host. `seconds` is wall time."""

    ok: Mapping[str, int]
    changed: Mapping[str, int]
    seconds: float


async def play(
    playbook: str,
    *,
    inventory: Path | None,
    report: Report,
    log: Path,
    timeout: float,
    extravars: Mapping[str, Any] | None = None,
    become_password: str | None = None,
    skip_tags: Sequence[str] = (),
) -> PlayResult:
    """Run the shipped `playbook` ("controller.yml") on `inventory`, None for this machine; `timeout` is in seconds.

    Everything that Ansible prints is appended to `log`. `extravars` stand on a command line: no secrets there. The
    password goes to Ansible's prompt and nowhere else. Tasks tagged with one of `skip_tags` are left out.

    Raises PlayError with hosts, tasks and the modules' messages; InfrastructureError where Ansible cannot be run.
    """
    path = data_dir("playbooks") / playbook
    loop = asyncio.get_running_loop()
    watcher = _Watcher(lambda news: _tell(loop, report, news), path.stem)
    stop = threading.Event()
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kdevops-ansible-") as private, log.open("a") as sink:
        watcher.sink = sink
        arguments = _arguments(path, Path(private), inventory, timeout, extravars or {}, become_password, skip_tags)
        job = asyncio.create_task(asyncio.to_thread(_run, arguments, watcher, stop))
        try:
            status = await asyncio.shield(job)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait({job})
            raise
    if status == "successful" and watcher.ok:
        report(Progress(watcher.step, f"{sum(watcher.changed.values())} changed", fraction=1.0, done=True))
        return PlayResult(watcher.ok, watcher.changed, time.monotonic() - started)
    raise watcher.error(path.name, status, timeout, log)


def _arguments(
    playbook: Path,
    private: Path,
    inventory: Path | None,
    timeout: float,
    extravars: Mapping[str, Any],
    become_password: str | None,
    skip_tags: Sequence[str],
) -> dict[str, Any]:
    (private / "env").mkdir()
    (private / "env/settings").write_text(json.dumps({"pexpect_timeout": _CANCEL_POLL}))
    (private / "ansible.cfg").touch()
    options = [] if inventory else ["--inventory", _THIS_MACHINE]
    if become_password is not None:
        options.append("--ask-become-pass")
    if skip_tags:
        options += ["--skip-tags", ",".join(skip_tags)]
    return {
        **({"inventory": str(inventory)} if inventory else {}),
        **({"cmdline": shlex.join(options)} if options else {}),
        "private_data_dir": str(private),
        "playbook": str(playbook),
        "extravars": _verbatim(extravars),
        "passwords": {_PASSWORD_PROMPT: become_password} if become_password is not None else None,
        "suppress_env_files": True,  # or the password would be written to a file
        "envvars": environment(private),
        "timeout": max(1, round(timeout)),
        "forks": _FORKS,
        "quiet": True,
    }


def _verbatim(value: Any) -> Any:
    """Mark strings with braces as unsafe, because Ansible would treat them as templates, which can run any command here.

    The format is that of ansible.parsing.ajson.
    """
    if isinstance(value, Mapping):
        return {name: _verbatim(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_verbatim(entry) for entry in value]
    return {"__ansible_unsafe": value} if isinstance(value, str) and "{" in value else value


def environment(private: Path) -> dict[str, str]:
    """Environment for Ansible: our roles, our tools first on PATH, and no ansible.cfg but our own."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    mortal = private / "bin/ansible-playbook"
    mortal.parent.mkdir()
    # Use our interpreter, which has ansible-core; -I: import nothing from the current directory.
    words = shlex.join([sys.executable, "-I", mortal_playbook.__file__, str(os.getpid())])
    mortal.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    mortal.chmod(0o700)
    return {
        "PATH": os.pathsep.join([str(mortal.parent), path]),
        "LC_ALL": "C.UTF-8",  # Ansible requires UTF-8
        "ANSIBLE_CONFIG": str(private / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(data_dir("roles")),
        "ANSIBLE_LOCAL_TEMP": str(private / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
    }


def _run(arguments: dict[str, Any], watcher: _Watcher, stop: threading.Event) -> str:
    import ansible_runner

    try:
        runner = ansible_runner.run(event_handler=watcher.see, cancel_callback=stop.is_set, **arguments)
    except OSError as error:  # no pseudo-terminal, no process, no space
        raise InfrastructureError(f"cannot run Ansible: {error.strerror or error}") from error
    return str(runner.status)


def _tell(loop: asyncio.AbstractEventLoop, report: Report, news: Progress) -> None:
    with contextlib.suppress(RuntimeError):  # the loop closed before the last task of a cancelled play ended
        loop.call_soon_threadsafe(report, news)


@dataclass
class _Watcher:
    """Handles ansible-runner's events, in its thread."""

    report: Report
    playbook: str
    sink: TextIO | None = None
    ok: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    unreachable: list[tuple[str, str]] = field(default_factory=list)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    @property
    def step(self) -> str:
        return f"ansible {self.playbook}"

    def see(self, event: dict[str, Any]) -> bool:
        """Handle one event; returns False so that ansible-runner does not keep it."""
        if text := str(event.get("stdout") or ""):
            self.tail.extend(text.splitlines())
            assert self.sink
            self.sink.write(f"{text}\n")
            self.sink.flush()
        data = event.get("event_data") or {}
        match event.get("event"):
            case "playbook_on_task_start":
                self.report(Progress(self.step, _printable(str(data.get("task", "")))))
            case "runner_on_failed" if not data.get("ignore_errors"):
                host, message = str(data.get("host")), _module_message(data.get("res") or {})
                self.failures.append((host, f"{host}, task “{data.get('task')}”: {message}"))
            case "runner_on_unreachable":
                host, message = str(data.get("host")), _module_message(data.get("res") or {})
                self.unreachable.append((host, f"{host} is unreachable: {message}"))
            case "playbook_on_stats":
                self.ok, self.changed = dict(data.get("ok") or {}), dict(data.get("changed") or {})
        return False

    def error(self, playbook: str, status: str, timeout: float, log: Path) -> PlayError:
        """Why the play failed, for each host and for all."""
        hosts: dict[str, InfrastructureError] = {}
        for host, reason in reversed(self.unreachable + self.failures):  # the first of several counts
            unreachable = any(host == each for each, _ in self.unreachable)
            message = f"playbook {playbook} failed on {_printable(reason)}"
            hosts[host] = InfrastructureError(message, hint=_UNREACHABLE if unreachable else None, log=log)
        hint = _UNREACHABLE if self.unreachable else None
        return PlayError(self._explain(playbook, status, timeout), hosts=hosts, hint=hint, log=log)

    def _explain(self, playbook: str, status: str, timeout: float) -> str:
        if reasons := self.unreachable + self.failures:
            return f"playbook {playbook} failed on " + "; ".join(_printable(reason) for _, reason in reasons)
        if status == "timeout":
            return f"playbook {playbook} did not finish within {timeout:g} s and was stopped"
        if status == "successful":
            return f"playbook {playbook} matched no hosts"
        return f"cannot run playbook {playbook}: {_printable(next(self._complaints(), 'no output from Ansible'))}"

    def _complaints(self) -> Iterator[str]:
        yield from (line for line in self.tail if "ERROR" in line)
        yield from (line for line in reversed(self.tail) if line.strip())


def _module_message(result: Mapping[str, Any]) -> str:
    """A module's error message: for a loop, of the failed item; for a command, its last output."""
    failed = next(
        (item for item in result.get("results") or () if isinstance(item, dict) and item.get("failed")), result
    )
    words = str(failed.get("msg") or "")
    if words.startswith(_SAYS_NOTHING) or not words:
        said = [
            str(failed.get(stream) or "").strip() for stream in ("stderr", "module_stderr", "stdout", "module_stdout")
        ]
        words = next((_gist(text) for text in said if text), words or "no message")
        if "rc" in failed:
            words += f" (exit code {failed['rc']})"
    return words


def _gist(text: str) -> str:
    """The line with the error: the one after "error: " (from our own programs), else the last."""
    lines = text.splitlines()
    return next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[-1])


def _printable(text: str) -> str:
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= _MESSAGE_LIMIT else line[: _MESSAGE_LIMIT - 1] + "…"
