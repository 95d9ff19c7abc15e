"""Machines elsewhere that are a port of this one: who greets there is real, what ssh answers is made up; nothing is run."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kdevops.guest.ssh import SshTarget
from kdevops.providers.address import Address

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
OTHER_KEY = KEY[:-1] + "B"
# Never runs what it is told: tests run as anybody, root included. A machine's directory is named by its port.
_SSH = """#!{python}
import pathlib, sys, uuid
arguments = sys.argv[1:]
if "-O" in arguments:
    sys.exit(0)
machine = pathlib.Path({directory!r}, arguments[arguments.index("-p") + 1])
command = arguments[-1]
with (machine / "asked").open("a") as asked:
    asked.write(command.replace("\\n", " ") + "\\n")
if (machine / "refuses").exists():
    sys.exit((machine / "refuses").read_text())
if (machine / "mute").exists():
    print("Connection timed out", file=sys.stderr)
    sys.exit(255)
if "boot_id" in command:
    print((machine / "boot_id").read_text())
elif "reboot -f" in command:
    (machine / "boot_id").write_text(str(uuid.uuid4()))
elif "pstore" in command and "-delete" in command:
    (machine / "pstore").unlink(missing_ok=True)
elif "pstore" in command and (machine / "pstore").exists():
    print((machine / "pstore").read_text())
elif "virtio-kd" in command and (machine / "bad-disk").exists():
    print((machine / "bad-disk").read_text())
    sys.exit(9)
"""
_KEYSCAN = """#!/bin/sh
echo "[127.0.0.1] {key}"
"""


@dataclass
class Toy:
    """One machine."""

    directory: Path
    port: int
    server: asyncio.Server
    place: Address
    booted: int = 0

    def boot(self) -> None:
        """As a reset does it."""
        (self.directory / "boot_id").write_text(str(uuid.uuid4()))
        (self.directory / "mute").unlink(missing_ok=True)
        self.booted += 1

    def resets_by(self) -> tuple[str, ...]:
        """A command that resets it."""
        script = "import pathlib, sys, uuid; d = pathlib.Path(sys.argv[1]); (d / 'mute').unlink(missing_ok=True); "
        script += "(d / 'boot_id').write_text(str(uuid.uuid4())); (d / 'reset').open('a').write('x')"
        return (sys.executable, "-c", script, str(self.directory))

    @property
    def asked(self) -> list[str]:
        path = self.directory / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def resets(self) -> int:
        path = self.directory / "reset"
        return len(path.read_text()) if path.exists() else 0


@dataclass
class ToyMachines:
    """Who has them; `gone` are those that were taken away."""

    places: dict[str, Address] = field(default_factory=dict)
    started: list[tuple[str, ...]] = field(default_factory=list)
    stopped: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def why(self) -> str:
        return "toys"

    async def preflight(self, names: tuple[str, ...]) -> None:
        pass

    async def start(self, names: tuple[str, ...]) -> Mapping[str, Address]:
        self.started.append(names)
        return {name: self.places[name] for name in names}

    async def stop(self, names: tuple[str, ...] = ()) -> None:
        self.stopped.append(names)

    async def states(self) -> Mapping[str, str]:
        return dict.fromkeys(self.places, "running")

    def known(self) -> Mapping[str, Address]:
        return self.places if self.started else {}

    def command_lines(self) -> Mapping[str, list[str]]:
        return {name: ["toy", name] for name in self.places}


@dataclass
class Installed:
    """What was to be installed; a kernel with other parameters is booted."""

    toys: dict[str, Toy]
    calls: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    _running: dict[str, tuple[str, ...]] = field(default_factory=dict)

    async def __call__(self, targets: Sequence[SshTarget], words: Sequence[str]) -> None:
        self.calls.append((tuple(target.name for target in targets), tuple(words)))
        for target in targets:
            if self._running.get(target.name) != tuple(words):
                self._running[target.name] = tuple(words)
                self.toys[target.name].boot()


def stub(directory: Path, monkeypatch: pytest.MonkeyPatch, *, key: str = KEY) -> None:
    """Have ssh and ssh-keyscan be made up for the machines in `directory`."""
    binaries = directory / "bin"
    binaries.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "ssh": _SSH.format(python=sys.executable, directory=str(directory)),
        "ssh-keyscan": _KEYSCAN.format(key=key),
    }.items():
        (binaries / name).write_text(text)
        (binaries / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(binaries), prepend=":")


async def toy(directory: Path, name: str, **more: object) -> Toy:
    """A machine that is up."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-toy\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    own = directory / str(port)
    own.mkdir(parents=True)
    place = replace(Address("127.0.0.1", port, identity=name), **more)  # type: ignore[arg-type]
    made = Toy(own, port, server, place)
    made.boot()
    return made


def told(path: Path) -> object:
    """What is remembered in a file."""
    return json.loads(path.read_text())
