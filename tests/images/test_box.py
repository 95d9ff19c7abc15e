"""Making boxes with a stand-in for the unpacked Debian, so that disk, conversion and archive are real."""

import asyncio
import hashlib
import io
import json
import platform
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import InfrastructureError, UserError
from kdevops.images import box as box_module
from kdevops.images.box import Box, ensure_box, recipe_key
from kdevops.images.box_pack import write_box
from kdevops.images.box_tree import DATA, BoxProvider, box_packages, early_files, finish_hook, late_files
from kdevops.images.disk import SECTOR, START, tool_path
from kdevops.images.needs import NOTHING, GuestNeeds
from kdevops.images.partitions import root_of
from kdevops.lab.model import Image
from kdevops.progress import Progress

IMAGE = Image(size=512 << 20)
BOOT, CORE = bytes(range(256)) * 2, b"core" * 1000
FILES = {
    "boot/grub/i386-pc/boot.img": BOOT,
    "boot/grub/core.img": CORE,
    "etc/resolv.conf": b"nameserver 192.0.2.1\n",
    "var/lib/dpkg/status": b"Package: bash\nVersion: 5.2\n",
}
OVF = {
    "ovf": "http://schemas.dmtf.org/ovf/envelope/1",
    "rasd": "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData",
}


class Bench:
    """A cache, and a Debian that is there at once."""

    def __init__(self, tmp_path: Path) -> None:
        self.cache = tmp_path / "cache"
        self.news: list[Progress] = []
        self.calls: list[dict[str, Any]] = []
        self.error: Exception | None = None

    async def unpack(
        self, image: Image, needs: GuestNeeds, packages: Sequence[str], target: Path, **others: Any
    ) -> None:
        await asyncio.sleep(0)
        self.calls.append({"packages": packages, **others})
        if self.error:
            raise self.error
        with tarfile.open(target, "w") as archive:
            for name, content in FILES.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    def ensure(self, provider: BoxProvider = "libvirt", image: Image = IMAGE, needs: GuestNeeds = NOTHING) -> Box:
        return asyncio.run(ensure_box(image, needs, provider, cache=self.cache, report=self.news.append))

    def left(self) -> list[str]:
        return sorted(path.name for path in (self.cache / "boxes").iterdir() if path.suffix not in {".lock", ".log"})


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path)
    monkeypatch.setattr(box_module, "unpack_debian", made.unpack)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return made


def unpacked(box: Box, directory: Path) -> dict[str, Path]:
    directory.mkdir()
    subprocess.run(["tar", "-xf", box.path, "-C", directory], check=True)
    with tarfile.open(box.path, "r:") as archive:
        return {name: directory / name for name in archive.getnames()}


def raw(disk: Path) -> Path:
    path = disk.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", disk, path], check=True)
    return path


def test_a_box_for_libvirt(bench: Bench, tmp_path: Path) -> None:
    box = bench.ensure()
    assert box.path == bench.cache / "boxes" / f"{box.key}-libvirt.box"
    assert box.name == f"kdevops/bookworm-{box.key[:12]}"
    assert box.record == {
        "kind": "box", "suite": "bookworm", "provider": "libvirt", "key": box.key,
        "root": f"PARTUUID={box.key[:8]}-01", "sha256": box.record["sha256"], "packages": {"bash": "5.2"},
    }  # fmt: skip
    files = unpacked(box, tmp_path / "box")
    assert set(files) == {"metadata.json", "Vagrantfile", "box.img"}
    assert json.loads(files["metadata.json"].read_text()) == {
        "provider": "libvirt", "format": "qcow2", "virtual_size": 1,
    }  # fmt: skip
    info = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", files["box.img"]]))
    assert (info["format"], info["virtual-size"]) == ("qcow2", 1 << 30)
    assert bench.left() == [f"{box.key}-libvirt.box", f"{box.key}.json"]
    assert bench.news[-1].done


def test_its_disk_boots_by_grub(bench: Bench, tmp_path: Path) -> None:
    box = bench.ensure()
    disk = raw(unpacked(box, tmp_path / "box")["box.img"])
    with disk.open("rb") as file:
        head = file.read(START)
    assert head[:440] == BOOT[:440]
    assert head[510:512] == b"\x55\xaa"
    assert head[SECTOR:].rstrip(b"\0") == CORE
    root = root_of(head)
    assert root
    assert root.root == box.record["root"]

    def debugfs(request: str) -> str:
        argv = ["debugfs", "-R", request, f"{disk}?offset={START}"]
        return subprocess.run(argv, env={"PATH": tool_path()}, capture_output=True, text=True, check=True).stdout

    assert "Type: symlink" in debugfs("stat /etc/resolv.conf")
    assert f"UUID:          {box.key[:8]}-" in debugfs("stats -h")
    assert debugfs("cat /home/vagrant/.ssh/authorized_keys").endswith("vagrant insecure public key\n")


