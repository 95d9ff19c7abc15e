"""What bootlinux makes of a guest: its script on files of several distributions, its variables on what that says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import given
from hypothesis import strategies as st

from kdevops.paths import data_dir

ROLE = data_dir("roles") / "bootlinux"
OLD, NEW = "6.1.0-26-cloud-amd64", "6.1.112"
ARTIFACT = {"release": NEW, "build_id": "beef01", "key": "k1", "directory": "/d", "image": "bzImage"}
SUBMENU = "gnulinux-advanced-U"
ENTRY = f"{SUBMENU}>gnulinux-{NEW}-advanced-U"
WAY_BACK = f"{SUBMENU}>gnulinux-{OLD}-advanced-U"
GRUB_CFG = f"""\
menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-U' {{
\tlinux /boot/vmlinuz-{NEW} root=UUID=U ro  ${{kdevops_cmdline}} quiet
}}
submenu 'Advanced options for Debian'\\''s' $menuentry_id_option '{SUBMENU}' {{
\tmenuentry 'Debian GNU/Linux, with Linux {NEW}' --class debian $menuentry_id_option 'gnulinux-{NEW}-advanced-U' {{
\t}}
\tmenuentry 'Debian GNU/Linux, with Linux {OLD}' --class debian $menuentry_id_option 'gnulinux-{OLD}-advanced-U' {{
\t}}
\tmenuentry 'Debian GNU/Linux, with Linux {OLD} (recovery)' $menuentry_id_option 'gnulinux-{OLD}-recovery-U' {{
\t}}
}}
menuentry 'Memory test' {{
}}
"""
FLAT = "".join(line.lstrip() for line in GRUB_CFG.splitlines(keepends=True) if not line.startswith("submenu"))


def variables(**given: Any) -> dict[str, Any]:
    """The variables of the role as a task sees them, all worked out that can be."""
    loader = DataLoader()
    found: dict[str, Any] = {}
    for folder in ("defaults", "vars"):
        found |= loader.load_from_file(str(ROLE / folder / "main.yml"), trusted_as_template=True)
    if family := given.pop("family", None):
        found |= loader.load_from_file(str(ROLE / f"vars/{family}.yml"), trusted_as_template=True)
    found |= {"bootlinux_artifact": ARTIFACT, **given}
    templar = Templar(loader=loader, variables=found)

    class Worked(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            return templar.template(found[f"bootlinux_{name}"])

    return Worked()


def seen(text: str) -> dict[str, Any]:
    return {"bootlinux_seen": {"stdout_lines": text.splitlines()}}


def see(
    tmp_path: Path, files: dict[str, str], *, environment: str = "", disk: str = "ext4   /dev/vda1"
) -> dict[str, Any]:
    """What the role's script says on a machine with these files, GRUB's environment and disk of /boot."""
    for name, text in {"etc/os-release": "ID=debian\n", **files}.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    tools = tmp_path / "bin"
    tools.mkdir()
    answers = {"grub-editenv": environment, "grub2-editenv": environment, "findmnt": f"{disk}\n", "uname": f"{OLD}\n"}
    for name, text in answers.items():
        (tools / f"{name}.txt").write_text(text)
        (tools / name).write_text(f'#!/bin/sh\ncat "{tools}/{name}.txt"\n')
        (tools / name).chmod(0o755)
    script = (ROLE / "files/see.sh").read_text()
    for top in ("boot", "proc", "etc", "sys"):
        script = script.replace(f"/{top}/", f"{tmp_path}/root/{top}/")
    script = script.replace("grub=/boot", f"grub={tmp_path}/root/boot")
    ran = subprocess.run(
        ["sh", "-c", script], env={"PATH": f"{tools}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True
    )
    return seen(ran.stdout)


def machine(**files: str) -> dict[str, str]:
    """Files of a machine that runs the distribution's kernel."""
    common = {"proc/cmdline": f"BOOT_IMAGE=/boot/vmlinuz-{OLD} root=UUID=U ro quiet\n", "sys/kernel/notes": "GNU\0\xad"}
    return common | {name.replace("__", "/"): text for name, text in files.items()}


