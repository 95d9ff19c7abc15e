"""What an interrupted command left of a machine or a box, and boxes on their way to the pool."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError
from kdevops.providers.vagrant.provider import VagrantProvider
from tests.providers.vagrant import bench as vagrant_bench
from tests.providers.vagrant.bench import ENDLESS, UP, VAGRANT, Bench

bench = vagrant_bench.bench  # the fixture


async def appears(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():  # noqa: ASYNC110 - nobody tells of a file
            await asyncio.sleep(0.02)


async def interrupted(bench: Bench, provider: VagrantProvider, *names: str, persist: bool = False) -> None:
    """Have an `up` of these guests cancelled while Vagrant starts them."""
    (bench.path / "bin/vagrant").write_text(ENDLESS)
    ups = [asyncio.create_task(provider.up(name, persist=persist)) for name in names]
    await appears(bench.path / "said.up")
    await asyncio.sleep(0.3)  # it says something
    for up in ups:
        up.cancel()
    assert {type(each) for each in await asyncio.gather(*ups, return_exceptions=True)} == {asyncio.CancelledError}


def test_an_interrupted_start_leaves_no_machine(bench: Bench) -> None:
    async def story() -> None:
        provider = await bench.provider(count=2)
        await interrupted(bench, provider, "lab-1", "lab-2")
        up, *destroyed = bench.said()
        assert up == "vagrant up /^(lab-1|lab-2)$/ --provider=libvirt"
        assert "".join(destroyed).count("lab-1") == 1
        assert "".join(destroyed).count("lab-2") == 1
        assert all(line.startswith("vagrant destroy") for line in destroyed)
        assert not provider.has_machines

    asyncio.run(story())


def test_an_interrupted_start_of_a_guest_that_is_to_stay_is_told(bench: Bench) -> None:
    async def story() -> None:
        provider = await bench.provider()
        await interrupted(bench, provider, "lab-1", persist=True)
        assert bench.said() == [UP]
        assert provider.has_machines, "so that the next command makes it anew"
        assert "lab-1 may be left half made, kdevops down removes it" in bench.told

    asyncio.run(story())


UPLOADS = "==> lab-1: Uploading base box image as volume into Libvirt storage...\\n"
HALF = "virsh vol-delete --pool default kdevops-VAGRANTSLASH-box_vagrant_box_image_1.0_box.img"


def test_half_a_box_in_the_pool_is_removed_where_it_was_interrupted(bench: Bench) -> None:
    async def story() -> None:
        bench.monkeypatch.setenv("SAYS", UPLOADS)
        bench.monkeypatch.setenv("PHYSICAL", "4095")
        await interrupted(bench, await bench.provider(), "lab-1")
        assert bench.said() == [UP, "vagrant destroy lab-1 --force", HALF]
        await (await bench.provider()).down()
        assert HALF not in bench.said()

    asyncio.run(story())


@pytest.mark.parametrize("command", ["up", "down"])
@pytest.mark.parametrize(("says", "physical", "removed"), [
    (UPLOADS, "4095", True),
    (UPLOADS, "4096", False),
    (UPLOADS + "\\rProgress: 99%%\\r==> lab-1: Creating image (snapshot of base box volume).\\n", "4095", False),
    ("", "4095", False),
])  # fmt: skip
def test_half_a_box_in_the_pool_is_removed_by_the_next_command(
    bench: Bench, command: str, says: str, physical: str, removed: bool
) -> None:
    """As one finds it that comes after one that was killed. Others' uploads may be at work, and look alike."""
    script = (bench.path / "bin/vagrant").read_text()

    async def story() -> None:
        bench.monkeypatch.setenv("SAYS", says)
        bench.monkeypatch.setenv("PHYSICAL", physical)
        await interrupted(bench, await bench.provider(), "lab-1", persist=True)
        (bench.path / "bin/vagrant").write_text(script)
        bench.said()
        provider = await bench.provider()
        await (provider.up("lab-1") if command == "up" else provider.down())
        said = bench.said()
        assert (HALF in said) is removed
        if removed and command == "up":
            assert said.index(HALF) < said.index(UP)
            assert any("its upload was interrupted" in told for told in bench.told)

    asyncio.run(story())


@pytest.mark.parametrize("text", ["", "[]", "1", "{", '{"lab-1": 1}', '{"lab-1": {}}'])
def test_a_note_that_cannot_be_read_is_none(bench: Bench, text: str) -> None:
    async def story() -> None:
        provider = await bench.provider()
        (bench.path / "labs/lab/uploading.json").write_text(text)
        (bench.path / "labs/lab/hypervisors.json").write_text(text)
        await provider.down()

    asyncio.run(story())


def test_a_box_on_its_way_to_the_pool_is_let_be(bench: Bench) -> None:
    """Of another guest of the same command."""

    async def story() -> None:
        bench.monkeypatch.setenv("SAYS", UPLOADS)
        bench.monkeypatch.setenv("PHYSICAL", "1")
        provider = await bench.provider(count=2)
        first = asyncio.create_task(interrupted(bench, provider, "lab-1"))
        await appears(bench.path / "labs/lab/uploading.json")
        await provider._uploads.mend()
        assert HALF not in bench.said()
        await first
        assert HALF in bench.said()

    asyncio.run(story())


ADD = "vagrant box add --provider libvirt --name kdevops/box kdevops/box"


def test_a_box_that_is_not_here_is_fetched_once_and_before_the_start(bench: Bench) -> None:
    """Which takes as long as a network is slow, and no boot may."""
    shutil.rmtree(bench.path / "home")

    async def story() -> None:
        provider = await bench.provider(count=2)
        await asyncio.gather(provider.up("lab-1"), provider.up("lab-2"))
        said = bench.said()
        assert said[0] == ADD
        assert said.count(ADD) == 1
        assert said[1] == "vagrant up /^(lab-1|lab-2)$/ --provider=libvirt"
        await provider.up("lab-1", fresh=True)
        assert ADD not in bench.said(), "the machine has it"

    asyncio.run(story())


@pytest.mark.parametrize("meanwhile", [True, False])
def test_a_box_that_another_vagrant_fetched_meanwhile_is_fine(bench: Bench, meanwhile: bool) -> None:
    home, kept = bench.path / "home", bench.path / "kept"
    home.rename(kept)
    script = bench.path / "bin/vagrant"
    fetched = f"mv {kept} {home};" if meanwhile else ""
    script.write_text(VAGRANT.replace("case $1 in", f"case $1 in\nbox) {fetched} echo it went wrong >&2; exit 1 ;;"))

    async def story() -> None:
        provider = await bench.provider()
        with contextlib.nullcontext() if meanwhile else pytest.raises(InfrastructureError, match="it went wrong"):
            await provider.up("lab-1")
        assert provider.has_machines is meanwhile

    asyncio.run(story())


def test_what_cannot_be_removed_hides_no_error(bench: Bench) -> None:
    """And is not forgotten."""
    (bench.path / "bin/vagrant").write_text('#!/bin/sh\necho "the $1 went wrong" >&2\nexit 1\n')

    async def story() -> None:
        provider = await bench.provider()
        with pytest.raises(InfrastructureError, match="the up went wrong"):
            await provider.up("lab-1")
        assert provider.has_machines
        assert "the destroy went wrong" in bench.told[-1]

    asyncio.run(story())
