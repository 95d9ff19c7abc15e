"""The Vagrantfile: loaded in Ruby with a stand-in for Vagrant, and put to Vagrant itself where there is one."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.lab.model import Lab
from kdevops.paths import data_dir
from kdevops.providers.guest_files import LabDirectory, ensure_keys
from kdevops.providers.vagrant_file import DirectKernel, VagrantBox, prefix, render

BOX = VagrantBox("kdevops/bookworm-0123", "1.2", "/boxes/one.box", "a" * 64)
STAND_IN = Path(__file__).with_name("recording_vagrant.rb")
NEEDS_RUBY = pytest.mark.skipif(not shutil.which("ruby"), reason="ruby is needed; Vagrant brings it")
NEEDS_VAGRANT = pytest.mark.skipif(not shutil.which("vagrant"), reason="vagrant is needed")
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


def a_lab(
    backend: str = "libvirt", *, disks: Sequence[dict[str, Any]] = ({"size": "1GiB", "count": 2},), **provider: Any
) -> Lab:
    text = {
        "name": "demo",
        "provider": {"type": "vagrant", "backend": backend, **provider},
        "guests": {"count": 3, "cpus": 4, "memory": "1536MiB", "disks": list(disks)},
    }
    return Lab.model_validate(text)


def rendered(
    root: Path,
    lab: Lab,
    *,
    driver: Literal["kvm", "qemu"] = "qemu",
    kernel: DirectKernel | None = None,
    keys: bool = True,
) -> Path:
    directory = LabDirectory(root)
    if keys:
        for name in lab.guest_names():
            directory.guest(name).mkdir(parents=True, exist_ok=True)
            (directory.guest(name) / "ssh_host_ed25519_key").write_text(f"key of {name}\n")
        directory.key.write_text("ours\n")
        directory.key.with_suffix(".pub").write_text("ssh-ed25519 AAAA kdevops demo\n")
    return render(lab, directory, BOX, driver=driver, kernel=kernel)


def told(
    *roots: Path, home: Path, cwd: Path | None = None, plugin: Path | None = None, machine: str = ""
) -> list[dict[str, Any]]:
    """What the Vagrantfiles in these directories tell Vagrant, with its plugin for libvirt in this directory.

    `machine` is what VBoxManage says of one.
    """
    environment = {**os.environ, "VAGRANT_HOME": str(home), "LC_ALL": "C", "VBOXMANAGE_SAYS": machine}
    environment |= {"LIBVIRT_PLUGIN": str(plugin)} if plugin else {}
    argv = ["ruby", STAND_IN, *(root / "Vagrantfile" for root in roots)]
    done = subprocess.run(argv, env=environment, cwd=cwd, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def machines(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By guest: what the provider's block sets and calls, and the arguments of its provisioner."""
    found = {}
    for name, arguments, _, inner in config["calls"]:
        if name == "vm.define":
            ((_, (kind,), provision, _), (_, (backend,), _, provider)) = inner["calls"]
            assert kind == "shell"
            found[arguments[0]] = {"provision": provision, "backend": backend, **provider}
    return found


def decoded(words: Sequence[str]) -> list[str]:
    """What prepare.sh makes of its arguments."""
    return [base64.b64decode(word, validate=True).decode() for word in words]


def calls(machine: dict[str, Any], name: str) -> list[Any]:
    return [options or arguments for each, arguments, options, _ in machine["calls"] if each == name]


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
            {"disks": [{"size": "1GiB", "count": 13}] * 2},
            "a guest has 26 disks, and with virtio it can have 25",
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


# Whatever stands in lab.json comes out of Ruby as it went in.

