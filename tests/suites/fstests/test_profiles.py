"""The profiles there are, held against the facts; and what a lab makes of them."""

import shutil
import subprocess

import pytest

from kdevops.errors import UserError
from kdevops.lab.fstests import Fstests, Profile
from kdevops.suites.base import RECORDED
from kdevops.suites.fstests.build import BuiltFstests
from kdevops.suites.fstests.profiles import as_made, load_profiles, profiles_of
from kdevops.suites.fstests.requirements import refusals
from kdevops.suites.fstests.smb_credentials import GUEST_PATH
from kdevops.suites.fstests.suite import PreparedFstests

REFLINK = "-f -m reflink=1,rmapbt=1 -i sparse=1"
NOCRC = "-f -m crc=0,reflink=0,rmapbt=0 -i sparse=0"
CRC = "-f -m crc=1,reflink=0,rmapbt=0 -i sparse=0"
RT = "-f -m reflink=0,rmapbt=0 -d rtinherit=1"
HOLES, NOHOLES, V1 = "-f -K -O ^no-holes", "-f -K -O no-holes", " -R ^free-space-tree"
SMB = f"-o credentials={GUEST_PATH},noperm,vers=3.0,mfsymlinks,actimeo=0"
LARGE = {"8k": 8192, "16k": 16384, "32k": 32768, "64k": 65536}


def expected_xfs():
    yield from [
        ("xfs_crc", CRC, "", ()),
        ("xfs_crc_logdev", CRC, "", ("log",)),
        ("xfs_crc_rtdev", RT, "", ("rt",)),
        ("xfs_crc_rtdev_extsize_28k", f"{RT} -r extsize=28k", "", ("rt",)),
        ("xfs_crc_rtdev_extsize_64k", f"{RT} -r extsize=64k", "", ("rt",)),
        ("xfs_crc_logdev_rtdev", RT, "", ("log", "rt")),
        ("xfs_bigblock", "-f -b size=65536", "", ()),
        ("xfs_reflink", REFLINK, "", ()),
        ("xfs_reflink_normapbt", "-f -m reflink=1,rmapbt=0 -i sparse=1", "", ()),
        ("xfs_reflink_stripe_len", f"{REFLINK} -d su=128k,sw=4", "", ()),
        ("xfs_reflink_nrext64", f"{REFLINK} -i nrext64=1", "", ()),
        ("xfs_reflink_logdev", REFLINK, "", ("log",)),
        ("xfs_reflink_dir_bsize_8k", f"{REFLINK} -n size=8k", "", ()),
        ("xfs_nocrc", NOCRC, "", ()),
    ]
    small = {"xfs_reflink": {"1024": 1024, "2k": 2048, "4k": 4096}}
    small["xfs_nocrc"] = {"512": 512, "1k": 1024, "2k": 2048, "4k": 4096}
    for kind, base in (("xfs_reflink", REFLINK), ("xfs_nocrc", NOCRC)):
        for size, number in (small[kind] | LARGE).items():
            yield f"{kind}_{size}", f"{base} -b size={number}", "", ()
        for size, number in LARGE.items():
            yield f"{kind}_{size}_4ks", f"{base} -b size={number} -s size=4k", "", ()


def expected_btrfs():
    for name, mkfs, mount in (
        ("holes", HOLES + V1, ""),
        ("noholes", NOHOLES + V1, ""),
        ("fspace", HOLES, "-o space_cache=v2"),
        ("nohofspace", NOHOLES, "-o space_cache=v2"),
    ):
        yield f"btrfs_{name}", mkfs, mount, ()
        for how in ("zlib", "lzo", "zstd"):
            yield f"btrfs_{name}_{how}", mkfs, f"{mount} -o compress={how}".strip(), ()
    yield "btrfs_fspace_discard", HOLES + V1, "-o discard,space_cache=v2", ()
    yield "btrfs_simple", "-f -d single -m single", "", ()
    yield "btrfs_simple_zns", "-f -d single -m single", "", ()


