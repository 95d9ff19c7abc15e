"""The role `libvirt` with tools that only remember what they are told, in a temporary directory."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdevops.errors import InfrastructureError
from kdevops.paths import data_dir
from kdevops.progress import silent
from kdevops.provision.ansible import PlayResult, play

ROLE = data_dir("roles") / "libvirt"
FAMILIES = ("debian", "redhat", "suse", "archlinux")

# A pool or network is a file that says whether it is active and whether it is started by itself.
VIRSH = """\
#!/bin/sh
cd {state} && shift 2 && echo "$@" >>asked
kind=${{1%%-*}}
case $1 in
uri) echo qemu:///system ;;
*-list)
    echo " Name      State    Autostart"
    echo "-----------------------------"
    for it in $kind.*; do [ -f "$it" ] && echo " ${{it#*.}}   $(cat "$it")   yes"; done
    echo
    ;;
*-define) grep -q '<name>default</name>' && echo inactive no >$kind.default ;;
pool-build) ;;
*-start) sed -i s/inactive/active/ $kind.$2 ;;
*-autostart) sed -i s/no/yes/ $kind.$2 ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
cd {state}
case "$*" in
list-unit-files*) cat unit-files ;;
show*) printf 'LoadState=loaded\\nActiveState=%s\\nUnitFileState=enabled\\n' "$(cat active)" ;;
is-enabled*) echo enabled ;;
start*) echo active >active; echo "$@" >>started ;;
restart* | reload*) echo "$@" >>started ;;
esac
"""


def tool(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Variables for a machine with systemd, that has all packages."""
    for name in ("bin", "state", "etc", "systemd"):
        (tmp_path / name).mkdir()
    (tmp_path / "state/unit-files").write_text("libvirtd.socket enabled enabled\nvirtqemud.socket disabled enabled\n")
    (tmp_path / "state/active").write_text("inactive\n")
    (tmp_path / "etc/qemu.conf").write_text('#user = "libvirt-qemu"\n')
    (tmp_path / "etc/virtlogd.conf").write_text("#max_size = 2097152\n")
    tool(tmp_path / "bin/virsh", VIRSH.format(state=tmp_path / "state"))
    tool(tmp_path / "bin/systemctl", SYSTEMCTL.format(state=tmp_path / "state"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin")
    return {
        "ansible_become": False,
        "controller_query": ["sh", "-c", f'echo "$@" >{tmp_path}/packages; for p; do echo installed; done', "sh"],
        "libvirt_systemd_mark": str(tmp_path / "systemd"),
        "libvirt_configuration_directory": str(tmp_path / "etc"),
        "libvirt_virsh": ["virsh", "--connect", "qemu:///system"],
        "libvirt_user": "root",
    }


def apply(tmp_path: Path, variables: dict[str, Any]) -> PlayResult:
    log = tmp_path / "ansible.log"
    return asyncio.run(play("libvirt.yml", inventory=None, extravars=variables, report=silent, log=log, timeout=120))


def test_what_is_not_there_is_made_once(tmp_path: Path, machine: dict[str, Any]) -> None:
    state = tmp_path / "state"
    assert apply(tmp_path, machine).changed == {"localhost": 11}
    asked = (state / "asked").read_text().splitlines()
    assert [line for line in asked if not line.startswith(("uri", "pool-list", "net-list"))] == [
        "pool-define /dev/stdin",
        "pool-build default",
        "pool-start default",
        "pool-autostart default",
        "net-define /dev/stdin",
        "net-start default",
        "net-autostart default",
    ]
    started = (state / "started").read_text().splitlines()
    assert started == ["start libvirtd.socket", "restart libvirtd.service", "reload virtlogd.service"]
    assert "\nmax_size = 268435456\n" in (tmp_path / "etc/virtlogd.conf").read_text()
    assert "tini" not in (tmp_path / "packages").read_text().split()
    assert apply(tmp_path, machine).changed == {}
    assert (tmp_path / "etc/qemu.conf").read_text() == '#user = "libvirt-qemu"\n'


def test_what_is_stopped_is_started_and_settings_come_and_go(tmp_path: Path, machine: dict[str, Any]) -> None:
    state, settings = tmp_path / "state", tmp_path / "etc/qemu.conf"
    (state / "pool.default").write_text("inactive\n")
    (state / "net.default").write_text("active\n")
    (state / "active").write_text("active\n")
    (state / "unit-files").write_text("virtqemud.socket enabled enabled\n")
    variables = machine | {"libvirt_vagrant": False}
    apply(tmp_path, variables | {"libvirt_qemu_as_root": True})
    asked = (state / "asked").read_text()
    assert "pool-start default" in asked
    assert "define" not in asked
    assert "vagrant" not in (tmp_path / "packages").read_text()
    assert '\nuser = "root"\n' in settings.read_text()
    assert (state / "started").read_text() == "restart virtqemud.service\nreload virtlogd.service\n"
    assert apply(tmp_path, variables).changed == {"localhost": 3}
    assert settings.read_text() == '#user = "libvirt-qemu"\n'


def test_a_state_that_there_is_not_is_refused(tmp_path: Path, machine: dict[str, Any]) -> None:
    with pytest.raises(InfrastructureError, match="libvirt_state"):
        apply(tmp_path, machine | {"libvirt_state": "gone"})


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_names_the_same_things(family: str) -> None:
    words = yaml.safe_load((ROLE / f"vars/{family}.yml").read_text())
    assert set(words) == {
        "libvirt_commands",
        "libvirt_libraries",
        "libvirt_start_commands",
        "libvirt_plugin_packages",
    }
    assert {"vagrant", "virsh", "qemu-img", "dnsmasq"} <= set(words["libvirt_commands"])


DAEMON = """\
#!/bin/sh
printf %s $$ >{run}/${{0##*/}}.pid
trap 'rm {run}/${{0##*/}}.pid; exit' TERM
trap 'echo again >>{run}/${{0##*/}}.again' USR1
while :; do sleep 0.05; done
"""


class Daemons:
    """The script with its paths put into a directory, and daemons that do nothing."""

    def __init__(self, root: Path) -> None:
        self.run = root / "run"
        self.guests = root / "guests"
        self.script = root / "libvirt-daemons"
        (root / "bin").mkdir()
        self.run.mkdir()
        self.guests.touch()
        text = (ROLE / "files/libvirt-daemons").read_text()
        for old, new in (
            ("PATH=/usr/local/sbin", f"PATH={root}/bin:/usr/local/sbin"),
            ("/run/$1", f"{self.run}/$1"),
            ("/var/log/libvirt", str(root / "log")),
        ):
            assert old in text
            text = text.replace(old, new)
        self.script.write_text(text)
        for name in ("libvirtd", "virtlogd"):
            tool(root / "bin" / name, DAEMON.format(run=self.run))
        tool(root / "bin/virsh", f'#!/bin/sh\n[ "$3 $4" = "list --name" ] && cat {self.guests}\n:')

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(["sh", self.script, *words], capture_output=True, text=True, check=False, timeout=60)
        deadline = time.monotonic() + 10
        while words[0] == "start" and len(self.pids()) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        return done

    def pids(self) -> dict[str, str]:
        return {path.stem: path.read_text() for path in self.run.glob("*.pid") if path.read_text()}


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Daemons]:
    made = Daemons(tmp_path)
    yield made
    made.guests.write_text("")
    made("stop")


def test_daemons_are_started_once_and_stopped(daemons: Daemons) -> None:
    assert daemons("start").stdout == "started virtlogd\nstarted libvirtd\n"
    before = daemons.pids()
    assert daemons("start").stdout == ""
    assert daemons.pids() == before
    assert daemons("stop").stdout == "stopped libvirtd\nstopped virtlogd\n"
    assert daemons.pids() == {}
    assert daemons("stop").stdout == ""


def test_new_settings_start_libvirtd_again(daemons: Daemons) -> None:
    daemons("start")
    before = daemons.pids()
    assert daemons("start", "again").stdout == "stopped libvirtd\nstarted libvirtd\n"
    after = daemons.pids()
    assert (after["virtlogd"], after["libvirtd"] != before["libvirtd"]) == (before["virtlogd"], True)
    deadline = time.monotonic() + 10
    while not (daemons.run / "virtlogd.again").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [path.name for path in daemons.run.glob("*.again")] == ["virtlogd.again"], "it keeps the consoles of guests"


def test_the_process_file_of_one_that_was_killed_is_nothing(daemons: Daemons) -> None:
    (daemons.run / "libvirtd.pid").write_text("1")  # somebody else's by now
    (daemons.run / "virtlogd.pid").write_text("")
    assert daemons("start").stdout == "started virtlogd\nstarted libvirtd\n"


def test_nothing_is_stopped_while_guests_run(daemons: Daemons) -> None:
    daemons("start")
    daemons.guests.write_text("lab-1\nlab-2\n\n")
    refused = daemons("stop")
    assert (refused.returncode, refused.stderr) == (1, "guests are running: lab-1 lab-2\n")
    assert len(daemons.pids()) == 2
