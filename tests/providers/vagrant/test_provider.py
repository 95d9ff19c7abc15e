"""The provider between its tools: `vagrant`, `virsh` and `ssh` here are scripts that write down what they are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kdevops.errors import BootError, InfrastructureError
from kdevops.guest.ssh import SshTarget
from kdevops.lab.model import Lab
from kdevops.providers.base import BootKernel
from kdevops.providers.shared.lab_directory import LabDirectory
from kdevops.providers.vagrant.provider import VagrantProvider
from kdevops.providers.vagrant.render import VagrantBox

VAGRANT = r"""#!/bin/sh
echo "vagrant $*" >>"$SAID"
case $1 in
box) mkdir -p "$VAGRANT_HOME/boxes/kdevops-VAGRANTSLASH-box/0/libvirt"
    : >"$VAGRANT_HOME/boxes/kdevops-VAGRANTSLASH-box/0/libvirt/metadata.json" ;;
up) printf '    lab-%s: SSH address: 127.0.0.1:%s\n' 1 "$PORT" 2 "$PORT" ;;
status) printf '1,lab-1,state,running\n' ;;
snapshot) [ -z "$NO_SNAPSHOTS" ] || { echo "Error: no snapshots" >&2; exit 1; } ;;
esac
"""
VIRSH = """#!/bin/sh
shift 3
case $1 in
destroy | vol-delete) echo "virsh $*" | sed 's/kdevops-lab-[0-9a-f]*-//' >>"$SAID" ;;
vol-info) printf 'Name:           box\\nPhysical:       %s bytes\\n' "${PHYSICAL:-4096}" ;;
esac
"""


class Bench:
    """A lab of one guest. `said` has the commands since it was asked last."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.monkeypatch = monkeypatch
        self.installed: list[tuple[str, ...]] = []
        self.refuse = False
        self.boot = "install"
        self.backend = "libvirt"
        self.hypervisors = ["qemu:///system"]
        self.told: list[str] = []
        for name, text in {"vagrant": VAGRANT, "virsh": VIRSH, "ssh": "#!/bin/sh\n"}.items():
            script = path / "bin" / name
            script.parent.mkdir(exist_ok=True)
            script.write_text(text)
            script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("SAID", str(path / "said"))
        monkeypatch.setenv("VAGRANT_HOME", str(path / "home"))
        box = path / "home/boxes/kdevops-VAGRANTSLASH-box/1.0/libvirt"
        box.mkdir(parents=True)
        (box / "metadata.json").write_text("{}")
        (box / "box.img").write_bytes(bytes(4096))

    def said(self) -> list[str]:
        path = self.path / "said"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return lines

    async def install(self, targets: Sequence[SshTarget], words: Sequence[str]) -> None:
        self.installed.append(tuple(words))
        if self.refuse:
            raise InfrastructureError("it did not come up")

    async def provider(self, **guests: Any) -> VagrantProvider:
        """As a new command has it, which knows only what was kept."""
        wanted: dict[str, Any] = {"backend": self.backend}
        if self.backend == "libvirt":
            wanted |= {"boot": self.boot, "hypervisors": self.hypervisors}
        said = {"name": "lab", "guests": guests, "provider": {"type": "vagrant", **wanted}}
        lab = Lab.model_validate({**said, "suites": {"commands": {"tests": {"nothing": "true"}}}})
        provider = VagrantProvider(
            lab,
            LabDirectory(self.path / "labs/lab"),
            box=VagrantBox("kdevops/box"),
            kernel=BootKernel(self.path / "vmlinuz", "key"),
            install=self.install,
            report=lambda progress: self.told.append(progress.detail),
        )
        await provider.render()
        return provider


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """With somebody who greets as sshd does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"SSH-2.0-toy\r\n")
                connection.close()

        Thread(target=greet, daemon=True).start()
        monkeypatch.setenv("PORT", str(server.getsockname()[1]))
        yield Bench(tmp_path, monkeypatch)
        server.shutdown(socket.SHUT_RDWR)


ENDLESS = r"""#!/bin/sh
echo "vagrant $*" >>"$SAID"
case $1 in
up)
    trap 'sleep 0.5; rm "$SAID.up"; exit 1' INT TERM
    : >"$SAID.up"
    printf "$SAYS"
    while :; do sleep 0.1; done ;;
destroy) [ ! -e "$SAID.up" ] || { echo "another process is already executing an action on the machine" >&2; exit 1; } ;;
esac
"""
"""A Vagrant whose guests never come up, and that takes a while to end."""
UP, SAVE = "vagrant up lab-1 --provider=libvirt", "vagrant snapshot save --force lab-1 kdevops"
RESTORE = "vagrant snapshot restore --no-provision lab-1 kdevops"


def test_a_machine_is_made_once_and_goes_back_to_its_snapshot(bench: Bench) -> None:
    async def story() -> None:
        guest = await (await bench.provider()).up("lab-1", stay=True)
        assert guest.stay
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
        await (await bench.provider()).up("lab-1", extra_cmdline=["kunit.enable=1"], fresh=True, stay=True)
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


async def appears(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():  # noqa: ASYNC110 - nobody tells of a file
            await asyncio.sleep(0.02)


async def interrupted(bench: Bench, provider: VagrantProvider, *names: str, stay: bool = False) -> None:
    """Have an `up` of these guests cancelled while Vagrant starts them."""
    (bench.path / "bin/vagrant").write_text(ENDLESS)
    ups = [asyncio.create_task(provider.up(name, stay=stay)) for name in names]
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
        await interrupted(bench, provider, "lab-1", stay=True)
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
        await interrupted(bench, await bench.provider(), "lab-1", stay=True)
        (bench.path / "bin/vagrant").write_text(script)
        bench.said()
        provider = await bench.provider()
        await (provider.up("lab-1") if command == "up" else provider.down())
        said = bench.said()
        assert (HALF in said) is removed
        if removed and command == "up":
            assert said.index(HALF) < said.index(UP)
            assert any("its upload was stopped half way" in told for told in bench.told)

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
        await (await bench.provider()).up("lab-1", stay=True)
        bench.hypervisors = ["qemu+tls://big/system"]
        provider = await bench.provider()
        await provider.up("lab-1", stay=True)
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
        await (await bench.provider()).up("lab-1", stay=True)
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
