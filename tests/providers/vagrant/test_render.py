"""The Vagrantfile: loaded in Ruby with a stand-in for Vagrant, and put to Vagrant itself where there is one."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import UserError
from kdevops.paths import data_dir
from kdevops.providers.shared.lab_directory import LabDirectory, ensure_keys
from kdevops.providers.vagrant.render import DirectKernel, VagrantBox, prefix, render
from tests.providers.vagrant.recorded_vagrant import BOX, NEEDS_RUBY, a_lab, calls, decoded, machines, rendered, told

VAGRANT = shutil.which("vagrant")
"""Found before a test starts: to the tests that boot nothing it is hidden, and this one only has it read a file."""
MACHINE = """\
name="MACHINE"
storagecontrollername0="IDE"
storagecontrollertype0="PIIX4"
storagecontrollername1="SATA"
storagecontrollertype1="IntelAhci"
storagecontrollerportcount1="30"
"SATA-0-0"="/root/VirtualBox VMs/MACHINE/box.vmdk"
"""
"""Of what VBoxManage 7.2 says of a machine, the lines about its disks."""
LIBVIRT = {
    "hypervisors": ["qemu:///system", "qemu+ssh://me@big/system"],
    "machine": "q35", "pool": "fast", "boot_timeout": 100,
}  # fmt: skip


@NEEDS_RUBY
def test_libvirt_is_told_what_the_lab_asks_for(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    kernel = DirectKernel(Path("/k/bzImage"), ("root=/dev/vda1", 'dyndbg="a < b & c"'), Path("/k/initrd"))
    (config,) = told(rendered(root, a_lab(**LIBVIRT), kernel=kernel), home=tmp_path)
    assert config["provider"] == "libvirt"
    assert config["set"] == {
        "vm.box": BOX.name, "vm.box_version": "1.2", "vm.box_url": "/boxes/one.box",
        "vm.box_download_checksum": "a" * 64, "vm.box_download_checksum_type": "sha256",
        "vm.box_check_update": False, "vm.boot_timeout": 800, "vm.guest": "linux",
        "ssh.insert_key": False, "ssh.shell": "sh",
        "ssh.private_key_path": [str(root / "id_ed25519"), str(tmp_path / "insecure_private_key")],
    }  # fmt: skip
    assert ["vm.synced_folder", [".", "/vagrant"], {"disabled": True}] in [call[:3] for call in config["calls"]]

    found = machines(config)
    assert list(found) == ["demo-1", "demo-2", "demo-3"]
    first = found["demo-1"]
    assert first["backend"] == "libvirt"
    assert first["set"] == {
        "uri": "qemu:///system", "driver": "qemu", "default_prefix": prefix(root, a_lab()), "storage_pool_name": "fast",
        "description": "Lab demo of kdevops", "machine_type": "q35", "cpus": 4, "memory": 1536,
        "cpu_mode": "custom", "cpu_model": "qemu64", "nested": False, "graphics_type": "none",
        "memballoon_enabled": False, "disk_bus": "virtio", "kernel": "/k/bzImage", "initrd": "/k/initrd",
        "cmd_line": 'root=/dev/vda1 dyndbg="a &lt; b &amp; c"',
    }  # fmt: skip
    console = str(root / "guests/demo-1/console.log")
    assert calls(first, "serial") == [{"type": "file", "source": {"path": console, "append": "on"}}]
    disk = {"size": f"{1 << 30}B", "type": "qcow2", "bus": "virtio", "cache": "unsafe", "discard": "unmap"}
    assert calls(first, "storage") == [{**disk, "serial": "kd-0"}, {**disk, "serial": "kd-1"}]
    assert calls(first, "random") == [{"model": "random"}]
    name, key, rules = decoded(first["provision"]["args"])
    assert (name, key) == ("demo-1", "ssh-ed25519 AAAA kdevops demo")
    assert "kd-*" in rules
    assert decoded(list(first["provision"]["env"].values())) == ["key of demo-1"]
    assert first["provision"]["sensitive"] is True

    assert [machine["set"]["uri"] for machine in found.values()] == [
        "qemu:///system", "qemu+ssh://me@big/system", "qemu:///system",
    ]  # fmt: skip
    assert calls(found["demo-2"], "serial") == [{"type": "pty"}], "a file there would not be ours to read"


@NEEDS_RUBY
@pytest.mark.parametrize(
    ("template", "more"),
    [
        ("<source path='<%= serial[:source][:path] %>'/>", "' append='on"),
        ("<source path='<%= source[:path] %>' append='<%= source.fetch(:append, 'on') %>'/>", ""),
        ("", ""),
    ],
    ids=["0.11", "0.12", "none"],
)
def test_a_console_stays_its_owners(tmp_path: Path, template: str, more: str) -> None:
    root, plugin = tmp_path / "demo", tmp_path / "plugin"
    if template:
        path = plugin / "lib/vagrant-libvirt/templates/domain.xml.erb"
        path.parent.mkdir(parents=True)
        path.write_text(template)
    (config,) = told(rendered(root, a_lab()), home=tmp_path, plugin=plugin)
    (serial,) = calls(machines(config)["demo-1"], "serial")
    assert serial["source"] == {"path": f"{root}/guests/demo-1/console.log{more}", "append": "on"}


def test_a_console_that_became_somebody_elses_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "demo"
    rendered(root, a_lab())
    console = root / "guests/demo-1/console.log"
    console.write_text("said")
    rendered(root, a_lab())
    assert console.read_text() == "said"
    monkeypatch.setattr(os, "access", lambda path, mode: path != console)
    rendered(root, a_lab())
    assert console.read_text() == ""


@NEEDS_RUBY
def test_kvm_passes_the_cpu_through_and_a_boot_takes_no_longer_than_said(tmp_path: Path) -> None:
    (config,) = told(rendered(tmp_path / "demo", a_lab(boot_timeout=90), driver="kvm"), home=tmp_path)
    first = machines(config)["demo-1"]["set"]
    assert (first["driver"], first["cpu_mode"], first.get("cpu_model")) == ("kvm", "host-passthrough", None)
    assert config["set"]["vm.boot_timeout"] == 90
    assert not {"kernel", "initrd", "cmd_line"} & set(first)


@NEEDS_RUBY
def test_a_box_of_somebody_elses_may_want_a_newer_processor_than_is_emulated_fastest(tmp_path: Path) -> None:
    (config,) = told(rendered(tmp_path / "demo", a_lab(box="almalinux/9")), home=tmp_path)
    first = machines(config)["demo-1"]["set"]
    assert (first["driver"], first["cpu_mode"], first.get("cpu_model")) == ("qemu", "maximum", None)


@NEEDS_RUBY
def test_nvme_disks_are_files_of_the_lab_that_qemu_is_told_of(tmp_path: Path) -> None:
    root = tmp_path / "de,mo"
    (config,) = told(rendered(root, a_lab(disk_bus="nvme", disks=[{"size": "1MiB"}])), home=tmp_path)
    first = machines(config)["demo-1"]
    file = root / "guests/demo-1/disk0.raw"
    assert file.stat().st_size == 1 << 20
    drive = f"if=none,id=kd-0,file={tmp_path}/de,,mo/guests/demo-1/disk0.raw,format=raw,cache=unsafe,discard=unmap"
    words = [options["value"] for options in calls(first, "qemuargs")]
    assert words == ["-drive", drive, "-device", "nvme,drive=kd-0,serial=kd-0,addr=8"]
    assert calls(first, "storage") == []
    assert first["set"]["disk_bus"] == "virtio", "the root is not one of the lab's disks"


@NEEDS_RUBY
def test_virtualbox_is_told_what_the_lab_asks_for(tmp_path: Path) -> None:
    root = tmp_path / "de mo"
    made = rendered(root, a_lab("virtualbox"))
    (root / "guests/demo-2/kd-0.vdi").touch()
    (config,) = told(made, home=tmp_path, machine=MACHINE)
    found = machines(config)
    first = found["demo-1"]
    assert (config["provider"], first["backend"]) == ("virtualbox", "virtualbox")
    assert first["set"] == {
        "name": prefix(root, a_lab()) + "demo-1", "gui": False, "linked_clone": True, "check_guest_additions": False,
        "cpus": 4, "memory": 1536,
    }  # fmt: skip
    wanted = [words for (words,) in calls(first, "customize")]
    home = f"{root}/guests/demo-1"
    assert wanted[:3] == [
        ["modifyvm", "id", "--paravirtprovider", "kvm"],
        ["modifyvm", "id", "--uart1", "0x3F8", "4", "--uartmode1", "file", f"{home}/console.log"],
        ["storagectl", "id", "--name", "SATA", "--portcount", 6],
    ]
    for number in (0, 1):
        medium, port = f"{home}/kd-{number}.vdi", 4 + number
        create, attach, name = wanted[3 + 3 * number : 6 + 3 * number]
        assert create == ["createmedium", "disk", "--filename", medium, "--sizebyte", 1 << 30]
        assert attach == ["storageattach", "id", "--storagectl", "SATA", "--port", port, "--device", 0,
                          "--type", "hdd", "--medium", medium]  # fmt: skip
        assert name == [
            "setextradata",
            "id",
            f"VBoxInternal/Devices/ahci/0/Config/Port{port}/SerialNumber",
            f"kd-{number}",
        ]
    created = [words[3] for (words,) in calls(found["demo-2"], "customize") if words[0] == "createmedium"]
    assert created == [f"{root}/guests/demo-2/kd-1.vdi"], "a disk that is there is not made again"


@NEEDS_RUBY
@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (MACHINE, "SATA"),
        (MACHINE.replace('"SATA"', '"Disks of MACHINE"'), "Disks of {machine}"),
        (MACHINE.replace("IntelAhci", "LsiLogic"), "SATA Controller"),
        ("", "SATA Controller"),
    ],
    ids=["7", "named by the box", "none", "nothing"],
)
def test_disks_are_put_on_the_controller_that_the_machine_has(tmp_path: Path, machine: str, name: str) -> None:
    """VirtualBox 7.2.22 says SATA where older versions said SATA Controller; other boxes bring names of their own."""
    (config,) = told(rendered(tmp_path / "demo", a_lab("virtualbox")), home=tmp_path, machine=machine)
    wanted = [words for (words,) in calls(machines(config)["demo-1"], "customize")]
    named = {
        words[words.index(option) + 1] for words in wanted for option in ("--name", "--storagectl") if option in words
    }
    assert named == {name.format(machine=prefix(tmp_path / "demo", a_lab()) + "demo-1")}


@NEEDS_RUBY
def test_the_public_keys_of_a_new_vagrant_open_a_guest_too(tmp_path: Path) -> None:
    for name in ("vagrant.key.rsa", "vagrant.key.ed25519"):
        path = tmp_path / "insecure_private_keys" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (config,) = told(rendered(tmp_path / "demo", a_lab()), home=tmp_path)
    keys = [Path(path).name for path in config["set"]["ssh.private_key_path"]]
    assert keys == ["id_ed25519", "insecure_private_key", "vagrant.key.ed25519", "vagrant.key.rsa"]


def test_the_same_lab_gives_the_same_bytes_and_nothing_is_touched(tmp_path: Path) -> None:
    def files() -> dict[Path, tuple[bytes, int]]:
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()}

    root = rendered(tmp_path / "demo", a_lab())
    assert sorted(path.name for path in root.iterdir()) == ["61-kdevops.rules", "Vagrantfile", "lab.json", "prepare.sh"]
    before = files()
    console = tmp_path / "demo/guests/demo-1/console.log"
    assert stat.S_IMODE(console.stat().st_mode) == 0o600
    console.write_text("said")
    rendered(tmp_path / "demo", a_lab(), keys=False)
    assert files() == before
    assert console.read_text() == "said"
    rendered(tmp_path / "demo", a_lab(), driver="kvm", keys=False)
    assert {path.name for path, content in files().items() if before[path] != content} == {"lab.json"}
    assert (root / "Vagrantfile").read_bytes() == (data_dir("vagrant") / "Vagrantfile").read_bytes()


def test_a_prefix_is_of_one_lab_of_one_user(tmp_path: Path) -> None:
    lab = a_lab()
    mine = prefix(tmp_path / "me/labs/demo", lab)
    assert mine.startswith("kdevops-demo-")
    assert mine == prefix(tmp_path / "me/labs/demo", lab)
    assert mine != prefix(tmp_path / "you/labs/demo", lab)


@pytest.mark.parametrize(
    ("directory", "provider", "complaint"),
    [
        ("it's", {}, 'cannot use a path with "\'"'),
        ("a&b", {}, "'&'"),
        ("new\nline", {}, r"'\n'"),
        ("\udcff", {}, "UTF-8"),
        ("demo", {"disk_bus": "nvme", "hypervisors": ["qemu+ssh://big/system"]}, "makes disks on this machine"),
        (
            "demo",
            {"boot": "direct", "hypervisors": ["qemu:///system", "qemu+ssh://big/system"]},
            "guest demo-2 is on",
        ),
        (
            "demo",
            {"disks": [{"size": "1GiB", "count": 13}] * 2},
            "a guest has 26 disks, but virtio supports at most 25",
        ),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, directory: str, provider: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError) as error:
        render(a_lab(**provider), LabDirectory(tmp_path / directory), BOX, driver="qemu")
    assert complaint in error.value.message
    assert error.value.hint


def test_a_kernel_whose_path_would_end_the_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot use a path"):
        rendered(tmp_path / "demo", a_lab(), kernel=DirectKernel(Path("/k</kernel>/bzImage"), ()))


# Vagrant's own opinion.


def validate(root: Path, backend: str, home: Path) -> subprocess.CompletedProcess[str]:
    tools = home / "bin"
    tools.mkdir(exist_ok=True)
    vboxmanage = tools / "VBoxManage"
    vboxmanage.write_text("#!/bin/sh\necho 7.0.20r163906\n")
    vboxmanage.chmod(0o755)
    environment = {
        **os.environ,
        "HOME": str(home), "VAGRANT_HOME": str(home / "vagrant.d"), "PATH": f"{tools}:{os.environ['PATH']}",
        "VAGRANT_DEFAULT_PROVIDER": backend, "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1",
    }  # fmt: skip
    assert VAGRANT
    return subprocess.run(
        [VAGRANT, "validate"], cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.skipif(not VAGRANT, reason="vagrant is needed")
@pytest.mark.parametrize("backend", ["libvirt", "virtualbox"])
def test_vagrant_finds_the_file_valid_and_would_find_a_mistake(tmp_path: Path, backend: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    lab, directory = a_lab(backend), LabDirectory(tmp_path / "demo")
    asyncio.run(ensure_keys(directory, lab.guest_names()))
    root = render(lab, directory, VagrantBox("kdevops/none"), driver="qemu")
    done = validate(root, backend, home)
    if f"provider '{backend}' could not be found" in done.stderr:
        pytest.skip(f"vagrant has no {backend} here")
    assert done.returncode == 0, done.stderr
    assert "successfully" in done.stdout
    text = (root / "Vagrantfile").read_text()
    (root / "Vagrantfile").write_text(text.replace(f"{backend}.cpus =", f"{backend}.cpuss =", 1))
    wrong = validate(root, backend, home)
    assert wrong.returncode != 0
    assert "cpuss" in wrong.stdout + wrong.stderr
