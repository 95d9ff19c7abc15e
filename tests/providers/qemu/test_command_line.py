from __future__ import annotations

from pathlib import Path

import pytest

from kdevops.errors import UserError
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.architecture import architecture
from kdevops.providers.base import BootKernel
from kdevops.providers.qemu.command_line import DiskFile, QemuArgs, command_line

TCG = Acceleration("tcg", "", 8.0)


def argv(**changes: object) -> list[str]:
    facts: dict[str, object] = {
        "name": "demo-1", "cpus": 2, "memory": 2 << 30, "disks": (DiskFile(Path("/s/root.qcow2"), "kd-root", "qcow2"),),
        "ssh_port": 2222, "qmp": Path("/run/q.sock"),
    }  # fmt: skip
    args = QemuArgs(**{**facts, **changes})  # type: ignore[arg-type]
    return command_line(args, BootKernel(Path("/k/bzImage"), "key"), TCG, append=["root=PARTUUID=x-01", "rw"])


def after(words: list[str], option: str) -> list[str]:
    return [words[index + 1] for index, word in enumerate(words) if word == option]


def test_guests_are_confined_and_reachable_on_loopback_only() -> None:
    words = argv()
    (netdev,) = after(words, "-netdev")
    assert "restrict=on" in netdev
    assert "hostfwd=tcp:127.0.0.1:2222-10.0.2.15:22" in netdev
    assert after(words, "-sandbox")[0].startswith("on,")
    assert "-no-reboot" in words


def test_outgoing_network_is_asked_for() -> None:
    assert "restrict=off" in after(argv(outgoing=True), "-netdev")[0]


def test_disks_are_told_apart_by_serial() -> None:
    disks = (DiskFile(Path("/a"), "kd-root", "qcow2"), DiskFile(Path("/b"), "kd-0", read_only=True))
    words = argv(disks=disks)
    assert [option.rpartition("serial=")[2] for option in after(words, "-device") if "serial=" in option] == [
        "kd-root",
        "kd-0",
    ]
    assert ["readonly=on" in option for option in after(words, "-drive")] == [False, True]


def test_what_the_host_s_disk_cannot_do_stops_the_machine() -> None:
    (disk,) = [option for option in after(argv(), "-device") if "serial=" in option]
    assert "werror=stop,rerror=stop" in disk


def test_a_comma_in_a_path_adds_no_option() -> None:
    words = argv(disks=(DiskFile(Path("/a,readonly=off,b"), "s"),))
    assert "file=/a,,readonly=off,,b," in after(words, "-drive")[0]


def test_kernel_command_line() -> None:
    (append,) = after(argv(), "-append")
    assert append.split()[-2:] == ["root=PARTUUID=x-01", "rw"]
    assert append.startswith("console=")


def test_a_busy_host_is_not_taken_for_a_broken_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert "no_timer_check" in after(argv(), "-append")[0].split()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert "no_timer_check" not in after(argv(), "-append")[0].split()


def test_an_unknown_architecture_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="x86_64, aarch64"):
        architecture("vax")
