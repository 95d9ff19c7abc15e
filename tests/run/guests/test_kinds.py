"""What is asked of a machine with Vagrant before a kernel is built; the tools here are scripts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdevops.errors import KdevopsError
from kdevops.lab.model import Lab
from kdevops.progress import silent
from kdevops.providers.shared.machine_state import Machine
from kdevops.run.guests.kinds import kind_of
from kdevops.run.places import Places

VAGRANT = 'echo "Vagrant 2.3.4"; echo "vagrant-libvirt (0.11.2, system)"'
SOCKET = (
    "echo \"error: Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory\" >&2; exit 1"
)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    return path


def give(tools: Path, **scripts: str) -> None:
    for name, script in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)


def complaint(tmp_path: Path, **provider: str) -> str:
    lab = Lab.model_validate({"name": "x", "provider": {"type": "vagrant", **provider}})
    try:
        asyncio.run(kind_of(lab).preflight(lab, Places(tmp_path / "state", tmp_path / "cache"), silent))
    except KdevopsError as error:
        return error.message
    return ""


def test_what_lacks_is_told(tmp_path: Path, tools: Path) -> None:
    assert complaint(tmp_path) == "vagrant: missing"
    give(tools, vagrant='echo "Vagrant 2.3.4"')
    assert complaint(tmp_path) == "plugin vagrant-libvirt: missing, Vagrant cannot ask libvirt"
    give(tools, vagrant=VAGRANT, virsh=SOCKET)
    assert complaint(tmp_path) == "libvirt's daemon does not run, there is no /run/libvirt/libvirt-sock"
    give(tools, virsh="exit 0")
    assert complaint(tmp_path) == ""
    assert complaint(tmp_path, backend="virtualbox") == "VBoxManage: missing"


def test_machines_that_were_made_are_proof_enough(tmp_path: Path, tools: Path) -> None:
    guest = tmp_path / "state/labs/x/guests/x-1"
    guest.mkdir(parents=True)
    Machine("").store(guest / "vagrant.json")
    assert complaint(tmp_path) == ""
