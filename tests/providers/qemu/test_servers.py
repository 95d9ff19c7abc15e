"""Guests that serve others: their network is made of private sockets, and a client is bound to one boot of its server."""

from __future__ import annotations

import asyncio
import json
import tarfile
from pathlib import Path

import pytest

from kdevops.images.base import BaseImage
from kdevops.lab.model import Lab
from kdevops.lab.servers import Server
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import BootKernel
from kdevops.providers.qemu.command_line import QemuArgs, Wire, command_line
from kdevops.providers.qemu.disks import write_seed
from kdevops.providers.qemu.provider import QemuProvider, _why_not_booted
from kdevops.providers.shared.lab_directory import LabDirectory

TCG = Acceleration("tcg", "", 8.0)


def after(words: list[str], option: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == option]


def argv(wire: Wire) -> list[str]:
    args = QemuArgs("lab-1", 1, 1 << 30, (), 2222, Path("/run/q.sock"), wires=(wire,))
    return command_line(args, BootKernel(Path("/k/bzImage"), "key"), TCG, append=[])


def provider(path: Path, clients: tuple[str, ...] = ("lab-1", "lab-2")) -> QemuProvider:
    lab = Lab.model_validate({"name": "lab", "guests": {"count": 2}})
    image = BaseImage(path / "root.raw", "key", "raw", "PARTUUID=1-01")
    servers = (Server("nfsd", "lab-nfsd", clients),)
    return QemuProvider(
        lab, LabDirectory(path / "lab"), TCG, image, BootKernel(path / "bzImage", "key"), servers=servers
    )


def test_a_client_connects_to_a_socket_of_its_own() -> None:
    words = argv(Wire("52:54:00:6b:00:0b", (Path("/run/a,b.sock"),)))
    assert after(words, "-netdev")[1:] == [
        "stream,id=wire0,server=off,addr.type=unix,addr.path=/run/a,,b.sock",
    ]
    assert "virtio-net-pci,netdev=wire0,mac=52:54:00:6b:00:0b,romfile=" in after(words, "-device")


def test_a_server_listens_for_each_client_behind_one_card() -> None:
    words = argv(Wire("52:54:00:6b:00:01", (Path("/run/1"), Path("/run/2")), hub=True))
    assert after(words, "-netdev")[1:] == [
        "hubport,id=wire0,hubid=0",
        "stream,id=wire0-0,server=on,addr.type=unix,addr.path=/run/1",
        "hubport,id=wire0-0-port,hubid=0,netdev=wire0-0",
        "stream,id=wire0-1,server=on,addr.type=unix,addr.path=/run/2",
        "hubport,id=wire0-1-port,hubid=0,netdev=wire0-1",
    ]
    assert sum("mac=" in device for device in after(words, "-device")) == 1


def test_both_ends_mean_the_same_socket_and_two_labs_never_do(tmp_path: Path) -> None:
    ours, theirs = provider(tmp_path / "a"), provider(tmp_path / "b")
    (server,) = ours.servers
    hub = ours._wire(server, "lab-nfsd").sockets
    assert hub == tuple(ours._wire(server, client).sockets[0] for client in ("lab-1", "lab-2"))
    assert not {*hub} & {*theirs._wire(server, "lab-nfsd").sockets}


def test_a_client_is_not_what_it_was_when_its_server_booted_anew(tmp_path: Path) -> None:
    lab = provider(tmp_path)
    facts = lab.process("lab-nfsd").directory / "boot.json"
    facts.parent.mkdir(parents=True)
    seen = []
    for boot in ("one", "two", "two"):
        facts.write_text(json.dumps({"boot": boot}))
        seen.append((lab._boots("lab-1", ()), lab._boots("lab-nfsd", ())))
    assert seen[0][0] != seen[1][0] == seen[2][0]
    assert len({server for _, server in seen}) == 1


def test_a_server_that_is_to_serve_others_is_another_one(tmp_path: Path) -> None:
    assert provider(tmp_path)._boots("lab-nfsd", ()) != provider(tmp_path, ("lab-1",))._boots("lab-nfsd", ())


def test_servers_are_among_the_guests_that_there_are(tmp_path: Path) -> None:
    assert [guest.name for guest in asyncio.run(provider(tmp_path).status())] == ["lab-1", "lab-2", "lab-nfsd"]


def test_a_server_has_empty_disks_at_each_boot(tmp_path: Path) -> None:
    lab = provider(tmp_path)
    (server,) = lab.servers
    first = lab._extra_disks(tmp_path, server)
    assert [disk.serial for disk in first] == ["kd-0", "kd-1", "kd-2", "kd-3"]
    first[0].path.open("r+b").write(b"XFSB")
    assert lab._extra_disks(tmp_path, server)[0].path.open("rb").read(4) == b"\0\0\0\0"
    assert lab._extra_disks(tmp_path, None) == []


def test_the_seed_tells_a_guest_its_further_cards(tmp_path: Path) -> None:
    lab = provider(tmp_path)
    directory = lab.directory.guest("lab-1")
    directory.mkdir(parents=True)
    (directory / "ssh_host_ed25519_key").touch()
    lab.directory.key.with_suffix(".pub").touch()
    (server,) = lab.servers
    for cards, expected in (([], []), ([server.interface("lab-1")], ["LAN=52:54:00:6b:00:0b,192.168.77.11/24"])):
        with tarfile.open(write_seed(lab.directory, "lab-1", cards)) as archive:
            member = archive.extractfile("network")
            assert member
            lines = member.read().decode().splitlines()
        assert [line for line in lines if line.startswith("LAN=")] == expected


@pytest.mark.parametrize("name", ["lab-1", "lab-2"])
def test_a_lab_without_servers_has_no_such_network(tmp_path: Path, name: str) -> None:
    lab = Lab.model_validate({"name": "lab", "guests": {"count": 2}})
    assert QemuProvider(lab, LabDirectory(tmp_path))._networks(name) == []


def test_an_old_qemu_is_named_as_what_it_is() -> None:
    said = "qemu-system-x86_64: -netdev stream,id=wire0: Parameter 'type' does not accept value 'stream'"
    assert "QEMU 7.2 or newer is needed" in _why_not_booted(
        ended=True, silence="", complaint=said, spoken="", outside=""
    )
    bind = "qemu-system-x86_64: -netdev stream,id=wire0: Failed to bind socket to /run/x: Permission denied"
    assert "Permission denied" in _why_not_booted(ended=True, silence="", complaint=bind, spoken="", outside="")
