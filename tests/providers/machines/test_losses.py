"""Machines elsewhere that fall silent, die or are taken away, and what is known of them then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kdevops.errors import BootError
from tests.providers.machines import bench as remote_bench
from tests.providers.machines.bench import NAME, Bench, in_a_cloud
from tests.providers.machines.toy_machines import KEY, toy

play = remote_bench.play  # the fixture


@pytest.mark.parametrize("resets", [True, False])
def test_a_machine_of_a_cloud_that_never_answers_is_told_to_cost_money(play: Callable[..., None], resets: bool) -> None:
    async def story(bench: Bench) -> None:
        bench.place(reset=bench.toy.resets_by() if resets else ())
        provider = in_a_cloud(bench)
        assert (await bench.provider.status())[0].state == "stopped", "somebody's own is nothing of the lab's yet"
        assert (await provider.status())[0].state == "running", "also where making it was interrupted"
        await provider.machines.start((NAME,))
        bench.toy.server.close()
        with pytest.raises(BootError, match=f"nobody answers at 127.0.0.1 port {bench.toy.port}$") as caught:
            await provider.up(NAME)
        hint = str(caught.value.hint)
        assert "is there still and costs money: kdevops up waits for it again, kdevops down destroys it" in hint
        assert "provider.boot_timeout" in hint
        assert "provider.allow" in hint
        assert "provider.hosts" not in hint
        assert ("manually" in hint) is not resets
        (status,) = await provider.status()
        assert (status.state, status.address, status.port) == ("running", "127.0.0.1", bench.toy.port)

    play(story)


def test_a_machine_that_was_taken_away_is_gone_and_another_one_is_made(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        state = bench.directory / "state"
        state.write_text("running\n")
        bench.place(state=("cat", str(state)))
        guest = await bench.provider.up(NAME)
        assert not await guest.gone()
        state.write_text("shutting-down\n")
        assert "was taken away: it is shutting-down" in await guest.gone()
        (bench.toy.directory / "mute").touch()
        other = await toy(bench.directory / "toys", "another")
        bench.machines.places[NAME] = replace(other.place, state=("echo", "running"))
        bench.installed.toys[NAME] = other
        bench.provider._addresses.clear()
        again = await bench.provider.up(NAME)
        assert len(bench.machines.started) == 2
        assert again.ssh.port == other.port
        other.server.close()

    play(story)


@pytest.mark.parametrize("reset", [True, False])
def test_a_machine_that_its_cloud_has_forgotten_is_gone_and_another_one_is_made(
    play: Callable[..., None], reset: bool
) -> None:
    """Google's and Azure's clouds delete a machine that they take away, and then their commands fail."""

    async def story(bench: Bench) -> None:
        state = bench.directory / "state"
        state.write_text("running\n")
        forgotten = "ERROR: The resource 'projects/p/zones/z/instances/toys-1' was not found"
        bench.place(
            state=("sh", "-c", f'cat {state} 2>/dev/null || {{ echo "{forgotten}" >&2; exit 1; }}'),
            reset=("false",) if reset else (),
        )
        guest = await bench.provider.up(NAME)
        state.unlink()
        assert "was taken away: it is gone" in await guest.gone()
        await guest.discard()
        other = await toy(bench.directory / "toys", "another")
        bench.machines.places[NAME] = replace(other.place, state=("echo", "running"))
        bench.installed.toys[NAME] = other
        bench.provider._addresses.clear()
        again = await bench.provider.up(NAME)
        assert again.ssh.port == other.port
        other.server.close()

    play(story)


def test_a_state_that_cannot_be_asked_for_is_no_proof_of_a_loss(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        bench.place(state=("false",))
        assert not await (await bench.provider.up(NAME)).gone()

    play(story)


def test_another_boot_under_a_test_is_seen_and_brings_the_last_words(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        guest = await bench.provider.up(NAME)
        bench.toy.boot()
        record = "kdevops-pstore /sys/fs/pstore/dmesg-erst-1\nPanic#1 Part1\n<4>[ 1.0] Kernel panic - not syncing: x\n"
        (bench.toy.directory / "pstore").write_text(record)
        assert await guest.restarted()
        assert "[ 1.0] Kernel panic" in guest.console.read_text()
        assert not (bench.toy.directory / "pstore").exists()

    play(story)


def test_a_machine_that_hangs_is_in_no_other_boot(play: Callable[..., None]) -> None:
    async def story(bench: Bench) -> None:
        guest = await bench.provider.up(NAME)
        (bench.toy.directory / "mute").touch()
        assert not await guest.restarted()

    play(story)


def test_a_streamed_console_is_recorded_and_tells_of_the_end(play: Callable[..., None], tmp_path: Path) -> None:
    source = tmp_path / "serial"
    source.write_text("")

    async def story(bench: Bench) -> None:
        guest = await bench.provider.up(NAME)
        assert guest.alive()
        with source.open("a") as file:
            file.write("[ 9.0] Kernel panic - not syncing: oh\n")
        for _ in range(100):
            await asyncio.sleep(0.05)
            if not guest.alive():
                break
        assert not guest.alive()
        assert guest.console.read_text().startswith("20")

    play(story, console=("tail", "-n", "0", "-F", str(source)), console_streams=True)


def test_a_polled_console_is_complete_when_a_loss_is_looked_at(play: Callable[..., None], tmp_path: Path) -> None:
    source = tmp_path / "serial"
    source.write_text("[ 1.0] hello\n")

    async def story(bench: Bench) -> None:
        guest = await bench.provider.up(NAME)
        with source.open("a") as file:
            file.write("[ 9.0] Kernel panic - not syncing: oh\n")
        assert not await guest.gone()
        text = guest.console.read_text()
        assert text.count("hello") == 1
        assert "Kernel panic" in text

    play(story, console=("cat", str(source)), host_key=KEY)
