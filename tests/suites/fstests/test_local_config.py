"""The configuration of `check`: every value arrives as it is, in real bash, and none is ever code."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kdevops.lab.servers import Server, server_address
from kdevops.suites.fstests.devices import Devices
from kdevops.suites.fstests.local_config import local_configs, setting
from kdevops.suites.fstests.profiles import load_profiles
from kdevops.suites.fstests.smb_credentials import GUEST_PATH, ensure_credentials

DISK = "/dev/disk/by-id/virtio-kd-"
DEVICES = Devices(
    f"{DISK}0",
    tuple(f"{DISK}{n}" for n in range(1, 6)),
    (f"{DISK}6", f"{DISK}7"),
    (f"{DISK}8", f"{DISK}9"),
    f"{DISK}10",
)
ALL = local_configs(load_profiles(), DEVICES, server_address="10.0.2.3")
SHELL = ["bash", "--norc", "--noprofile", "-c"]


def prepared(text, section):
    """What reaches eval of a section: fstests' way with its lines (see its README.config-sections), told in Python."""
    kept = []
    inside = False
    for line in text.split("\n"):
        line = re.sub(r"\s*=\s*", "=", line, flags=re.ASCII)
        line = line.partition("#")[0].strip()
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside and "=" in line:
            if match := re.fullmatch(r"""([^=]*)="?'?([^"']*)"?'?""", line, re.DOTALL):
                line = f'export {match[1]}="{match[2]}"'
            kept.append(line)
    return "\n".join(kept)


def variables(text, *sections, cwd=None, **environment):
    """The environment after `check` took these sections, one after the other."""
    script = "".join(f"eval $S{number}\n" for number in range(len(sections))) + "env -0"  # unquoted: as fstests has it
    given = {f"S{number}": prepared(text, section) for number, section in enumerate(sections)}
    done = subprocess.run(
        [*SHELL, script],
        env={"PATH": os.environ["PATH"], **given, **environment},
        cwd=cwd,
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    pairs = (entry.split(b"=", 1) for entry in done.stdout.split(b"\0") if entry)
    return {name.decode(): value for name, value in pairs}


nasty = st.text(st.sampled_from("ab 01=#'\"$`\\(){}[]*?~!;&|<>^\n\t\r-%:,/.\u00e9\x01\x7f"), max_size=40)
values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40) | nasty


@settings(max_examples=150, deadline=None)
@given(values)
@example("$(touch pwned)")
@example("`touch pwned`")
@example("a  b")
@example("a = b")
@example("=")
@example("a=")
@example("=a b=c d=")
@example("-o a,b=c # not")
@example("x' y\"z")
@example("*")
@example("\\$HOME\\\\")
@example("")
def test_a_value_arrives_unchanged(value):
    text = "\n".join(
        ["[default]", setting("FIRST", "1"), setting("IT", value), setting("LAST", "2"), "[other]", "IT=wrong"]
    )
    found = variables(text, "default")
    assert (found["FIRST"], found["IT"], found["LAST"]) == (b"1", value.encode(), b"2")


@settings(max_examples=50, deadline=None)
@given(values)
def test_a_value_arrives_unchanged_in_a_file_that_bash_sources(value):
    script = 'eval "$LINE"; printf "%s" "$IT"'
    done = subprocess.run([*SHELL, script], env={"LINE": setting("IT", value)}, capture_output=True, check=True)
    assert done.stdout == value.encode()


def test_no_value_becomes_code_or_file_names(tmp_path):
    there = ["IT=$'a'", "IT=$'ab'", "IT=a", "a", "b"]  # what a pattern that got through would find
    for name in there:
        (tmp_path / name).touch()
    for value in (
        "$(touch pwned)",
        "`touch pwned`",
        "; touch pwned;",
        "'; touch pwned; '",
        "*",
        "?",
        "[ab]",
        "{a,b}",
        "a*",
    ):
        text = f"[default]\n{setting('IT', value)}\n"
        assert variables(text, "default", cwd=tmp_path)["IT"] == value.encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(there)


def test_what_is_plain_stays_readable():
    assert setting("MKFS_OPTIONS", "-f -m crc=1") == 'MKFS_OPTIONS="-f -m crc=1"'


def test_a_nul_is_refused():
    with pytest.raises(ValueError, match="IT: a value cannot contain a NUL"):
        setting("IT", "a\0b")


