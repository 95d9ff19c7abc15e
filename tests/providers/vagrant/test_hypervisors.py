"""What is removed is this lab's, and of one guest only what is that guest's; `virsh` here is a script with a list of names."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from kdevops.errors import CommandError, InfrastructureError
from kdevops.lab.vagrant import Vagrant
from kdevops.providers.shared.machine_state import DeathWatch
from kdevops.providers.vagrant import hypervisors as vagrant_hypervisors
from kdevops.providers.vagrant.hypervisors import Hypervisors, console_of, jump_to
from kdevops.providers.vagrant.provider import VagrantGuest

PREFIX = "kdevops-lab-0123abcd-"
DOMAINS = ("lab-1", "lab-10", "lab-1-dev-1")
VOLUMES = ("lab-1.img", "lab-1-vdb.qcow2", "lab-10.img", "lab-10-vdb.qcow2", "lab-1-dev-1.img")
VIRSH = """#!/bin/sh
shift 3 # --quiet --connect URI
echo "$*" >>"$LISTS/said"
case $1 in
list | net-list | vol-list | domstate) cat "$LISTS/$1" 2>/dev/null ;;
esac
exit 0
"""


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "bin/virsh"
    script.parent.mkdir()
    script.write_text(VIRSH)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("LISTS", str(tmp_path))
    stranger = "kdevops-lab-ffffffff-lab-1"
    (tmp_path / "list").write_text("\n".join([stranger, *(PREFIX + name for name in DOMAINS), "\n"]))
    (tmp_path / "vol-list").write_text("\n".join(f" {PREFIX}{name}  /pool/{name}" for name in VOLUMES))
    return tmp_path


def removed(lists: Path) -> set[str]:
    words = [line.split() for line in (lists / "said").read_text().splitlines()]
    return {line[-1] if line[0] == "vol-delete" else line[1] for line in words if line[0] in {"undefine", "vol-delete"}}


def test_everything_of_the_lab_and_nothing_of_another(lists: Path) -> None:
    hypervisors = Hypervisors(Vagrant(type="vagrant"), PREFIX)
    assert asyncio.run(hypervisors.found()) == [PREFIX + name for name in DOMAINS]
    asyncio.run(hypervisors.remove())
    assert removed(lists) == {PREFIX + name for name in (*DOMAINS, *VOLUMES)}


def test_one_guest_and_not_those_whose_names_begin_alike(lists: Path) -> None:
    asyncio.run(Hypervisors(Vagrant(type="vagrant"), PREFIX).remove("lab-1"))
    assert removed(lists) == {PREFIX + name for name in ("lab-1", "lab-1.img", "lab-1-vdb.qcow2")}


def test_every_hypervisor_is_asked(lists: Path) -> None:
    several = Vagrant(type="vagrant", hypervisors=("qemu:///system", "qemu+ssh://host/system"))
    assert len(asyncio.run(Hypervisors(several, PREFIX).found())) == 2 * len(DOMAINS)


def test_a_hypervisor_that_does_not_answer_is_told(lists: Path) -> None:
    (lists / "bin/virsh").write_text("#!/bin/sh\necho 'error: failed to connect to the hypervisor' >&2\nexit 1\n")
    with pytest.raises(CommandError) as error:
        asyncio.run(Hypervisors(Vagrant(type="vagrant"), PREFIX).found())
    assert "failed to connect" in error.value.output


def test_complaints_are_in_the_language_that_they_are_known_in(lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    (lists / "bin/virsh").write_text('#!/bin/sh\necho "$LC_ALL/$LANGUAGE" >&2\nexit 1\n')
    with pytest.raises(CommandError) as error:
        asyncio.run(Hypervisors(Vagrant(type="vagrant"), PREFIX).found())
    assert error.value.output == "C/\n"


ASIDE = """#!/bin/sh
uri=$3
shift 3
echo "$uri $*" >>"$LISTS/said"
[ "$uri" != "$DOWN" ] || { echo "error: Failed to connect socket: Connection refused" >&2; exit 1; }
case "$1 $uri" in
"list qemu:///system" | "vol-list qemu:///system") cat "$LISTS/$1" ;;
esac
"""
"""Only this machine's libvirt has any."""