def expected_ext4():
    yield "ext4_defaults", "-F", "", ()
    yield "ext4_advanced_features", "-F -I 256 -O inline_data,metadata_csum,64bit", "", ()
    for size in ("1k", "2k", "4k"):
        yield f"ext4_{size}", f"-F -b {size}", "", ()
    for size in ("8k", "16k", "32k", "64k", "1024k", "2048k"):
        yield f"ext4_bigalloc{size}_4k", f"-F -O bigalloc -C {size} -b 4k", "", ()


def expected_others():
    yield "tmpfs_default", "", "", ()
    for huge in ("never", "always", "within_size", "advise"):
        yield f"tmpfs_noswap_huge_{huge}", "", f"-o noswap,huge={huge}", ()
    for huge in ("always", "within_size", "advise"):
        yield f"tmpfs_huge_{huge}", "", f"-o huge={huge}", ()
    versions = {
        "nfs_pnfs": "vers=4.1",
        "nfs_rdma": "rdma,vers=4.1",
        "nfs_tls": "xprtsec=mtls,vers=4.1",
        "nfsd": "vers=4.1",
    }
    versions |= {"nfs_v42": "vers=4.2", "nfs_v41": "vers=4.1", "nfs_v40": "vers=4.0", "nfs_v3": "vers=3"}
    for name, options in versions.items():
        yield name, "", f"-o {options}", ()
    for name, more in (("cifs_smb3", ""), ("cifs_smb3_seal", ",seal"), ("cifs_smb3_sign", ",sign")):
        yield name, "", SMB + more, ()


EXPECTED = {
    row[0]: row[1:] for rows in (expected_xfs, expected_btrfs, expected_ext4, expected_others) for row in rows()
}


def test_all_86_are_what_upstream_offers():
    found = {name: (profile.mkfs, profile.mount, profile.devices) for name, profile in load_profiles().items()}
    assert found == EXPECTED
    assert len(found) == 86


def test_each_is_of_the_file_system_its_name_begins_with():
    assert all(name.startswith(profile.fs) for name, profile in load_profiles().items())


def test_no_two_are_the_same_test():
    """A profile that repeats another tests nothing new; those that do differ in what is around them."""
    seen = {}
    for name, profile in load_profiles().items():
        seen.setdefault((profile.fs, profile.mkfs, profile.mount, profile.devices), []).append(name)
    assert [names for names in seen.values() if len(names) > 1] == [
        ["btrfs_simple", "btrfs_simple_zns"],
        ["nfs_pnfs", "nfsd", "nfs_v41"],
    ]


def test_what_is_served_names_its_server():
    servers = {profile.fs: profile.server for profile in load_profiles().values()}
    assert servers == {"xfs": None, "btrfs": None, "ext4": None, "tmpfs": None, "nfs": "nfsd", "cifs": "smbd"}


def test_no_profile_carries_a_secret():
    assert not any("pass" in profile.mount for profile in load_profiles().values())


