"""A KUnit suite in which a real kernel dies while it boots."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from elftools.elf.elffile import ELFFile

from kdevops.providers.architecture import architecture
from tests.e2e.conftest import Kdevops, shared_lab

FAULTY_QEMU = Path(__file__).parent / "faulty_qemu.py"


def address_of(vmlinux: Path, function: str) -> int:
    with vmlinux.open("rb") as file:
        (symbol,) = ELFFile(file).get_section_by_name(".symtab").get_symbol_by_name(function)
        return int(symbol["st_value"])


@pytest.mark.skipif(architecture().binary != "qemu-system-x86_64", reason="the fault is an instruction of x86")
def test_a_death_in_a_suite_at_boot_costs_that_suite_and_no_other(
    kdevops: Kdevops, shared_kernel: dict[str, Any], tmp_path: Path
) -> None:
    address = address_of(Path(shared_kernel["image"]).with_name("vmlinux"), "hlist_test_del")
    qemu = tmp_path / "qemu"
    qemu.write_text(f'#!/bin/sh\nexec {sys.executable} {FAULTY_QEMU} {address:x} "$@"\n')
    qemu.chmod(0o755)
    lab = shared_lab()
    lab |= {"name": "fault", "provider": {"type": "qemu", "binary": str(qemu)}}
    lab["guests"]["count"] = 1
    lab["kernel"]["cmdline"] = ["nokaslr"]
    path = tmp_path / "fault.yaml"
    path.write_text(yaml.safe_dump(lab))

    ran = kdevops("run", path, "--only", "kunit/*", "--json")
    statuses = ran.statuses()
    assert list(statuses) == ["ext4_inode_test", "example", "list-kunit-test", "hlist", "bits-test", "cmdline"]
    assert statuses.pop("hlist") == "crash"
    assert set(statuses.values()) == {"pass"}, "those before it in its boot, and those after it in another"
    assert ran.data["complete"]
    assert ran.code == 1
    (crash,) = (test for test in ran.data["tests"] if test["status"] == "crash")
    assert crash["reason"] == "the kernel died in hlist after hlist_test_unhashed_lockless"
    assert ran.stderr.count("died while kunit ran at boot") == 1
    told = kdevops("results", "1", "--test", "hlist", check=0).stdout
    assert "RIP: 0010:hlist_test_del+0x0" in told
    assert "Kernel panic - not syncing: Fatal exception" in told
    assert "hlist_test_init" in told, "the cases that ended before it died keep their results"