def moved(lists: Path) -> Hypervisors:
    """What a lab has whose lab file named another hypervisor when its machines were made."""
    (lists / "bin/virsh").write_text(ASIDE)
    note = lists / "hypervisors.json"
    Hypervisors(Vagrant(type="vagrant", pool="old"), PREFIX, note).remember()
    moved = Hypervisors(Vagrant(type="vagrant", hypervisors=("qemu+tls://big/system",)), PREFIX, note)
    moved.remember()
    return moved


def test_machines_are_removed_where_they_were_made(lists: Path) -> None:
    hypervisors = moved(lists)
    asyncio.run(hypervisors.remove())
    said = (lists / "said").read_text().splitlines()
    for name in DOMAINS:
        assert f"qemu:///system destroy {PREFIX}{name}" in said
    assert f"qemu:///system vol-delete --pool old {PREFIX}lab-1.img" in said
    assert "qemu+tls://big/system vol-list --pool default" in said
    assert not (lists / "hypervisors.json").exists()


def test_a_former_hypervisor_is_forgotten_when_nothing_is_left_there(lists: Path) -> None:
    hypervisors = moved(lists)
    asyncio.run(hypervisors.remove("lab-1"))
    (lists / "said").write_text("")
    asyncio.run(hypervisors.remove("lab-1"))
    assert "qemu:///system list --all --name" in (lists / "said").read_text()
    (lists / "list").write_text("another\n")
    (lists / "vol-list").write_text("another /pool/another\n")
    asyncio.run(hypervisors.remove("lab-10"))
    (lists / "said").write_text("")
    asyncio.run(hypervisors.remove("lab-10"))
    assert "qemu:///system" not in (lists / "said").read_text()