EVIL = (
    "#{`touch canary`}", "#{system('touch canary')}", '"; system("touch canary"); "', "'); `touch canary`; ('", "`touch canary`",
    "\\#{`touch canary`}", "%x(touch canary)", "<%= `touch canary` %>", "| touch canary", "\\", "\\'", '"', "'", "#$0", "#@x",
    "\n", "\0", "__END__", "é", "\u2028", "😀", "]]>", "--", ":id", "~", "$(touch canary)", "&&",
)  # fmt: skip
WORDS = st.one_of(st.sampled_from(EVIL), st.text(st.characters(exclude_categories=["Cs"])))
TEXTS = st.lists(WORDS, min_size=1, max_size=3).map("".join)
NAMES = TEXTS.map(lambda text: text.translate({0: "", ord("/"): ""})[:50]).filter(
    lambda text: text not in {"", ".", ".."}
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A lab.json with any text where there is text. A file's contents go by "contents"."""
    texts = {
        name: draw(TEXTS) for name in ("box", "version", "url", "sha256", "lab", "prefix", "guest", "serial", "disk")
    }
    return {
        **texts,
        **{
            name: draw(TEXTS)
            for name in ("uri", "driver", "machine", "pool", "mode", "model", "kernel", "initrd", "console")
        },
        "cmdline": draw(st.lists(TEXTS, max_size=3)),
        "files": [draw(NAMES) for _ in range(3)],
        "contents": [draw(TEXTS) for _ in range(3)],
        "backend": draw(st.sampled_from(["libvirt", "virtualbox"])),
        "nvme": draw(st.booleans()),
    }


def write_document(root: Path, text: dict[str, Any]) -> None:
    root.mkdir()
    for name in ("Vagrantfile", "prepare.sh"):
        shutil.copy(data_dir("vagrant") / name, root)
    (root / "61-kdevops.rules").write_text("rules\n")
    files = []
    for number, (name, content) in enumerate(zip(text["files"], text["contents"], strict=True)):
        files.append(root / str(number) / name)
        files[-1].parent.mkdir()
        files[-1].write_text(f"{content}\n", encoding="utf-8", newline="")
    disk = {"serial": text["serial"], "size": 1}
    if text["backend"] == "virtualbox" or text["nvme"]:
        disk["path"] = text["disk"].replace("\0", "")
    guest = {
        "name": text["guest"], "cpus": 1, "memory": 1, "disks": [disk], "hypervisor": text["uri"],
        "console": text["console"], "host_key": str(files[0]),
    }  # fmt: skip
    lab = {
        "version": 1, "name": text["lab"], "prefix": text["prefix"], "backend": text["backend"], "boot_timeout": 1,
        "box": {name: text["box" if name == "name" else name] for name in ("name", "version", "url", "sha256")},
        "public_key": str(files[1]), "private_key": str(files[2]), "guests": [guest],
        "libvirt": {"driver": text["driver"], "machine": text["machine"], "pool": text["pool"], "cpu_mode": text["mode"],
                    "cpu_model": text["model"]},
        "kernel": {"image": text["kernel"], "initrd": text["initrd"], "cmdline": text["cmdline"]},
    }  # fmt: skip
    (root / "lab.json").write_text(json.dumps(lab))


def check_document(root: Path, text: dict[str, Any], config: dict[str, Any]) -> None:
    assert {name: config["set"][f"vm.{name}"] for name in ("box", "box_version", "box_url", "box_download_checksum")} == {
        "box": text["box"], "box_version": text["version"], "box_url": text["url"], "box_download_checksum": text["sha256"],
    }  # fmt: skip
    assert config["set"]["ssh.private_key_path"][0] == f"{root}/2/{text['files'][2]}"
    ((name, machine),) = machines(config).items()
    assert name == text["guest"]
    assert decoded(machine["provision"]["args"]) == [text["guest"], text["contents"][1], "rules"]
    assert decoded([machine["provision"]["env"]["HOST_KEY"]]) == [text["contents"][0]]
    path = text["disk"].replace("\0", "")
    if text["backend"] == "virtualbox":
        assert machine["set"]["name"] == text["prefix"] + text["guest"]
        words = [words for (words,) in calls(machine, "customize")]
        assert words[1][-1] == text["console"]
        assert words[-2][-1] == path
        assert words[-1][-1] == text["serial"]
        return
    facts = machine["set"]
    assert [
        facts[name] for name in ("uri", "driver", "machine_type", "storage_pool_name", "cpu_mode", "cpu_model")
    ] == [text[name] for name in ("uri", "driver", "machine", "pool", "mode", "model")]
    assert [facts[name] for name in ("default_prefix", "kernel", "initrd")] == [
        text[name] for name in ("prefix", "kernel", "initrd")
    ]
    assert facts["description"] == f"Lab {escape(text['lab'], quote=False)} of kdevops"
    assert facts["cmd_line"] == escape(" ".join(text["cmdline"]), quote=False)
    assert calls(machine, "serial") == [{"type": "file", "source": {"path": text["console"], "append": "on"}}]
    if text["nvme"]:
        file, serial = path.replace(",", ",,"), text["serial"]
        assert calls(machine, "qemuargs")[1] == {
            "value": f"if=none,id={serial},file={file},format=raw,cache=unsafe,discard=unmap"
        }
    else:
        assert calls(machine, "storage")[0]["serial"] == text["serial"]


@NEEDS_RUBY
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.generate],  # to find a smaller example would take hundreds of Rubies
)  # fmt: skip
@given(st.lists(documents(), min_size=10, max_size=30))
def test_no_text_is_ever_code(texts: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        cwd = top / "cwd"
        cwd.mkdir()
        roots = [top / str(number) for number in range(len(texts))]
        for root, text in zip(roots, texts, strict=True):
            write_document(root, text)
        for root, text, config in zip(roots, texts, told(*roots, home=top, cwd=cwd), strict=True):
            check_document(root, text, config)
        assert not list(top.rglob("canary"))


@NEEDS_RUBY
def test_the_canary_sings_when_something_is_evaluated(tmp_path: Path) -> None:
    """The test above can fail."""
    root = rendered(tmp_path / "demo", a_lab())
    facts = json.loads((root / "lab.json").read_text())
    facts["box"]["name"] = EVIL[0]
    (root / "lab.json").write_text(json.dumps(facts))
    told(root, home=tmp_path, cwd=tmp_path)
    assert not (tmp_path / "canary").exists()
    text = (root / "Vagrantfile").read_text()
    (root / "Vagrantfile").write_text(text.replace('box["name"]', """eval('"' + box["name"] + '"')""", 1))
    told(root, home=tmp_path, cwd=tmp_path)
    assert (tmp_path / "canary").exists()


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
    return subprocess.run(
        ["vagrant", "validate"], cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@NEEDS_VAGRANT
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


# prepare.sh, in a mount namespace whose /etc, /root, /home and /run are its own.

PREPARE = """
set -e
for name in etc root home run; do mount --bind "$1/$name" "/$name"; done
shift
exec sh "$@"
"""
RULES = 'KEY=="$env{KEY}", NAME="it\'s `one`"\nof two lines'
UNSHARE = ["unshare", "--map-root-user", "--mount", "--uts"]
CAN_UNSHARE = (
    bool(shutil.which("unshare"))
    and subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
)


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """What prepare.sh sees of a new guest; what it calls is written to `log`."""
    for name in ("etc/ssh", "etc/udev/rules.d", "root", "home/vagrant/.ssh", "run", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nvagrant:x:0:0::/home/vagrant:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    (tmp_path / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "etc/ssh/sshd_config").write_text("Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin no\n")
    (tmp_path / "home/vagrant/.ssh/authorized_keys").write_text("ssh-rsa AAAA everybody\n")
    for name in ("sshd", "udevadm"):
        path = tmp_path / "bin" / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/log\n')
        path.chmod(0o755)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    return tmp_path


def prepare(guest: Path) -> None:
    # As Vagrant has it: each between double quotes (plugins/provisioners/shell/provisioner.rb).
    texts = ("demo-1", "ssh-ed25519 AAAA ours", RULES)
    words = " ".join(f'"{base64.b64encode(text.encode()).decode()}"' for text in texts)
    argv = [*UNSHARE, "sh", "-c", PREPARE, "sh", guest, "-c", f"{data_dir('vagrant') / 'prepare.sh'} {words}"]
    environment = {
        **os.environ,
        "PATH": f"{guest}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOST_KEY": base64.b64encode((guest / "key").read_bytes().rstrip()).decode(),
        "SUDO_USER": "vagrant",
    }
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not CAN_UNSHARE, reason="user namespaces are needed")
def test_a_guest_is_prepared_once(guest: Path) -> None:
    prepare(guest)
    for path in (guest / "root/.ssh/authorized_keys", guest / "home/vagrant/.ssh/authorized_keys"):
        assert path.read_text() == "ssh-ed25519 AAAA ours\n", "and nobody else's key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    host_key = guest / "etc/ssh/ssh_host_ed25519_key"
    assert host_key.read_text() == (guest / "key").read_text()
    assert stat.S_IMODE(host_key.stat().st_mode) == 0o600
    assert host_key.with_suffix(".pub").read_text().split()[1] == (guest / "key.pub").read_text().split()[1]
    assert "PermitRootLogin prohibit-password" in (guest / "etc/ssh/sshd_config.d/00-kdevops.conf").read_text()
    assert (guest / "etc/udev/rules.d/61-kdevops.rules").read_text() == f"{RULES}\n"
    assert (guest / "etc/hostname").read_text() == "demo-1\n"
    assert (guest / "etc/hosts").read_text().splitlines()[-1] == "127.0.1.1 demo-1"
    assert "sshd -t" in (guest / "log").read_text()

    (guest / "log").write_text("")
    before = {path: path.stat().st_mtime_ns for path in guest.rglob("*") if path.is_file()}
    prepare(guest)
    assert {path: path.stat().st_mtime_ns for path in guest.rglob("*") if path.is_file()} == before
    assert (guest / "log").read_text() == ""


@pytest.mark.skipif(not CAN_UNSHARE, reason="user namespaces are needed")
def test_an_sshd_that_includes_nothing_is_told_in_its_own_file(guest: Path) -> None:
    config = guest / "etc/ssh/sshd_config"
    config.write_text("PermitRootLogin no\n")
    prepare(guest)
    prepare(guest)
    lines = config.read_text().splitlines()
    # Of a setting that stands twice, sshd takes the first.
    assert [line for line in lines if line[0] in "P#"] == [
        "# kdevops",
        "PermitRootLogin prohibit-password",
        "PermitRootLogin no",
    ]
