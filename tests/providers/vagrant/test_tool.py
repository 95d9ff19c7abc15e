"""What Vagrant is told and what is made of its answers; `vagrant` here is a script that says what Vagrant 2.3 says."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError, KdevopsError, UserError
from kdevops.providers.vagrant.render import VagrantBox
from kdevops.providers.vagrant.tool import Address, VagrantTool
from tests.support.interrupted import interrupted

SCRIPT = r"""#!/bin/sh
echo "$*" >>"$SAID"
env | grep -e ^VAGRANT_ -e ^LANGUAGE >"$SAID.env"
case $1 in
status)
    printf '1,lab-1,metadata,provider,libvirt\n1,lab-1,provider-name,libvirt\n1,lab-1,state,running\n'
    printf '1,lab-2,provider-name,libvirt\n1,lab-2,state,not_created\n1,lab-2,state-human-long,The VM is\\nnot created.\n' ;;
ssh-config)
    case $2 in lab-?) numbers=${2#lab-} ;; *) numbers='1 2' ;; esac
    for number in $numbers; do
        printf 'Host lab-%s\n  HostName 192.168.121.%s\n  User vagrant\n  Port 22\n  IdentityFile "/a b/key"\n\n' $number $number
    done ;;
up)
    [ -z "$SLOW" ] || { trap 'sleep 1; : >"$SAID.cleaned"; exit 1' INT; while :; do sleep 0.1; done; }
    [ -z "$SILENT" ] || exit 0
    echo '==> lab-1: Starting domain.'
    printf '    lab-1: SSH address: 192.168.121.7:22\n    lab-1: SSH address: 6.6.6.6:22\n'
    printf '    lab-2: SSH address: localhost:2200\n    lab-3: SSH address: 127.0.0.1:2201\n'
    [ "$FAIL" ] || exit 0
    echo "Name \`lab-1\` of domain about to create is already taken. Please try to run" >&2
    exit 1 ;;
box)
    printf '==> box: Loading\n\r\033[KProgress: 7%% (Rate: 1M/s)'
    printf '\r\033[KProgress: 99%% (Rate: 1M/s)\r\033[K==> box: Added\n' ;;
destroy) echo $$ >"$SAID.pid"; sleep 60 ;;
esac
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "bin/vagrant"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    monkeypatch.setenv("VAGRANT_CWD", "/somewhere/else")
    monkeypatch.setenv("LANGUAGE", "de")
    return tmp_path / "said"


def tool(tmp_path: Path, lines: list[str] | None = None) -> VagrantTool:
    return VagrantTool(tmp_path, tmp_path / "log", "libvirt", lines.append if lines is not None else None)


def test_several_machines_are_one_command_and_its_words_are_seen(tmp_path: Path, said: Path) -> None:
    lines: list[str] = []
    asyncio.run(tool(tmp_path, lines).up(["lab-1", "lab-2"], timeout=30))
    assert said.read_text() == "up /^(lab-1|lab-2)$/ --provider=libvirt\n"
    assert lines[0] == "==> lab-1: Starting domain."
    assert "Starting domain" in (tmp_path / "log").read_text()
    environment = Path(f"{said}.env").read_text()
    assert "VAGRANT_CWD" not in environment, "it would work on somebody else's machines"
    assert "VAGRANT_DEFAULT_PROVIDER=libvirt" in environment
    assert "LANGUAGE=\n" in environment, "it counts even in C.UTF-8"


def test_states_and_addresses_of_all_machines_come_from_one_command_each(tmp_path: Path, said: Path) -> None:
    assert asyncio.run(tool(tmp_path).states()) == {"lab-1": "running", "lab-2": "not_created"}
    found = asyncio.run(tool(tmp_path).addresses(["lab-1", "lab-2"]))
    assert found == {"lab-1": Address("192.168.121.1", 22), "lab-2": Address("192.168.121.2", 22)}


def test_an_address_that_up_told_is_not_asked_for(tmp_path: Path, said: Path) -> None:
    async def bring_up(*names: str) -> dict[str, Address]:
        vagrant = tool(tmp_path)
        await vagrant.up(names, timeout=30)
        return await vagrant.addresses(names)

    assert asyncio.run(bring_up("lab-1", "lab-3")) == {
        "lab-1": Address("192.168.121.7", 22),
        "lab-3": Address("127.0.0.1", 2201),
    }
    assert "ssh-config" not in said.read_text()
    found = asyncio.run(bring_up("lab-1", "lab-2"))
    assert found == {"lab-1": Address("192.168.121.7", 22), "lab-2": Address("192.168.121.2", 22)}
    assert said.read_text().endswith("ssh-config lab-2\n"), "a name is no address"


def test_an_address_of_an_earlier_start_is_forgotten(
    tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def bring_up() -> dict[str, Address]:
        vagrant = tool(tmp_path)
        await vagrant.up(["lab-1"], timeout=30)
        monkeypatch.setenv("SILENT", "1")  # it runs already, and nothing is told
        await vagrant.up(["lab-1"], timeout=30)
        return await vagrant.addresses(["lab-1"])

    assert asyncio.run(bring_up()) == {"lab-1": Address("192.168.121.1", 22)}


def test_a_failure_is_translated(tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(KdevopsError) as error:
        asyncio.run(tool(tmp_path).up(["lab-1"], timeout=30))
    assert isinstance(error.value, UserError | InfrastructureError)
    assert error.value.hint
    assert error.value.log == tmp_path / "log"
    assert "\n" not in error.value.message


def test_a_command_that_does_not_end_is_ended_at_its_deadline_and_on_cancel(tmp_path: Path, said: Path) -> None:
    began = time.monotonic()
    asyncio.run(interrupted(tool(tmp_path).destroy(["lab-1"]), Path(f"{said}.pid").exists))
    pid = int(Path(f"{said}.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    with pytest.raises(InfrastructureError, match="did not finish within"):
        asyncio.run(tool(tmp_path)._call("destroy", lambda it: it.destroy(vm_name="lab-1"), 0.5))
    assert time.monotonic() - began < 30


def test_an_up_that_is_stopped_may_clean_up(tmp_path: Path, said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vagrant does so on SIGINT."""
    monkeypatch.setenv("SLOW", "1")
    with pytest.raises(InfrastructureError, match="did not finish within"):
        asyncio.run(tool(tmp_path).up(["lab-1"], timeout=1))
    assert Path(f"{said}.cleaned").exists()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "--name debian/sid debian/sid"),
        ({"version": "12.1"}, "--box-version 12.1 --name debian/sid debian/sid"),
        (
            {"url": "https://host/a.box", "sha256": "a" * 64},
            f"--checksum {'a' * 64} --checksum-type sha256 --name debian/sid https://host/a.box",
        ),
    ],
)
def test_a_box_is_added_as_the_lab_says(tmp_path: Path, said: Path, facts: dict[str, str], words: str) -> None:
    seen: list[float] = []
    lines: list[str] = []
    asyncio.run(tool(tmp_path, lines).add_box(VagrantBox("debian/sid", **facts), seen.append))
    assert said.read_text() == f"box add --provider libvirt {words}\n"
    assert lines[0] == "==> box: Loading"
    assert seen[-1] == 0.99
    assert all(0 <= each <= 1 for each in seen)


def test_without_vagrant_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InfrastructureError, match="vagrant is not installed") as error:
        asyncio.run(tool(tmp_path).states())
    assert error.value.hint