def test_a_box_for_virtualbox(bench: Bench, tmp_path: Path) -> None:
    box = bench.ensure("virtualbox")
    files = unpacked(box, tmp_path / "box")
    assert set(files) == {"metadata.json", "Vagrantfile", "box.ovf", "box.vmdk"}
    assert json.loads(files["metadata.json"].read_text()) == {"provider": "virtualbox"}
    described = subprocess.check_output(["qemu-img", "info", "--output=json", files["box.vmdk"]])
    disk = json.loads(described)
    assert (disk["format"], disk["virtual-size"]) == ("vmdk", 1 << 30)
    assert disk["format-specific"]["data"]["create-type"] == "streamOptimized"

    ovf = ElementTree.parse(files["box.ovf"]).getroot()
    file = ovf.find("ovf:References/ovf:File", OVF)
    assert file is not None
    ovf_name = f"{{{OVF['ovf']}}}"
    assert file.get(f"{ovf_name}href") == "box.vmdk"
    assert int(file.get(f"{ovf_name}size") or 0) == files["box.vmdk"].stat().st_size
    part = ovf.find("ovf:DiskSection/ovf:Disk", OVF)
    assert part is not None
    assert part.get(f"{ovf_name}capacity") == str(1 << 30)
    hardware = ovf.findall("ovf:VirtualSystem/ovf:VirtualHardwareSection/ovf:Item", OVF)
    kinds = {item.findtext("rasd:ResourceType", namespaces=OVF): item for item in hardware}
    # Processor, memory, network card, disk, SATA: numbers of CIM_ResourceAllocationSettingData.
    assert set(kinds) == {"3", "4", "10", "17", "20"}
    assert kinds["17"].findtext("rasd:Parent", namespaces=OVF) == kinds["20"].findtext(
        "rasd:InstanceID", namespaces=OVF
    )
    mac = kinds["10"].findtext("rasd:Address", namespaces=OVF)
    assert mac == f"080027{box.key[:6].upper()}"
    assert f'config.vm.base_mac = "{mac}"' in files["Vagrantfile"].read_text()
    assert "$" not in files["Vagrantfile"].read_text() + files["box.ovf"].read_text()


def test_a_box_is_made_once_for_each_provider(bench: Bench) -> None:
    first, other = bench.ensure(), bench.ensure("virtualbox")
    assert len(bench.calls) == 2
    assert first.name != other.name
    began = time.monotonic()
    assert bench.ensure() == first
    assert time.monotonic() - began < 0.1
    assert len(bench.calls) == 2
    assert "linux-image-cloud-amd64" in bench.calls[0]["packages"]
    assert "linux-image-amd64" in bench.calls[1]["packages"]