@pytest.mark.parametrize(
    ("menu", "entry", "way_back"),
    [
        pytest.param(GRUB_CFG, ENTRY, WAY_BACK, id="submenu"),
        pytest.param(FLAT, ENTRY.partition(">")[2], WAY_BACK.partition(">")[2], id="flat"),
        pytest.param("linux /vmlinuz\nboot\n", "", "", id="no menu"),
    ],
)
def test_entries_of_grubs_own_scripts(tmp_path: Path, menu: str, entry: str, way_back: str) -> None:
    known = see(
        tmp_path, {**machine(), "boot/grub/grub.cfg": menu}, environment="saved_entry=\nkdevops_fallback=x\nother=1\n"
    )
    role = variables(**known)
    assert (role["entry"], role["way_back_entry"]) == (entry, way_back)
    assert role["family"] == "debian"
    assert role["state"]["saved_entry"] == ""
    assert role["state"]["kdevops_fallback"] == "x"
    assert role["known"] == {}
    assert role["writable"]
    assert not role["fits"]


def test_entries_that_are_files(tmp_path: Path) -> None:
    files = machine() | {
        "etc/os-release": 'NAME="Fedora Linux"\nID=fedora\n',
        "boot/grub2/grub.cfg": "insmod blscfg\n  blscfg\n",
        f"boot/loader/entries/0a1b-{OLD}.conf": "",
        f"boot/loader/entries/0a1b-{NEW}.conf": "",
        "boot/loader/entries/0a1b-0-rescue.conf": "",
        "boot/kdevops-kernels": f"{NEW} k1\n6.2 k2\n",
    }
    files["proc/cmdline"] = (
        f"BOOT_IMAGE=(hd0,gpt2)/vmlinuz-{OLD} root=UUID=U ro panic=10 rd.shell=0 rd.emergency=reboot a\n"
    )
    role = variables(family="redhat", **see(tmp_path, files, environment="kdevops_cmdline=a\n"))
    assert (role["entry"], role["way_back_entry"], role["family"]) == (f"0a1b-{NEW}", f"0a1b-{OLD}", "redhat")
    assert role["known"] == {NEW: "k1", "6.2": "k2"}
    assert role["own_cmdline"] == "root=UUID=U ro"


@pytest.mark.parametrize(
    ("image", "booted"),
    [
        (f"BOOT_IMAGE=/boot/vmlinuz-{OLD}", OLD),
        (f"BOOT_IMAGE=(hd0,gpt2)/vmlinuz-{OLD}", OLD),
        ("BOOT_IMAGE=/boot/vmlinuz-linux-lts", "lts"),  # as 10_linux calls it
        ("BOOT_IMAGE=/vmlinuz", "running"),
        ("", "running"),
    ],
)
def test_name_of_the_kernel_that_runs(image: str, booted: str) -> None:
    assert variables(**seen(f"release running\ncmdline {image} root=/dev/vda1 ro"))["booted"] == booted


FITS = f"""\
release {NEW}
notes 0400beef0103
cmdline BOOT_IMAGE=/boot/vmlinuz-{NEW} root=UUID=U ro panic=10 a=1 b quiet
distribution debian 
installed {NEW}=k1 
disk ext4 /dev/vda1
submenu {SUBMENU} 
menu gnulinux-simple-U gnulinux-{NEW}-advanced-U gnulinux-{OLD}-advanced-U 
saved_entry {ENTRY}
kdevops_entry {ENTRY}
kdevops_cmdline a=1 b
kdevops_fallback {OLD}
kdevops_proven 1
"""  # noqa: W291 - as the script says it


@pytest.mark.parametrize(
    ("old", "new", "installed", "boots"),
    [
        pytest.param("", "", True, False, id="fits"),
        pytest.param("beef01", "beef02", True, True, id="another build runs"),
        pytest.param("=k1", "=k2", False, False, id="another build is installed"),
        pytest.param("a=1 b quiet", "a=1 quiet b", True, True, id="started with other parameters"),
        pytest.param("kdevops_cmdline a=1 b", "kdevops_cmdline a=1", True, True, id="other parameters next time"),
        pytest.param(f"saved_entry {ENTRY}", f"saved_entry {WAY_BACK}", True, False, id="not the default yet"),
        pytest.param("kdevops_proven 1", "kdevops_proven ", True, False, id="not known to come up"),
        pytest.param(f"kdevops_entry {ENTRY}", "kdevops_entry ", True, True, id="installed but not tried"),
        pytest.param(f"gnulinux-{NEW}-adv", "gnulinux-6-adv", False, True, id="gone from the menu"),
    ],
)
def test_what_there_is_to_do(old: str, new: str, installed: bool, boots: bool) -> None:
    assert old in FITS
    role = variables(**seen(FITS.replace(old, new, 1)), bootlinux_cmdline=["a=1", "b"])
    assert (role["installed"], role["boots"]) == (installed, boots)
    assert role["fits"] is (old == new)
    assert role["way_back_entry"] == WAY_BACK, "the one that ran when we came: the present one is replaced"


