"""What the kinds of provider say of a lab, and what is asked of a machine with Vagrant before a kernel is built."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.kernel.artifact import Artifact
from kdevops.lab.model import Lab
from kdevops.progress import silent
from kdevops.providers.shared.machine_state import MachineState
from kdevops.run.built import Built
from kdevops.run.dirs import Dirs
from kdevops.run.guests.kinds import all_kinds, all_rented, kind_of

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
        asyncio.run(kind_of(lab).preflight(lab, Dirs(tmp_path / "state", tmp_path / "cache"), silent))
    except KdevopsError as error:
        return error.message
    return ""


def test_what_lacks_is_told(tmp_path: Path, tools: Path) -> None:
    assert complaint(tmp_path) == "vagrant: missing"
    give(tools, vagrant='echo "Vagrant 2.3.4"')
    assert complaint(tmp_path) == "plugin vagrant-libvirt: missing, Vagrant needs it to use libvirt"
    give(tools, vagrant=VAGRANT, virsh=SOCKET)
    assert "Failed to connect socket to '/run/libvirt/libvirt-sock': No such file or directory" in complaint(tmp_path)
    give(tools, virsh="exit 0")
    assert complaint(tmp_path) == ""
    assert complaint(tmp_path, backend="virtualbox") == "VBoxManage: missing"


def test_machines_that_were_made_are_proof_enough(tmp_path: Path, tools: Path) -> None:
    guest = tmp_path / "state/labs/x/guests/x-1"
    guest.mkdir(parents=True)
    MachineState("").store(guest / "vagrant.json")
    assert complaint(tmp_path) == ""


ADDRESSES = [{"address": "192.0.2.1"}, {"address": "192.0.2.2"}]
BIG = "2 guests (2 CPU, 2 GiB each)"


def lab_with(**provider: Any) -> Lab:
    return Lab.model_validate({"name": "x", "provider": provider, "guests": {"count": 2}})


@pytest.mark.parametrize(
    ("provider", "installs", "box", "alone", "told"),
    [
        ({"type": "qemu"}, False, None, False, BIG),
        ({"type": "vagrant"}, True, "libvirt", True, BIG),
        ({"type": "vagrant", "boot": "direct"}, False, "libvirt", True, BIG),
        ({"type": "vagrant", "backend": "virtualbox"}, True, "virtualbox", True, BIG),
        ({"type": "terraform", "cloud": "aws"}, True, None, False, "2 guests in aws"),
        ({"type": "terraform", "cloud": "gce", "instance_type": "n2"}, True, None, False, "2 guests in gce (n2)"),
        ({"type": "terraform", "module": "mine"}, True, None, False, "2 guests of mine"),
        ({"type": "hosts", "hosts": ADDRESSES}, True, None, False, "2 machines of yours"),
    ],
)
def test_each_kind_knows_its_own(
    provider: dict[str, Any], installs: bool, box: str | None, alone: bool, told: str
) -> None:
    lab = lab_with(**provider)
    kind = kind_of(lab)
    assert kind.installs(lab) == installs
    assert kind.box_provider(lab) == box
    assert kind.one_lab_at_a_time == alone
    assert kind.describe(lab) == told


def test_one_guest_is_not_several() -> None:
    lab = Lab.model_validate({"name": "x", "provider": {"type": "hosts", "hosts": ADDRESSES[:1]}})
    assert kind_of(lab).describe(lab) == "1 machine of yours"


@pytest.mark.parametrize("provider", [{"type": "terraform", "cloud": "aws"}, {"type": "hosts", "hosts": ADDRESSES}])
def test_machines_have_a_root_of_their_own(tmp_path: Path, provider: dict[str, Any]) -> None:
    lab = lab_with(**provider)
    root = asyncio.run(kind_of(lab).build_root(lab, Dirs(tmp_path, tmp_path), silent))
    assert (root.image, root.box, root.origin) == (None, None, {"kind": provider["type"]})


def test_a_box_that_the_lab_names_is_taken_as_it_is(tmp_path: Path) -> None:
    lab = lab_with(type="vagrant", box="debian/bookworm64", box_version="12.1")
    root = asyncio.run(kind_of(lab).build_root(lab, Dirs(tmp_path, tmp_path), silent))
    assert root.image is None
    assert root.box
    assert (root.box.name, root.box.version) == ("debian/bookworm64", "12.1")
    assert root.origin == {"kind": "box", "name": "debian/bookworm64", "version": "12.1", "sha256": None}


def test_a_kernel_that_libvirt_boots_from_somebodys_box_needs_to_know_its_root(tmp_path: Path) -> None:
    elsewhere = "qemu+ssh://me@192.0.2.1/system"  # which is taken to have KVM, so that no kernel is booted to find out
    lab = lab_with(type="vagrant", boot="direct", box="debian/bookworm64", hypervisors=[elsewhere])
    dirs = Dirs(tmp_path / "state", tmp_path / "cache")
    root = asyncio.run(kind_of(lab).build_root(lab, dirs, silent))
    artifact = Artifact("key", tmp_path, tmp_path / "bzImage", "6.1.0", None)
    built = Built(artifact, None, (), box=root.box, origin=root.origin)
    with pytest.raises(UserError, match="needs the root device of box debian/bookworm64") as error:
        asyncio.run(kind_of(lab).provider_for(lab, dirs, built, silent))
    assert "kernel.cmdline: [root=/dev/vda1]" in (error.value.hint or "")


def test_a_kind_is_given_labs_of_its_own() -> None:
    lab = lab_with(type="qemu")
    with pytest.raises(TypeError, match="the provider of lab x is qemu, expected Vagrant"):
        kind_of(lab_with(type="vagrant")).fragments(lab)


def test_of_a_directory_without_labs_nothing_is_rented(tmp_path: Path) -> None:
    assert all_rented(tmp_path / "nowhere") == []
    (tmp_path / "labs/x").mkdir(parents=True)
    assert all_rented(tmp_path / "labs") == []
    (tmp_path / "labs/x/terraform.json").write_text("{")
    ((kind, path, error),) = all_rented(tmp_path / "labs")
    assert type(kind).__name__ == "TerraformKind"
    assert path == tmp_path / "labs/x"
    assert isinstance(error, InfrastructureError)


def test_of_guests_that_no_kind_has_nothing_is_claimed(tmp_path: Path) -> None:
    assert not any(kind.is_down(tmp_path, "x-1", 22) for kind in all_kinds())
    assert not any(kind.connect_terminal(tmp_path, "x-1") for kind in all_kinds())


def test_nobody_types_at_a_console_that_libvirt_has(tmp_path: Path) -> None:
    MachineState("").store(tmp_path / "vagrant.json")
    with pytest.raises(UserError, match="not interactive") as error:
        any(kind.connect_terminal(tmp_path, "x-1") for kind in all_kinds())
    assert "virsh console x-1" in (error.value.hint or "")


def test_to_look_at_all_kinds_costs_next_to_nothing() -> None:
    """`kdevops ssh` does."""
    code = "from kdevops.run.guests.kinds import *; list(all_kinds()); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert {"kdevops.run.guests.qemu", "kdevops.run.guests.terraform"} <= set(loaded)
    heavy = (
        "pydantic",
        "yaml",
        "kdevops.lab",
        "kdevops.providers",
        "kdevops.images",
        "kdevops.kernel",
        "kdevops.suites",
    )
    assert not [name for name in loaded if name.startswith(heavy)]
