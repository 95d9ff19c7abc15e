"""Machines elsewhere: brought up, reset, given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kdevops.errors import BootError, InfrastructureError
from kdevops.guest import hostkeys
from kdevops.lab.model import Lab
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.address import Address
from kdevops.providers.base import BootKernel
from kdevops.providers.machines.provider import RemoteProvider
from kdevops.providers.shared.lab_directory import LabDirectory
from tests.providers.machines import bench as remote_bench
from tests.providers.machines.bench import LAB, NAME, Bench
from tests.providers.machines.toy_machines import KEY, OTHER_KEY, Installed, ToyMachines, stub, toy

play = remote_bench.play  # the fixture


def test_a_machine_is_had_once_and_given_at_once_afterwards(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        guest = await bench.provider.up(NAME)
        assert bench.machines.started == [(NAME,)]
        ((names, words),) = bench.installed.calls
        assert names == (NAME,)
        assert "oops=panic" in words
        assert guest.alive()
        assert not await guest.gone()
        assert not await guest.restarted()
        again = await bench.again().up(NAME, persist=True)
        assert again.persist
        assert again.boot_id == guest.boot_id
        assert len(bench.installed.calls) == 1
        assert len(bench.machines.started) == 1
        assert (await bench.provider.status())[0].state == "running"

    play(story)


def test_several_are_had_and_installed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        names = ("toys-1", "toys-2", "toys-3")
        toys = {name: await toy(tmp_path / "toys", name) for name in names}
        machines, installed = ToyMachines({name: each.place for name, each in toys.items()}), Installed(toys)
        lab = LAB.model_copy(update={"guests": LAB.guests.model_copy(update={"count": 3})})
        provider = RemoteProvider(
            lab, LabDirectory(tmp_path / "lab"), machines, Acceleration("kvm", "", 1.0),
            BootKernel(Path("/vmlinuz"), "key"), installed,
        )  # fmt: skip
        await asyncio.gather(*(provider.up(name) for name in names))
        assert [sorted(each) for each in machines.started] == [list(names)]
        assert len(installed.calls) <= 2
        await provider.down()
        assert machines.stopped == [()]

    stub(tmp_path / "toys", monkeypatch)
    asyncio.run(main())


def test_the_key_of_a_first_contact_is_told_and_pinned(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        await bench.provider.up(NAME)
        assert hostkeys.pinned(bench.provider.directory.known_hosts, NAME) == KEY
        (note,) = [each for each in bench.told if each.step == f"host key of {NAME}"]
        assert note.done
        assert f"taken at first contact: {hostkeys.fingerprint(KEY)}" in note.detail

    play(story)


def test_a_key_that_the_lab_names_is_the_one(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        await bench.provider.up(NAME)
        assert hostkeys.pinned(bench.provider.directory.known_hosts, NAME) == OTHER_KEY
        assert not [each for each in bench.told if "host key" in each.step]

    play(story, host_key=OTHER_KEY)


BLOCK = f"-----BEGIN SSH HOST KEY KEYS-----\n{OTHER_KEY} root@x\n-----END SSH HOST KEY KEYS-----\n"


def test_the_console_knows_the_key_better_than_whoever_answers(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        await bench.provider.up(NAME)
        assert hostkeys.pinned(bench.provider.directory.known_hosts, NAME) == OTHER_KEY
        assert "BEGIN SSH HOST KEY" in bench.provider.console(NAME).read_text()

    play(story, console=("printf", "%s", BLOCK))


def test_a_console_that_is_not_there_yet_is_asked_again(
    play: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdevops.providers.machines.reach._LOOK", 0.05)
    script = 'echo x >>"$1"; [ $(wc -l <"$1") -gt 4 ] || { echo "no such blob" >&2; exit 1; }; printf %s "$2"'

    async def story(bench: Bench) -> None:
        await bench.provider.up(NAME)
        assert hostkeys.pinned(bench.provider.directory.known_hosts, NAME) == OTHER_KEY

    play(story, console=("sh", "-c", script, "sh", str(tmp_path / "asked"), BLOCK))


def test_a_console_without_a_command_is_not_waited_for(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        await bench.provider.up(NAME)
        assert hostkeys.pinned(bench.provider.directory.known_hosts, NAME) == KEY
        assert [each for each in bench.told if "cannot be read: no-such-command is not installed" in each.detail]

    play(story, console=("no-such-command",))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Host key verification failed.", "is not the one that was pinned"),
        ("Permission denied (publickey).", "does not let us in as root@127.0.0.1"),
    ],
)
def test_what_no_waiting_mends_is_told_at_once(play: Callable[..., None], said: str, told: str) -> None:
    async def story(bench: Bench) -> None:
        (bench.toy.directory / "refuses").write_text(said)
        ssh = bench.directory / "toys/bin/ssh"
        ssh.write_text(ssh.read_text().replace('sys.exit((machine / "refuses").read_text())', _REFUSE))
        with pytest.raises(InfrastructureError, match=told) as caught:
            await bench.provider.up(NAME)
        assert caught.value.hint

    play(story)


_REFUSE = """(print((machine / "refuses").read_text(), file=sys.stderr), sys.exit(255))"""


def test_who_may_not_become_root_is_told(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        bench.place(user="me")
        (bench.toy.directory / "refuses").write_text("sudo: a password is required")
        with pytest.raises(InfrastructureError, match="me may not become root") as caught:
            await bench.provider.up(NAME)
        assert "NOPASSWD" in str(caught.value.hint)
        assert "sudo -n -- cat" in bench.toy.asked[0]

    play(story)


def test_a_spoilt_machine_is_reset_and_has_another_boot_then(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        bench.place(reset=bench.toy.resets_by())
        guest = await bench.provider.up(NAME)
        await guest.discard()
        again = await bench.provider.up(NAME)
        assert bench.toy.resets() == 1
        assert again.boot_id != guest.boot_id
        assert (await bench.provider.up(NAME)).boot_id == again.boot_id, "it is fit again"

    play(story)


def test_a_machine_without_a_reset_command_is_rebooted_over_ssh(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        guest = await bench.provider.up(NAME)
        await guest.discard()
        assert (await bench.provider.up(NAME)).boot_id != guest.boot_id
        assert any("sysrq-trigger" in line for line in bench.toy.asked)

    play(story)


def test_a_machine_that_booted_anew_by_itself_needs_no_reset(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        guest = await bench.provider.up(NAME)
        bench.toy.boot()
        assert await guest.restarted()
        await guest.discard()
        again = await bench.provider.up(NAME, fresh=True)
        assert again.boot_id != guest.boot_id
        assert not any("reboot" in line for line in bench.toy.asked)

    play(story)


def test_a_fresh_boot_is_one_even_where_the_kernel_runs_already(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        bench.place(reset=bench.toy.resets_by())
        first = await bench.provider.up(NAME, fresh=True)
        second = await bench.provider.up(NAME, fresh=True)
        assert second.boot_id != first.boot_id
        third = await bench.provider.up(NAME, fresh=True, extra_cmdline=("kunit.enable=1",))
        assert third.boot_id != second.boot_id
        assert bench.toy.resets() == 1, "the installation of other parameters is a boot by itself"

    play(story)


def test_a_reset_that_resets_nothing_is_not_believed(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        bench.place(reset=("true",))
        await (await bench.provider.up(NAME)).discard()
        with pytest.raises(BootError, match="does not come back from a reset; it is still in the boot"):
            await bench.provider.up(NAME)

    play(story)


def test_a_reset_that_fails_is_told(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        bench.place(reset=("sh", "-c", "echo no such outlet >&2; exit 3"))
        await (await bench.provider.up(NAME)).discard()
        with pytest.raises(BootError, match=r"cannot be reset: .*no such outlet"):
            await bench.provider.up(NAME)

    play(story)


def test_a_machine_that_is_silent_and_cannot_be_reset_says_what_would_mend_it(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        await bench.provider.up(NAME)
        (bench.toy.directory / "mute").touch()
        with pytest.raises(BootError, match="Connection timed out") as caught:
            await bench.provider.up(NAME)
        assert "`reset` of the machine" in str(caught.value.hint)

    play(story)


def test_a_disk_that_may_not_be_used_stops_everything(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        lab = Lab.model_validate(
            {
                "name": "toys",
                "provider": {
                    "type": "hosts",
                    "scratch": True,
                    "hosts": [{"address": "192.0.2.1", "disks": ["/dev/disk/by-id/wwn-1"]}],
                },
                "guests": {"disks": [{"size": "1GiB"}]},
            }
        )
        provider = replace(bench.provider, lab=lab)
        (bench.toy.directory / "bad-disk").write_text("/dev/disk/by-id/wwn-1 is in use: /dev/sda1 is mounted on /\n")
        with pytest.raises(InfrastructureError, match=r"wwn-1 is in use: /dev/sda1 is mounted on /"):
            await provider.up(NAME)
        (bench.toy.directory / "bad-disk").unlink()
        await provider.up(NAME)
        await provider.down()
        assert "rm -f /dev/disk/by-id/virtio-kd-" in bench.toy.asked[-1]

    play(story, disks=("/dev/disk/by-id/wwn-1",))


def test_down_leaves_a_preexisting_machine_and_keeps_its_key(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        await bench.provider.up(NAME, persist=True)
        other = bench.again()
        await other.down()
        assert other.attach(NAME) is None
        assert (await other.status())[0].state == "stopped"
        assert hostkeys.pinned(other.directory.known_hosts, NAME) == KEY
        assert bench.machines.stopped == [()]
        await bench.again().up(NAME)
        assert len(bench.machines.started) == 2

    play(story)


def test_the_record_of_a_run_has_how_machines_were_made(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        assert bench.provider.command_lines() == {NAME: ["toy", NAME]}

    play(story)


def test_a_cloud_that_knows_an_old_address_of_ours_is_told_the_new_one(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        bench.place(reset=bench.toy.resets_by(), state=("echo", "running"))
        await replace(bench.again(), preexisting=False).up(NAME, persist=True)
        mute = bench.toy.directory / "mute"
        mute.touch()
        start = bench.machines.start

        async def let_in(names: tuple[str, ...]) -> Mapping[str, Address]:
            mute.unlink()
            return await start(names)

        bench.machines.start = let_in  # type: ignore[method-assign]
        await replace(bench.again(), preexisting=False).up(NAME, persist=True)
        assert len(bench.machines.started) == 2
        assert bench.toy.resets() == 0, "nothing was wrong with the machine"

    play(story)
