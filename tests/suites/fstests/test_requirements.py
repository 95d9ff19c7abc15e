"""Why a profile cannot run, and what fstests asks of the kernel."""

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.kernel.config import configure, plan_config
from kdevops.kernel.make import Make
from kdevops.kernel.spec import Asked, BuildSpec, ConfigSpec, SourceSpec
from kdevops.kernel.toolchain import architecture, probe
from kdevops.lab.fstests import Profile
from kdevops.suites.fstests.profiles import load_profiles
from kdevops.suites.fstests.requirements import demands, is_at_least, kernel_options, refusals, unserved

LARGE = {f"{size}{sectors}" for size in ("8k", "16k", "32k", "64k") for sectors in ("", "_4ks")}
NEED_NEW_KERNEL = {"xfs_bigblock", *(f"xfs_reflink_{size}" for size in LARGE)}
NEED_LARGE_PAGES = {f"xfs_nocrc_{size}" for size in LARGE}
NEED_SOME_KERNEL = {name for name, profile in load_profiles().items() if profile.needs.kernel}
NOSWAP = {f"tmpfs_noswap_huge_{huge}" for huge in ("never", "always", "within_size", "advise")}


def refused(release, **given):
    return {
        name
        for name, profile in load_profiles().items()
        if refusals(name, profile, **{"kernel_release": release, "tools": None, "zoned": True, **given})
    }


@pytest.mark.parametrize(
    ("release", "given", "expected"),
    [
        ("7.2.0-rc3+", {}, NEED_LARGE_PAGES),
        ("6.12.117", {}, NEED_LARGE_PAGES),
        ("6.11.9", {}, NEED_LARGE_PAGES | NEED_NEW_KERNEL),
        ("6.1.0-50-amd64", {}, NEED_LARGE_PAGES | NEED_NEW_KERNEL | NOSWAP | {"nfs_tls"}),
        ("6.1.0-50-arm64-64k", {"page_size": 65536}, NOSWAP | {"nfs_tls"}),
        ("6.12.1", {"page_size": 16384}, {f"xfs_nocrc_{size}" for size in ("32k", "64k", "32k_4ks", "64k_4ks")}),
        ("5.15.1", {"page_size": 65536}, NOSWAP | {"nfs_tls", "xfs_reflink_nrext64"}),
        ("6.12.1", {"page_size": 65536, "zoned": False}, {"btrfs_simple_zns"}),
        ("no kernel", {"page_size": 65536, "zoned": False}, NEED_SOME_KERNEL | {"btrfs_simple_zns"}),
    ],
)  # fmt: skip
def test_what_each_kernel_refuses(release, given, expected):
    assert refused(release, **given) == expected


def test_reasons_say_what_would_do():
    profiles = load_profiles()
    assert refusals("xfs_reflink_16k", profiles["xfs_reflink_16k"], kernel_release="6.1.2", tools=None) == [
        "xfs_reflink_16k: needs kernel 6.12 or newer, or pages of 16384 bytes: this is 6.1.2 with 4096"
    ]
    assert refusals("nfs_tls", profiles["nfs_tls"], kernel_release="6.1.2", tools={"ktls-utils": "0.8-1"}) == [
        "nfs_tls: needs kernel 6.5 or newer, this is 6.1.2",
        "nfs_tls: needs the package nfs-common, which is not installed",
        "nfs_tls: needs ktls-utils 0.9 or newer, this is 0.8-1",
    ]


def test_a_kernel_without_the_options():
    profile = load_profiles()["xfs_crc_rtdev"]
    has = {"XFS_FS": "m", "XFS_QUOTA": "y", "XFS_POSIX_ACL": "y"}
    asked = {"kernel_release": "6.1.0", "tools": None}
    assert refusals("it", profile, config={**has, "XFS_RT": "y"}, **asked) == []
    for config in (has, {**has, "XFS_RT": "n"}):
        assert refusals("it", profile, config=config, **asked) == [
            "it: needs a kernel with CONFIG_XFS_RT=y, this has n"
        ]


def test_a_kernel_that_cannot_serve_what_it_can_mount():
    profile = load_profiles()["cifs_smb3"]
    has = {"NET": "y", "INET": "y", "CIFS": "m", "CIFS_XATTR": "y", "UNIX": "y", "FILE_LOCKING": "y", "MULTIUSER": "y"}
    asked = {"kernel_release": "6.1.0", "tools": None}
    assert refusals("it", profile, config={**has, "XFS_FS": "m", "XFS_POSIX_ACL": "y"}, **asked) == []
    assert refusals("it", profile, config=has | {"XFS_POSIX_ACL": "y"}, **asked) == [
        "it: needs a kernel with CONFIG_XFS_FS=y, this has n"
    ]


