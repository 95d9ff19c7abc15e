"""Real QEMUs that are stopped, killed, told to end or run into a full disk: seen from the controller."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from kdevops.errors import BootError, InfrastructureError
from kdevops.guest import console
from kdevops.images.base import BaseImage
from kdevops.lab.model import Lab
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import BootKernel
from kdevops.providers.qemu import provider as qemu
from kdevops.providers.qemu.provider import QemuProvider
from kdevops.providers.shared.lab_directory import LabDirectory
from tests.providers.qemu.tiny_qemu import (
    ALL_WRITTEN,
    ECHO,
    WRITER,
    TinyGuest,
    command,
    make_disk,
    needs_qemu,
    small_disk,
    tiny_guest,
    wait_until,
)

pytestmark = needs_qemu


def test_a_stopped_qemu_is_held_until_it_goes_on(tmp_path: Path) -> None:
    with tiny_guest(tmp_path / "g", ECHO) as guest:
        wait_until(lambda: "I" in guest.said())
        assert guest.held() == ""
        for process, said in [
            (guest.qemu, "QEMU is stopped"),
            (guest.keeper, "the process that keeps QEMU is stopped"),
        ]:
            os.kill(process, signal.SIGSTOP)
            wait_until(lambda said=said: guest.held().startswith(said))
            os.kill(process, signal.SIGCONT)
            wait_until(lambda: guest.held() == "")
        assert guest.why_ended() == ""


def test_a_guest_is_known_to_be_held_also_when_its_sockets_were_tidied_away(tmp_path: Path) -> None:
    with tiny_guest(tmp_path / "g", ECHO) as guest:
        wait_until(lambda: "I" in guest.said())
        guest.tell("stop")
        wait_until(guest.held)
        guest.process.socket("state").unlink()
        guest.process.socket("console").unlink()
        os.kill(guest.qemu, signal.SIGSTOP)
        wait_until(lambda: guest.held().startswith("QEMU is stopped"))
        os.kill(guest.qemu, signal.SIGCONT)
        wait_until(lambda: guest.held() == "QEMU has the machine stopped (paused)")
        guest.tell("cont")
        guest.type("typed")
        wait_until(lambda: "Ityped" in guest.said())


def test_a_machine_that_somebody_paused_is_held_until_it_is_told_to_go_on(tmp_path: Path) -> None:
    with tiny_guest(tmp_path / "g", ECHO) as guest:
        wait_until(lambda: "I" in guest.said())
        guest.tell("stop")
        wait_until(lambda: guest.held() == "QEMU has the machine stopped (paused)")
        guest.tell("cont")
        wait_until(lambda: guest.held() == "")


@pytest.mark.parametrize(
    ("whom", "how", "why"),
    [
        ("qemu", signal.SIGKILL, "QEMU was killed by SIGKILL (out of memory?)"),
        ("qemu", signal.SIGSEGV, "QEMU was killed by SIGSEGV"),
        ("qemu", signal.SIGTERM, "QEMU was told to end: "),
        ("keeper", signal.SIGTERM, "QEMU was ended by its keeper (terminated)"),
        ("keeper", signal.SIGKILL, "the process that keeps QEMU was killed"),
    ],
)
def test_a_qemu_that_is_killed_is_no_doing_of_the_guest(
    tmp_path: Path, whom: str, how: signal.Signals, why: str
) -> None:
    with tiny_guest(tmp_path / "g", ECHO) as guest:
        wait_until(lambda: "I" in guest.said())
        os.kill(getattr(guest, whom), how)
        wait_until(guest.ended)
        assert guest.why_ended().startswith(why)


def test_a_qemu_that_fails_by_itself_is_no_doing_of_the_guest(tmp_path: Path) -> None:
    with tiny_guest(tmp_path / "g", ECHO, errors="[set-state]\nnonsense") as guest:
        wait_until(guest.ended)
        assert guest.why_ended().startswith("QEMU failed: qemu-system-x86_64: ")


def test_a_guest_that_resets_itself_has_ended_by_itself(tmp_path: Path) -> None:
    with tiny_guest(tmp_path / "g", WRITER) as guest:
        wait_until(guest.ended)
        assert guest.why_ended() == ""
        assert ALL_WRITTEN in guest.said()


def test_a_guest_that_is_stopped_by_another_command_has_not_ended_by_itself(tmp_path: Path) -> None:
    with tiny_guest(tmp_path / "g", ECHO) as guest:
        wait_until(lambda: "I" in guest.said())
    assert guest.why_ended() == "QEMU was stopped by another command"


def test_a_guest_on_a_full_disk_waits_for_room_and_never_hears_of_it(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "small", "600k") as resize,
        tiny_guest(tmp_path / "g", WRITER, tmp_path / "small/disk.raw") as guest,
    ):
        wait_until(lambda: guest.held() == "QEMU could not write a disk of the guest: No space left on device")
        assert not guest.ended()
        resize("8m")
        wait_until(guest.ended)
        assert ALL_WRITTEN in guest.said()
        assert guest.why_ended() == ""


def test_an_error_of_the_host_s_disk_reaches_no_guest(tmp_path: Path) -> None:
    errors = '[inject-error]\nevent = "write_aio"\nerrno = "5"\nonce = "on"\n'
    with tiny_guest(tmp_path / "g", WRITER, errors=errors) as guest:
        wait_until(guest.ended)
        assert ALL_WRITTEN in guest.said()


def test_a_disk_of_the_host_that_cannot_be_read_holds_the_guest(tmp_path: Path) -> None:
    errors = '[inject-error]\nevent = "read_aio"\nerrno = "5"\n'
    with tiny_guest(tmp_path / "g", WRITER, errors=errors) as guest:
        wait_until(lambda: guest.held() == "QEMU could not read a disk of the guest: Input/output error")


def test_a_keeper_outlives_a_full_disk_and_loses_no_console(tmp_path: Path) -> None:
    text = "".join(f"line {number} {'x' * 50}\n" for number in range(60))
    with small_disk(tmp_path / "g", "1m") as resize, tiny_guest(tmp_path / "g", ECHO, tmp_path / "disk.raw") as guest:
        wait_until(lambda: "I" in guest.said())
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "g/ballast").write_bytes(bytes(2 << 20))
        for line in text.splitlines(keepends=True):
            guest.type(line)
        wait_until(lambda: len(guest.said()) > 100)  # as far as the last page of the file goes
        assert "line 59" not in guest.said()
        assert not guest.ended()
        resize("8m")
        wait_until(lambda: guest.said().endswith(f"I{text}".rstrip()))
        os.kill(guest.qemu, signal.SIGKILL)
        wait_until(guest.ended)
        assert "SIGKILL" in guest.why_ended()


def test_how_qemu_ended_is_noted_when_the_disk_has_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "g", "1m") as resize, tiny_guest(tmp_path / "g", ECHO, tmp_path / "disk.raw") as guest:
        wait_until(lambda: "I" in guest.said())
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "g/ballast").write_bytes(bytes(2 << 20))
        os.kill(guest.qemu, signal.SIGKILL)
        wait_until(lambda: not guest.process.socket("state").exists())
        assert not guest.ended()
        resize("8m")
        assert guest.why_ended() == "QEMU was killed by SIGKILL (out of memory?)"


@pytest.mark.parametrize(
    ("code", "kill", "error", "why"),
    [
        (ECHO, True, InfrastructureError, "QEMU was killed by SIGKILL"),
        (WRITER, False, BootError, "the machine ended before ssh answered"),
    ],
    ids=["killed", "resets itself"],
)
def test_a_boot_that_the_host_ended_says_nothing_of_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes, kill: bool, error: type[Exception], why: str
) -> None:
    provider = boots(code, tmp_path, monkeypatch)
    process = provider.process("toy-1")

    async def boot() -> None:
        booting = asyncio.create_task(provider.up("toy-1"))
        while kill and not console.end_of(process.console):  # noqa: ASYNC110 - nobody can tell us
            await asyncio.sleep(0.05)
        if kill:
            os.kill(TinyGuest(process).qemu, signal.SIGKILL)
        await booting

    with pytest.raises(InfrastructureError, match=why) as caught:
        asyncio.run(boot())
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("code", "greets", "unanswered"),
    [(WRITER, False, True), (ECHO, False, True), (ECHO, True, False)],
    ids=["resets itself", "hangs", "lets nobody in"],
)
def test_a_boot_counts_as_unanswered_where_the_kernel_had_its_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes, greets: bool, unanswered: bool
) -> None:
    provider = boots(code, tmp_path, monkeypatch)
    if greets:

        async def greeted(*_: object, **__: object) -> bool:
            return True

        monkeypatch.setattr(qemu, "wait_for_banner", greeted)
    with pytest.raises(BootError) as caught:
        asyncio.run(provider.up("toy-1"))
    assert caught.value.unanswered == unanswered


def boots(code: bytes, path: Path, monkeypatch: pytest.MonkeyPatch) -> QemuProvider:
    """A provider whose guest runs this code instead of a kernel."""
    image = BaseImage(path / "root.raw", "key", "raw", "PARTUUID=1-01")
    kernel = BootKernel(path / "bzImage", "key")
    lab = Lab.model_validate({"name": "toy", "provider": {"type": "qemu", "boot_timeout": 3}})
    provider = QemuProvider(lab, LabDirectory(path), Acceleration("tcg", "", 1.0), image, kernel)
    process = provider.process("toy-1")
    process.directory.mkdir(parents=True)

    async def prepare(*_: object) -> list[str]:
        return command(process, make_disk(process.directory / "disk.raw", code))

    monkeypatch.setattr(QemuProvider, "_prepare", prepare)
    return provider