def test_what_is_half_made_is_not_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.error = InfrastructureError("the guest image could not be made")
    with pytest.raises(InfrastructureError):
        bench.ensure()
    assert bench.left() == []
    bench.error = None
    monkeypatch.setitem(FILES, "boot/grub/core.img", bytes(START))
    with pytest.raises(InfrastructureError, match="does not fit in front of the partition"):
        bench.ensure()
    assert bench.left() == []


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image(path=Path("debian.qcow2")), "cannot make a Vagrant box from debian.qcow2"),
        (Image(url="http://x/y.img", sha256="0" * 64), "cannot make a Vagrant box from http://x/y.img"),
        (Image(packages=("--oops",)), "is not a Debian package name"),
    ],
)
def test_what_is_no_recipe_is_refused(bench: Bench, image: Image, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bench.ensure(image=image)
    assert not bench.calls


def test_another_machine_is_told_to_bring_its_box(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match="x86-64, but this machine is aarch64") as caught:
        bench.ensure()
    assert "provider.box" in str(caught.value.hint)


def test_every_part_of_the_recipe_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(provider: BoxProvider = "libvirt", needs: GuestNeeds = NOTHING, **image: Any) -> str:
        return recipe_key(Image(**image), needs, provider)

    keys = [
        key(),
        key("virtualbox"),
        key(needs=GuestNeeds(packages=("fio",))),
        key(needs=GuestNeeds(users=("fsgqa",))),
        key(suite="trixie"),
        key(size=5 << 30),
        key(mirror="http://mirror/debian"),
        key(packages=("gdb",)),
    ]
    monkeypatch.setattr(box_module, "late_files", lambda: b"other files")
    keys.append(key())
    assert len(set(keys)) == len(keys)
    assert all(len(each) == 32 for each in keys)
    assert key(packages=("fio",)) == key(needs=GuestNeeds(packages=("fio",)))
    # The init of the embedded provider's guests is of no concern, and the disk is in whole GiB.
    assert key(init="systemd") == key(size=(3 << 30) + 1) == key()


def members(archive: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: member for member in tar}


def test_vagrant_gets_in_and_nobody_by_a_password() -> None:
    late = members(late_files())
    home, key = late["home/vagrant/.ssh"], late["home/vagrant/.ssh/authorized_keys"]
    assert (home.uid, home.mode, key.uid, key.gid, key.mode) == (1000, 0o700, 1000, 1000, 0o600)
    assert late["etc/sudoers.d/vagrant"].mode == 0o440
    assert late["etc/machine-id"].size == 0
    with tarfile.open(fileobj=io.BytesIO(late_files())) as archive:
        sshd = archive.extractfile("etc/ssh/sshd_config.d/kdevops.conf")
        assert sshd
        settings = sshd.read().decode()
    assert "PasswordAuthentication no" in settings
    assert "PermitRootLogin prohibit-password" in settings
    assert "/run/kdevops" not in settings


def test_archives_are_the_same_every_time() -> None:
    assert late_files() == late_files()
    assert early_files("01234567-01") == early_files("01234567-01")
    assert b"PARTUUID=01234567-01 / ext4" in early_files("01234567-01")


def test_packages_of_a_box() -> None:
    packages = box_packages(Image(packages=("gdb",)), GuestNeeds(packages=("fio",)), "libvirt")
    assert {"gdb", "fio", "systemd", "openssh-server", "python3-apt", "grub-pc-bin", "sudo"} <= set(packages)
    assert packages == sorted(set(packages))


def test_the_hook_is_a_script_that_a_shell_takes() -> None:
    hook = finish_hook("0123", "4567-01")
    assert hook.startswith("uuid=0123 partuuid=4567-01\n")
    subprocess.run(["sh", "-n"], input=hook.encode(), check=True)


OPTIONS = "CONFIG_DEVTMPFS_MOUNT=y\nCONFIG_EXT4_FS=y\nCONFIG_VIRTIO_PCI=y\nCONFIG_VIRTIO_BLK=y\n"


@pytest.mark.parametrize(
    ("root", "options", "needless"),
    [
        ("/dev/vda1", OPTIONS, True),
        ("/dev/vda1", OPTIONS.replace("BLK=y", "BLK=m"), False),
        ("/dev/vda1", OPTIONS.replace("CONFIG_EXT4_FS=y", "# CONFIG_EXT4_FS is not set"), False),
        ("/dev/vda1", None, False),
        ("/dev/sda1", OPTIONS, False),
        ("/dev/sda1", OPTIONS + "CONFIG_BLK_DEV_SD=y\nCONFIG_SATA_AHCI=y\n", True),
        ("/dev/nvme0n1p1", OPTIONS + "CONFIG_BLK_DEV_NVME=y\n", True),
        ("/dev/mapper/root", OPTIONS, False),
        ("", OPTIONS, False),
    ],
)
def test_no_initramfs_for_a_kernel_that_needs_none(
    tmp_path: Path, root: str, options: str | None, needless: bool
) -> None:
    tool = tmp_path / "findmnt"
    tool.write_text(f'#!/bin/sh\n[ "{root}" ] && echo "{root}"\n')
    tool.chmod(0o755)
    if options is not None:
        (tmp_path / "config-6.1.0").write_text(options)
    old = tmp_path / "initrd.img-6.1.0"
    old.touch()
    script = tmp_path / "initrd.sh"
    script.write_text((DATA / "box/initrd.sh").read_text().replace("/boot", str(tmp_path)))
    told = subprocess.run(
        ["sh", "-ec", f'[ "$INITRD" ] || . {script}; echo "INITRD=$INITRD"', "sh", "6.1.0"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout == ("INITRD=No\n" if needless else "INITRD=\n")
    assert old.exists() != needless


@given(content=st.binary(max_size=4096), key=st.text("0123456789abcdef", min_size=32, max_size=32))
def test_the_same_disk_gives_the_same_box(tmp_path_factory: pytest.TempPathFactory, content: bytes, key: str) -> None:
    directory = tmp_path_factory.mktemp("box")
    for provider, name in (("libvirt", "box.img"), ("virtualbox", "box.vmdk")):
        disk = directory / name
        digests = set()
        for number in range(2):
            disk.write_bytes(content)
            box = directory / f"{number}.box"
            write_box(box, provider, disk, name=f"kdevops/x-{key[:12]}", key=key, size=3 << 30)  # type: ignore[arg-type]
            digests.add(hashlib.sha256(box.read_bytes()).hexdigest())
        assert len(digests) == 1
        with tarfile.open(directory / "0.box") as archive:
            packed = archive.extractfile(name)
            assert packed
            assert packed.read() == content
            if provider == "virtualbox":
                ovf = archive.extractfile("box.ovf")
                assert ovf
                ElementTree.parse(ovf)
