"""The provider between its tools: `vagrant`, `virsh` and `ssh` here are scripts that write down what they are told."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from kdevops.errors import BootError, InfrastructureError
from tests.providers.vagrant import bench as vagrant_bench
from tests.providers.vagrant.bench import RESTORE, SAVE, UP, Bench

bench = vagrant_bench.bench  # the fixture


def test_a_machine_is_made_once_and_goes_back_to_its_snapshot(bench: Bench) -> None:
    async def story() -> None:
        guest = await (await bench.provider()).up("lab-1", persist=True)
        assert guest.persist
        assert bench.said() == [UP, SAVE]
        assert bench.installed[0][-1] == "random.trust_cpu=on"

        provider = await bench.provider()
        again = await provider.up("lab-1")
        assert bench.said() == []
        assert again.alive()
        with again.console.open("ab") as file:
            file.write(b"Kernel panic - not syncing: test\n")
        assert not again.alive()
        await again.discard()
        back = await provider.up("lab-1")
        assert bench.said() == [RESTORE]
        assert back.alive(), "what its console said before is past"
        assert len(bench.installed) == 1

        await provider.up("lab-1", extra_cmdline=["debug"])
        assert bench.said() == [SAVE], "it runs, and is given the parameters by the installation"
        assert bench.installed[1][-1] == "debug"

    asyncio.run(story())


def test_a_machine_without_a_snapshot_is_booted_anew(bench: Bench) -> None:
    async def story() -> None:
        bench.monkeypatch.setenv("NO_SNAPSHOTS", "1")
        provider = await bench.provider()
        guest = await provider.up("lab-1")
        await guest.discard()
        bench.said()
        await provider.up("lab-1")
        assert bench.said() == ["virsh destroy lab-1", UP, SAVE]
        assert len(bench.installed) == 2

    asyncio.run(story())


def test_a_fresh_boot_is_none_of_those_before(bench: Bench) -> None:
    """KUnit's results are what a kernel says as it boots: a snapshot would tell those of an old boot."""

    async def story() -> None:
        await (await bench.provider()).up("lab-1", extra_cmdline=["kunit.enable=1"], fresh=True, persist=True)
        assert bench.said() == [UP, SAVE]
        guest = await (await bench.provider()).up("lab-1", extra_cmdline=["kunit.enable=1"], fresh=True)
        assert bench.said() == ["virsh destroy lab-1", UP, SAVE]
        await guest.discard()
        await (await bench.provider()).up("lab-1", extra_cmdline=["kunit.enable=1"])
        assert bench.said() == [RESTORE]

    asyncio.run(story())


def test_what_was_begun_or_is_of_another_size_is_made_anew(bench: Bench) -> None:
    async def story() -> None:
        bench.refuse = True
        with pytest.raises(BootError, match="guest lab-1: it did not come up"):
            await (await bench.provider()).up("lab-1")
        bench.refuse = False
        bench.said()
        await (await bench.provider()).up("lab-1")
        assert bench.said() == ["virsh destroy lab-1", UP, SAVE]
        await (await bench.provider(memory="3GiB")).up("lab-1")
        assert bench.said() == ["vagrant destroy lab-1 --force", UP, SAVE]

    asyncio.run(story())


def test_a_machine_whose_kernel_libvirt_boots_is_made_for_its_parameters(bench: Bench) -> None:
    async def story() -> None:
        bench.boot = "direct"
        await (await bench.provider()).up("lab-1")
        assert bench.said() == [UP, SAVE]
        await (await bench.provider()).up("lab-1", extra_cmdline=["debug"])
        assert bench.said() == ["vagrant destroy lab-1 --force", UP, SAVE]
        assert "debug" in (bench.path / "labs/lab/vagrant/lab.json").read_text()
        assert bench.installed == []

    asyncio.run(story())


def test_down_forgets_and_status_tells(bench: Bench) -> None:
    async def story() -> None:
        provider = await bench.provider()
        await provider.up("lab-1")
        (status,) = await provider.status()
        assert (status.state, status.address) == ("running", "127.0.0.1")
        bench.said()
        await provider.down()
        assert bench.said() == ["vagrant destroy --force"]
        assert (await bench.provider()).attach("lab-1") is None

    asyncio.run(story())


def test_machines_are_removed_from_a_hypervisor_that_the_lab_names_no_more(bench: Bench) -> None:
    (bench.path / "bin/virsh").write_text(
        '#!/bin/sh\n[ "$4" != list ] || echo "$3" >>"$SAID.asked"\n[ "$4" != vol-info ] || echo Physical: 4096\n'
    )

    async def story() -> None:
        await (await bench.provider()).up("lab-1", persist=True)
        bench.hypervisors = ["qemu+tls://big/system"]
        provider = await bench.provider()
        await provider.up("lab-1", persist=True)
        asked = bench.path / "said.asked"
        assert set(asked.read_text().split()) == {"qemu:///system", "qemu+tls://big/system"}
        asked.unlink()
        await provider.down()
        assert set(asked.read_text().split()) == {"qemu+tls://big/system"}, "the other one has nothing more"

    asyncio.run(story())


def without(bench: Bench, command: str) -> None:
    """As on a machine that lacks it, whatever this one has."""
    (bench.path / "bin" / command).unlink(missing_ok=True)
    which = shutil.which
    bench.monkeypatch.setattr(shutil, "which", lambda name: None if name == command else which(name))


@pytest.mark.parametrize(("backend", "command"), [("libvirt", "virsh"), ("virtualbox", "VBoxManage")])
def test_down_forgets_nothing_that_it_could_not_look_for(bench: Bench, backend: str, command: str) -> None:
    async def story() -> None:
        bench.backend = backend
        await (await bench.provider()).up("lab-1", persist=True)
        (bench.path / "bin/vagrant").write_text("#!/bin/sh\necho it went wrong >&2\nexit 1\n")
        without(bench, command)
        provider = await bench.provider()
        with pytest.raises(InfrastructureError, match="it went wrong"):
            await provider.down()
        assert provider.attach("lab-1")

    asyncio.run(story())


def test_down_of_a_lab_without_machines_ends_well_where_nothing_can_be_asked(bench: Bench) -> None:
    (bench.path / "bin/vagrant").write_text("#!/bin/sh\necho it went wrong >&2\nexit 1\n")
    without(bench, "virsh")

    async def story() -> None:
        await (await bench.provider()).down()

    asyncio.run(story())