def test_a_former_hypervisor_that_is_gone_for_good(lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hypervisors = moved(lists)
    monkeypatch.setenv("DOWN", "qemu:///system")
    with pytest.raises(InfrastructureError, match="qemu:///system, where the lab's guests were before") as error:
        asyncio.run(hypervisors.remove())
    assert str(lists / "hypervisors.json") in str(error.value.hint)
    assert (lists / "hypervisors.json").exists()


def test_machines_of_virtualbox_are_removed_when_the_lab_has_libvirt_now(lists: Path) -> None:
    (lists / "bin/VBoxManage").write_text(VBOXMANAGE)
    (lists / "bin/VBoxManage").chmod(0o755)
    note = lists / "hypervisors.json"
    Hypervisors(Vagrant(type="vagrant", backend="virtualbox"), PREFIX, note).remember()
    asyncio.run(Hypervisors(Vagrant(type="vagrant"), PREFIX, note).remove())
    said = (lists / "said").read_text()
    assert f"unregistervm {PREFIX}lab-1 --delete" in said
    assert "unregistervm kdevops-other" not in said
    assert not note.exists()


VBOXMANAGE = f"""#!/bin/sh
echo "$*" >>"$LISTS/said"
[ "$1" != list ] || printf '"kdevops-other" {{0123abcd}}\\n"{PREFIX}lab-1" {{0123-abcd}}\\n'
"""


LOCKED = """#!/bin/sh
echo "$*" >>"$LISTS/said"
[ "$1" != list ] || printf '"kdevops-lab-0123abcd-lab-1" {0123-abcd}\\n'
[ "$1" = unregistervm ] || exit 0
echo . >>"$LISTS/tries"
[ "$BUSY" != 0 ] && [ "$(wc -l <"$LISTS/tries")" -gt "$BUSY" ] && exit
echo "VBoxManage: error: $WHY" >&2
exit 1
"""
WHILE_LOCKED = "Cannot unregister the machine 'lab-1' while it is locked"


@pytest.mark.parametrize(
    ("why", "busy", "tries"),
    [
        (WHILE_LOCKED, 2, 3),
        ("Details: code VBOX_E_INVALID_OBJECT_STATE (0x80bb0007), component MachineWrap", 1, 2),
        (WHILE_LOCKED, 99, 10),
        ("The files are gone", 99, 1),
        ("Could not find a registered machine named 'lab-1'", 0, 1),
    ],
)
def test_virtualbox_has_time_to_let_go_of_a_machine(
    lists: Path, monkeypatch: pytest.MonkeyPatch, why: str, busy: int, tries: int
) -> None:
    """It says that a machine is off before it has unlocked it."""
    monkeypatch.setattr(vagrant_hypervisors, "_UNLOCK_PAUSE", 0.01)
    monkeypatch.setenv("WHY", why)
    monkeypatch.setenv("BUSY", str(busy))
    (lists / "bin/VBoxManage").write_text(LOCKED)
    (lists / "bin/VBoxManage").chmod(0o755)
    hypervisors = Hypervisors(Vagrant(type="vagrant", backend="virtualbox"), PREFIX)
    with contextlib.nullcontext() if busy < tries else pytest.raises(CommandError, match="VBoxManage"):
        asyncio.run(hypervisors.remove())
    assert len((lists / "tries").read_text().splitlines()) == tries


def test_a_machine_is_switched_off_and_not_asked_to_shut_down(lists: Path) -> None:
    asyncio.run(Hypervisors(Vagrant(type="vagrant"), PREFIX).power_off("lab-1"))
    assert (lists / "said").read_text() == f"destroy {PREFIX}lab-1\n"


@pytest.mark.parametrize(
    ("uri", "command"),
    [
        ("qemu:///system", ""),
        ("qemu+tls://big/system", ""),
        ("qemu+ssh://big/system", "ssh -o BatchMode=yes big"),
        (
            "qemu+ssh://me@big:2222/system?keyfile=/home/me/key",
            "ssh -o BatchMode=yes -p 2222 -l me -i /home/me/key big",
        ),
        ("qemu+ssh://big/system?keyfile=id_lab&no_verify=1", f"ssh -o BatchMode=yes -i {Path.home()}/.ssh/id_lab big"),
    ],
)
def test_guests_are_reached_by_way_of_their_hypervisor(uri: str, command: str) -> None:
    assert " ".join(jump_to(uri)) == command


def test_the_console_of_a_machine_elsewhere_is_shown_by_virsh(lists: Path) -> None:
    assert console_of("qemu:///system", "lab-1") == ()
    (lists / "bin/virsh").write_text('#!/bin/sh\ntest -t 0 && test -t 1 && echo "$@" && exit 3\n')
    done = subprocess.run(console_of("qemu+ssh://big/system", "lab-1"), capture_output=True, timeout=30, check=False)
    assert done.stdout.split() == b"--quiet --connect qemu+ssh://big/system console --force lab-1".split()
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("state", "ours"),
    [
        ("running (booted)", False),
        ("shut off (shutdown)", False),  # the guest powered itself off
        ("paused (watchdog)", False),
        ("pmsuspended", False),
        ("", False),
        ("shut off (crashed)", True),  # its QEMU was killed, says libvirt of that
        ("shut off (destroyed)", True),
        ("shut off (failed)", True),
        ("paused (I/O error)", True),  # the host's disk is full
        ("paused (user)", True),
    ],
)
def test_a_machine_that_its_guest_did_not_stop(lists: Path, state: str, ours: bool) -> None:
    (lists / "domstate").write_text(f"{state}\n")
    why = asyncio.run(Hypervisors(Vagrant(type="vagrant"), PREFIX).stopped("lab-1"))
    assert why == (f"libvirt says that its machine is {state}" if ours else "")
    assert f"domstate {PREFIX}lab-1 --reason" in (lists / "said").read_text()


@pytest.mark.parametrize(
    ("state", "ours"), [("aborted", True), ("paused", True), ("poweroff", False), ("running", False)]
)
def test_a_machine_of_virtualbox_that_its_guest_did_not_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, ours: bool
) -> None:
    tool = tmp_path / "bin/VBoxManage"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nprintf \'name="x"\\nVMState="{state}"\\nVMStateChangeTime="x"\\n\'\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    vagrant = Vagrant(type="vagrant", backend="virtualbox")
    why = asyncio.run(Hypervisors(vagrant, PREFIX).stopped("lab-1"))
    assert why == (f"VirtualBox says that its machine is {state}" if ours else "")


def test_a_hypervisor_that_cannot_be_asked_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert asyncio.run(Hypervisors(Vagrant(type="vagrant"), PREFIX).stopped("lab-1")) == ""


@pytest.mark.parametrize(("said", "why"), [("all is well", "it was killed"), ("Kernel panic - not syncing: x", "")])
def test_a_machine_whose_kernel_told_of_its_end_was_not_taken_away(tmp_path: Path, said: str, why: str) -> None:
    (tmp_path / "console.log").write_text(f"[    1.000000] {said}\n")
    provider = Mock(stopped=AsyncMock(return_value="it was killed"))
    guest = VagrantGuest(provider, "lab-1", Mock(), persist=False, watch=DeathWatch(tmp_path / "console.log", 0))
    assert asyncio.run(guest.gone()) == why