def version_of(command, prefix):
    tool = shutil.which(command, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if tool is None:
        pytest.skip(f"{command} is not installed")
    said = subprocess.run([tool, "-V"], capture_output=True, text=True, check=False)
    return tool, (said.stdout + said.stderr).split(prefix)[1].split()[0]


@pytest.mark.parametrize(
    ("fs", "command", "dry", "prefix", "package"),
    [("xfs", "mkfs.xfs", "-N", "version", "xfsprogs"), ("ext4", "mkfs.ext4", "-n", "mke2fs", "e2fsprogs")],
)
def test_mkfs_takes_the_options(tmp_path, fs, command, dry, prefix, package):
    tool, version = version_of(command, prefix)
    for file, size in (("disk", 1 << 30), ("log", 1 << 30), ("rt", 1 << 30)):
        with (tmp_path / file).open("wb") as sparse:
            sparse.truncate(size)
    for name, profile in load_profiles().items():
        if profile.fs != fs or refusals(
            name, profile, kernel_release="99.0", tools={package: version}, page_size=1 << 16, zoned=True
        ):
            continue
        external = [
            {"log": f"-llogdev={tmp_path}/log", "rt": f"-rrtdev={tmp_path}/rt"}[device] for device in profile.devices
        ]
        argv = [tool, dry, *profile.mkfs.split(), *external, str(tmp_path / "disk")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (name, done.stderr)


def test_the_chosen_ones_in_the_labs_order():
    assert list(profiles_of(Fstests(profiles=("xfs_crc", "ext4_4k", "xfs_crc")))) == ["xfs_crc", "ext4_4k"]


def test_an_unknown_name_is_told_with_its_neighbours():
    with pytest.raises(
        UserError, match=r"no profile 'xfs_crcc'; did you mean xfs_crc .*and none 'ext4_5k'; did you mean"
    ):
        profiles_of(Fstests(profiles=("xfs_crcc", "xfs_crc", "ext4_5k")))


def lab(**fields):
    return Fstests.model_validate({"profiles": ("mine",), **fields})


def test_the_labs_own_profile():
    assert profiles_of(lab(define={"mine": {"fs": "xfs", "mkfs": "-f"}}))["mine"].mkfs == "-f"


def test_a_file_of_profiles(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine: {fs: ext4, mount: -o dax, needs: {kernel: '6.12', tools: {e2fsprogs: '1.47'}}}\n")
    mine = profiles_of(lab(profile_files=(path,)))["mine"]
    assert (mine.mount, mine.needs.tools) == ("-o dax", {"e2fsprogs": "1.47"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine: {fs: ext4, mkf: -F}", r"mine.yaml:1:18: mine.mkf: no such field; did you mean mkfs\?"),
        (
            "mine: {fs: ext5}",
            r"mine.yaml:1:8: mine.fs: .*text 'ext5' is not known here; use one of xfs, .*did you mean ext4",
        ),
        ("mine: {fs: ext4, mkfs: $(reboot)}", r"mine.mkfs: .*is not valid"),
        ("mine: {fs: ext4, needs: {kernel: 6.12}}", r"mine.needs.kernel: text .* is needed, found number 6.12"),
        ("mine: {fs: ext4, needs: {tools: {e2fsprogs: new}}}", r"mine.needs.tools.e2fsprogs: "),
        ("mine: {fs: ext4}\nmine: {fs: xfs}", r"mine.yaml:2:1: "),
        ("- xfs_crc", r"mine.yaml:1:1: "),
        ("a: [", r"not valid YAML"),
        ("xfs_crc: {fs: xfs}", r"there is a profile xfs_crc already"),
        ("default: {fs: xfs}", r"no profile can be called default"),
        ("\xff", r"not UTF-8 text"),
    ],
)
def test_a_file_that_does_not_hold(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=message):
        profiles_of(lab(profile_files=(path,)))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        profiles_of(lab(profile_files=(tmp_path / "none.yaml",)))


def test_two_files_with_one_name(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("mine: {fs: ext4}\n")
    with pytest.raises(UserError, match=r"b.yaml: there is a profile mine already"):
        profiles_of(lab(profile_files=(tmp_path / "a.yaml", tmp_path / "b.yaml")))


def test_how_profiles_are_made_is_in_the_record_of_a_run(tmp_path):
    chosen = {"mine": Profile(fs="ext4", mkfs="-F -b 1k", mount="-o noatime"), "tmpfs_default": Profile(fs="tmpfs")}
    built = BuiltFstests(tmp_path, "c0ffee", "key", "digest", tmp_path, tmp_path, {"commit": "c0ffee"})
    made = {name: as_made(profile) for name, profile in chosen.items()}
    assert PreparedFstests(built, (), {}, "/opt/fstests", made=made).record == {
        "commit": "c0ffee",
        f"{RECORDED}mine": "mkfs -F -b 1k; mount -o noatime",
        f"{RECORDED}tmpfs_default": "as it comes",
    }