@pytest.mark.parametrize(
    ("version", "oldest", "expected"),
    [
        ("6.1.0-1", "6.1", True),
        ("6.1.0-1", "6.1.1", False),
        ("6.10", "6.9", True),
        ("1:2.6.2-4+deb12u1", "2.6.3", False),
        ("1:2.6.4-1", "2.6.3", True),
        ("6.5~rc1-1", "6.5", False),
        ("6.5.1~rc1-1", "6.5", True),
        ("v6.2", "6.2", True),
        ("4.15.1+dfsg-1ubuntu2", "4.15.1", True),
        ("git20200101", "0", False),
        ("", "0", False),
        ("0.11-1", "0", True),
        ("9" * 5000, "1", True),
    ],
)
def test_versions(version, oldest, expected):
    assert is_at_least(version, oldest) is expected


numbers = st.lists(st.integers(0, 10**8), min_size=1, max_size=5)


@given(numbers, numbers, st.sampled_from(["", "1:", "v"]), st.sampled_from(["", "-1", "+dfsg-2~bpo12+1", "-rc1"]))
def test_versions_compare_as_numbers_do(found, wanted, before, after):
    width = max(len(found), len(wanted))
    padded = [[*each, *[0] * (width - len(each))] for each in (found, wanted)]
    text = ".".join(map(str, found))
    assert is_at_least(before + text + after, ".".join(map(str, wanted))) is (padded[0] >= padded[1])


@given(st.text())
def test_any_version_is_judged(version):
    assert is_at_least(version, "1") in {True, False}


def test_kernel_options_are_those_of_fstests_the_file_system_and_the_profile():
    profiles = load_profiles()
    plain = kernel_options({"ext4_4k": profiles["ext4_4k"]})
    assert plain.required["SCSI_DEBUG"] == "m"
    assert {
        "DM_FLAKEY",
        "USER_NS",
        "QFMT_V2",
        "FAIL_MAKE_REQUEST",
        "MAGIC_SYSRQ_SERIAL",
        "EXT4_FS",
    } <= plain.required.keys()
    assert not {"XFS_FS", "XFS_RT"} & (plain.required | plain.optional).keys()
    crc, rt = (kernel_options({name: profiles[name]}) for name in ("xfs_crc", "xfs_crc_rtdev"))
    assert "XFS_RT" in crc.optional
    assert "XFS_RT" in rt.required
    assert "XFS_RT" not in rt.optional
    assert kernel_options({"a": profiles["xfs_nocrc"], "b": profiles["nfs_rdma"]}).required["RDMA_RXE"] == "y"


@pytest.mark.parametrize("order", [("SCSI_DEBUG=m", "SCSI_DEBUG=y"), ("CONFIG_SCSI_DEBUG=y", "SCSI_DEBUG=m")])
def test_built_in_serves_who_asks_for_a_module(order):
    profiles = {str(n): Profile(fs="xfs", needs={"options": (option,)}) for n, option in enumerate(order)}
    assert kernel_options(profiles).required["SCSI_DEBUG"] == "y"


def test_every_profile_says_what_it_demands():
    told = {name: demands(profile) for name, profile in load_profiles().items()}
    assert told["tmpfs_default"] == []
    assert told["xfs_nocrc_8k"] == ["xfsprogs 4.9", "pages of 8 KiB", "CONFIG_XFS_SUPPORT_V4=y"]
    assert told["cifs_smb3_seal"] == ["a server (smbd)", "kernel 4.11", "cifs-utils"]
    assert told["btrfs_simple_zns"] == ["kernel 5.12", "btrfs-progs 5.12", "zoned disks", "CONFIG_BLK_DEV_ZONED=y"]


@pytest.mark.e2e
@pytest.mark.parametrize("fs", ["all", "xfs", "btrfs", "ext4", "tmpfs", "nfs", "cifs"])
def test_a_kernel_tree_gives_the_options(tmp_path, fs):
    """The tree that KDEVOPS_KERNEL_TREE names, its own Kconfig, the base lean: everything required survives."""
    tree = os.environ.get("KDEVOPS_KERNEL_TREE")
    if not tree:
        pytest.skip("no kernel tree: set KDEVOPS_KERNEL_TREE")
    options = kernel_options({name: profile for name, profile in load_profiles().items() if fs in {"all", profile.fs}})
    asked = (Asked("fstests", options.required, options.optional),)
    spec = BuildSpec(SourceSpec("path", tree), config=ConfigSpec(), asked=asked)

    async def run():
        here = architecture()
        make = Make(Path(tree), tmp_path / "build", await probe("gcc"), here, tmp_path / "log")
        return await configure(plan_config(spec, here), make, here)

    warnings = asyncio.run(run())
    assert all("no such symbol in this tree" in warning for warning in warnings)


def test_what_no_server_of_a_lab_is_set_up_for():
    found = unserved(load_profiles())
    assert [line.partition(":")[0] for line in found] == ["nfs_pnfs", "nfs_rdma", "nfs_tls"]
    assert all("needs" in line for line in found)


def test_the_kernel_is_asked_for_what_its_servers_need():
    profiles = load_profiles()
    for name, symbol in (("nfs_v42", "NFSD_V4"), ("cifs_smb3", "XFS_FS")):
        assert kernel_options({name: profiles[name]}).required[symbol] == "y"
    assert "NFSD" not in kernel_options({"cifs_smb3": profiles["cifs_smb3"]}).required