def test_one_file_a_file_system_with_a_section_a_profile():
    assert set(ALL) == {"xfs", "btrfs", "ext4", "tmpfs", "nfs", "cifs"}
    for fs, text in ALL.items():
        names = [name for name, profile in load_profiles().items() if profile.fs == fs]
        assert re.findall(r"^\[(.*)\]$", text, re.MULTILINE) == ["default", *names]


@pytest.mark.parametrize("fs", sorted(ALL))
def test_every_section_says_what_its_profile_does(fs):
    for name, profile in load_profiles().items():
        if profile.fs == fs:
            found = variables(ALL[fs], "default", name, HOST="guest-1", PWD="/fstests")
            assert found["FSTYP"] == fs.encode()
            assert found["MKFS_OPTIONS"] == profile.mkfs.encode()
            assert found["MOUNT_OPTIONS"] == found["TEST_FS_MOUNT_OPTS"]
            assert found["MOUNT_OPTIONS"].endswith(profile.mount.encode())


def test_results_are_by_guest_and_kernel(tmp_path):
    found = variables(ALL["xfs"], "default", HOST="guest-1", cwd=tmp_path)
    assert found["RESULT_BASE"].decode() == f"{tmp_path}/results/guest-1/{os.uname().release}"


def test_results_elsewhere_and_a_soak():
    text = local_configs({"ext4_4k": load_profiles()["ext4_4k"]}, DEVICES, results="/var/results", soak=61.2)["ext4"]
    found = variables(text, "default")
    assert (found["RESULT_BASE"], found["SOAK_DURATION"]) == (b"/var/results", b"62")
    assert "SOAK_DURATION" not in ALL["ext4"]


def test_the_settings_of_every_run():
    found = variables(ALL["ext4"], "default")
    assert found["TEST_DIR"] == b"/media/test"
    assert found["SCRATCH_MNT"] == b"/media/scratch"
    assert found["CANON_DEVS"] == found["KEEP_DMESG"] == b"yes"
    assert found["RECREATE_TEST_DEV"] == b"true"


def test_disks():
    xfs, btrfs = (variables(ALL[fs], "default") for fs in ("xfs", "btrfs"))
    assert (xfs["TEST_DEV"].decode(), xfs["SCRATCH_DEV"].decode()) == (f"{DISK}0", f"{DISK}1")
    assert btrfs["SCRATCH_DEV_POOL"].decode().split() == list(DEVICES.scratch)
    assert "SCRATCH_DEV" not in btrfs
    assert xfs["LOGWRITES_DEV"] == btrfs["LOGWRITES_DEV"] == f"{DISK}10".encode()


def test_external_devices_are_those_of_the_profile_alone():
    names = ("USE_EXTERNAL", "SCRATCH_LOGDEV", "TEST_LOGDEV", "SCRATCH_RTDEV", "TEST_RTDEV")

    def external(*sections):
        found = variables(ALL["xfs"], "default", *sections)
        return [found[name].decode().removeprefix(DISK) for name in names]

    assert external("xfs_crc_logdev_rtdev") == ["yes", "6", "7", "8", "9"]
    assert external("xfs_crc_logdev") == ["yes", "6", "7", "", ""]
    assert external("xfs_crc_logdev_rtdev", "xfs_crc_rtdev") == ["yes", "", "", "8", "9"]
    assert external("xfs_crc_logdev_rtdev", "xfs_crc") == ["no", "", "", "", ""]


def test_a_file_for_one_profile_mounts_what_the_profile_left():
    for name, devices in (
        ("xfs_crc_logdev", ["yes", "7", ""]),
        ("xfs_crc_rtdev", ["yes", "", "9"]),
        ("xfs_crc", ["no", "", ""]),
    ):
        text = local_configs({name: load_profiles()[name], "ext4_4k": load_profiles()["ext4_4k"]}, DEVICES)["xfs"]
        found = variables(text, "default")
        assert [
            found[one].decode().removeprefix(DISK) for one in ("USE_EXTERNAL", "TEST_LOGDEV", "TEST_RTDEV")
        ] == devices


def test_tmpfs_has_a_size_and_is_never_made_anew():
    found = variables(ALL["tmpfs"], "default", "tmpfs_huge_always")
    assert found["MOUNT_OPTIONS"] == b"-o size=1G -o huge=always"
    assert found["RECREATE_TEST_DEV"] == b"false"
    assert found["SCRATCH_DEV"]