def test_no_parameters_are_parameters_too() -> None:
    assert not variables(**seen(FITS))["fits"]
    assert variables(**seen(FITS.replace("kdevops_cmdline a=1 b", "kdevops_cmdline ")))["fits"]


def test_without_a_build_id_the_release_tells() -> None:
    artifact = ARTIFACT | {"build_id": None}
    assert variables(**seen(FITS), bootlinux_artifact=artifact)["runs"]
    assert not variables(**seen(FITS.replace(f"release {NEW}", "release 6")), bootlinux_artifact=artifact)["runs"]


@pytest.mark.parametrize(
    ("disk", "family", "writable"),
    [
        ("ext4 /dev/vda1", "debian", True),
        ("xfs /dev/nvme0n1p1", "redhat", True),
        ("btrfs /dev/vda2[/@]", "archlinux", False),
        ("btrfs /dev/vda2[/@/boot/grub2]", "suse", True),
        ("ext4 /dev/mapper/vg-root", "debian", False),
        ("ext4 /dev/md0", "debian", False),
    ],
)
def test_where_grub_can_write(disk: str, family: str, writable: bool) -> None:
    assert variables(family=family, **seen(f"disk {disk}"))["writable"] is writable


@given(st.text(max_size=12) | st.text("ab.,=:*?[]{}()<>|&;~!#%^@/+-_\\$'\"` \t\n", max_size=12))
def test_no_parameter_can_break_out_of_quotes(word: str) -> None:
    refused = variables(bootlinux_cmdline=[word])["refused"]
    harmless = word != "" and all("!" <= letter <= "~" and letter not in "\"'\\$`" for letter in word)
    assert refused == ([] if harmless else [word])


def test_families_have_the_same_variables() -> None:
    families = {path.stem for path in (ROLE / "vars").glob("*.yml")} - {"main"}
    assert families == set(variables()["families"].values())
    for family in families:
        told = yaml.safe_load((ROLE / f"vars/{family}.yml").read_text())
        assert {"bootlinux_editenv", "bootlinux_register"} <= set(told)
        assert ("bootlinux_grub_defaults" in told) != told.get("bootlinux_bls", False)


@pytest.mark.parametrize(
    ("default", "once", "proven", "gets"),
    [
        (ENTRY, "true", "", True),
        (ENTRY, "", "1", True),
        (ENTRY, "", "", False),
        (WAY_BACK, "true", "1", False),
        ("", "", "1", False),
    ],
)
def test_only_a_kernel_that_is_tried_or_proven_gets_the_parameters(
    default: str, once: str, proven: str, gets: bool
) -> None:
    """GRUB's language is near enough to the shell's for these lines."""
    text = (ROLE / "templates/grub.sh.j2").read_text().replace("{{ bootlinux_on_panic }}", "panic=10")
    emitted = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True).stdout
    known = f"default='{default}' kdevops_entry='{ENTRY}' kdevops_cmdline='a=1 b' boot_once={once} kdevops_proven={proven}\n"
    script = known + emitted.replace("set ", "") + 'echo "$kdevops_cmdline"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert told == ("panic=10 a=1 b\n" if gets else "\n")


@pytest.mark.parametrize(
    ("fallback", "theirs", "ours", "way_back"),
    [
        pytest.param(OLD, "", "", OLD, id="the one that ran when we came"),
        pytest.param("", "same", "same", NEW, id="itself, as the guest came with it"),
        pytest.param(NEW, "same", "same", NEW, id="itself, again"),
        pytest.param("", "one", "another", "", id="nothing: it would be overwritten"),
        pytest.param("", "", "ours", "", id="nothing: another has its name"),
    ],
)
def test_way_back_from_the_release_that_runs(fallback: str, theirs: str, ours: str, way_back: str) -> None:
    answer = FITS.replace(f"fallback {OLD}", f"fallback {fallback}").replace(f"{NEW}=k1", "")
    looked = {"bootlinux_theirs": _stat(theirs), "bootlinux_ours": _stat(ours)}
    role = variables(**seen(answer), **looked)
    assert role["way_back"] == way_back
    assert role["own"] is (way_back == NEW)


def _stat(checksum: str) -> dict[str, Any]:
    return {"stat": {"checksum": checksum} if checksum else {"exists": False}}
