from __future__ import annotations

import asyncio
import pwd
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.doctor import checks as doctor_checks
from kdevops.doctor.checks import (
    check_acceleration,
    check_disk,
    check_kvm_device,
    check_memory,
    check_namespaces,
    check_packages,
)
from kdevops.doctor.packages import Need
from kdevops.errors import InfrastructureError


@dataclass
class Found:
    kind: str
    why: str = "because"
    slowdown: float = 12.5


async def refuse() -> Found:
    raise InfrastructureError("qemu-system-x86_64 is not installed", hint="install it")


def test_acceleration_says_what_emulation_costs() -> None:
    async def tcg() -> Found:
        return Found("tcg")

    async def kvm() -> Found:
        return Found("kvm")

    assert (
        asyncio.run(check_acceleration(tcg)).detail
        == "tcg: because; guests are emulated and timeouts are 12.5 times longer"
    )
    assert asyncio.run(check_acceleration(kvm)).detail == "kvm: because"
    broken = asyncio.run(check_acceleration(refuse))
    assert (broken.ok, broken.mend) == (False, "install it")


def test_missing_packages_are_one_line_each() -> None:
    first, second = check_packages([Need("qemu-img", "qemu-utils", command=True), Need("mmdebstrap", "", command=True)])
    assert (first.ok, first.needed) == (False, True)
    assert "qemu-utils" in first.detail
    assert (second.ok, second.needed) == (False, False)
    assert [check.ok for check in check_packages([])] == [True]


def test_kvm_device_absent_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "kvm"
    assert not check_kvm_device(device).ok
    device.touch()
    assert check_kvm_device(device).ok
    monkeypatch.setattr(doctor_checks.os, "access", lambda path, mode: False)
    closed = check_kvm_device(device)
    assert not closed.ok
    assert closed.mend.startswith("sudo usermod --append --groups kvm ")


@pytest.mark.parametrize(
    ("line", "ok"), [("root:100000:65536", True), ("0:100000:65536", True), ("root:1:10", False), ("x:1:65536", False)]
)
def test_subordinate_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, ok: bool) -> None:
    me = pwd.getpwuid(0)
    monkeypatch.setattr(doctor_checks.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(doctor_checks.pwd, "getpwuid", lambda uid: me)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "unshare").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "unshare").chmod(0o755)
    ids = tmp_path / "ids"
    ids.write_text(f"{line}\n".replace("0:100000", "1000:100000") if line.startswith("0") else f"{line}\n")
    found = asyncio.run(check_namespaces(ids, ids))
    assert found.ok is ok
    assert ok or "--add-subuids" in found.mend
    (tmp_path / "unshare").write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    assert not asyncio.run(check_namespaces(ids, ids)).ok


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)).map(":".join) | st.text(max_size=20)))
def test_no_subuid_file_is_too_strange(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("ids") / "subuid"
    path.write_bytes("\n".join([*lines, "somebody:1:65536"]).encode(errors="surrogatepass"))
    assert doctor_checks._has_range(path, "somebody")
    assert not doctor_checks._has_range(path, "somebody else")


def test_memory_and_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 99999999 kB\nMemAvailable:    1048576 kB\n")
    low = check_memory(meminfo)
    assert (low.ok, low.needed, low.detail) == (False, False, "1.0 GiB available, 3 GiB are needed")
    missing_directory = tmp_path / "not/yet/made"
    monkeypatch.setattr(doctor_checks.shutil, "disk_usage", lambda path: type("U", (), {"free": 9 << 30})())
    assert check_disk(missing_directory).detail == f"9.0 GiB free in {tmp_path}"