def test_each_guest_is_served_by_its_own_name():
    found = [variables(ALL[fs], "default", HOST="lab-1") for fs in ("nfs", "cifs")]
    assert [one["TEST_DEV"] for one in found] == [b"10.0.2.3:/export/lab-1/test", b"//10.0.2.3/lab-1-test"]
    assert [one["SCRATCH_DEV"] for one in found] == [b"10.0.2.3:/export/lab-1/scratch", b"//10.0.2.3/lab-1-scratch"]
    six = local_configs({"nfs_v3": load_profiles()["nfs_v3"]}, Devices(), server_address="fd00::3")["nfs"]
    assert variables(six, "default", HOST="h")["TEST_DEV"] == b"[fd00::3]:/export/h/test"


def test_what_is_served_is_mounted_as_it_must_be_before_any_section_is_read():
    for fs, options in (
        ("nfs", b"-o vers=3"),
        ("cifs", b"-o credentials=/etc/kdevops/smb-credentials,noperm,vers=3.0"),
    ):
        only = {name: load_profiles()[name] for name in ("nfs_v3", "cifs_smb3")}
        found = variables(local_configs(only, DEVICES, server_address="10.0.2.3")[fs], "default", HOST="h")
        assert found["TEST_FS_MOUNT_OPTS"].startswith(options)


def test_what_is_served_is_what_the_server_exports():
    server = Server("nfsd", "lab-nfsd", ("lab-1", "lab-2"))
    address = server_address("nfsd")
    found = local_configs({"nfs_v42": load_profiles()["nfs_v42"]}, Devices(), server_address=address)["nfs"]
    mounted = {
        variables(found, "default", HOST=client)[f"{what}_DEV"].decode()
        for client in server.clients
        for what in ("TEST", "SCRATCH")
    }
    assert mounted == {f"{address}:{export['path']}" for export in server.exports()}


def test_a_server_is_known_by_address_alone():
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        local_configs({"nfs_v3": load_profiles()["nfs_v3"]}, Devices(), server_address='1"; reboot; "')


@pytest.mark.parametrize("path", ["/var/my results", "/a;b", "here", ""])
def test_directories_that_check_would_not_quote(path):
    with pytest.raises(ValueError, match="not a path that check can use"):
        local_configs({"tmpfs_default": load_profiles()["tmpfs_default"]}, Devices(), results=path)


@pytest.mark.parametrize(("name", "message"), [("nfs_v3", "address of its server"), ("xfs_crc", "needs disks")])
def test_what_a_caller_must_give(name, message):
    with pytest.raises(ValueError, match=message):
        local_configs({name: load_profiles()[name]}, Devices())


def test_fstests_itself_reads_it_so(tmp_path):
    """The tree that KDEVOPS_FSTESTS_TREE names: its own reader of sections gives what ours here does."""
    tree = os.environ.get("KDEVOPS_FSTESTS_TREE")
    if not tree:
        pytest.skip("no fstests: set KDEVOPS_FSTESTS_TREE")
    function = (Path(tree) / "common/config").read_text().partition("parse_config_section() {")[2].partition("\n}\n")[0]
    odd = "a=b  'c' \"d\" $(e) `f` \\ # * ~ =\t\n\u00e9"
    for fs, text in ALL.items():
        config = tmp_path / fs
        config.write_text(text.replace("\n\n", f"\n{setting('ODD', odd)}\n\n", 1))
        for name, profile in load_profiles().items():
            if profile.fs == fs:
                script = f"read_section() {{{function}\n}}\nread_section default\nread_section {name}\nenv -0"
                given = {
                    "PATH": os.environ["PATH"],
                    "HOST": "h",
                    "HOST_OPTIONS": str(config),
                    "OPTIONS_HAVE_SECTIONS": "true",
                }
                done = subprocess.run([*SHELL, script], env=given, cwd=tmp_path, capture_output=True, check=True)
                found = dict(entry.split(b"=", 1) for entry in done.stdout.split(b"\0") if entry)
                ours = variables(config.read_text(), "default", name, HOST="h", cwd=tmp_path)
                assert found[b"ODD"].decode() == odd
                assert {key: found[key.encode()] for key in ours if not key.startswith(("S0", "S1", "_"))} == {
                    key: value for key, value in ours.items() if not key.startswith(("S0", "S1", "_"))
                }


def test_the_password_is_made_once_and_for_its_owner_alone(tmp_path):
    path = ensure_credentials(tmp_path / "lab")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert re.fullmatch(r"username=root\npassword=[\w-]{32}\n", text)
    assert ensure_credentials(tmp_path / "lab").read_text() == text
    assert ensure_credentials(tmp_path / "other").read_text() != text
    assert GUEST_PATH in load_profiles()["cifs_smb3"].mount
