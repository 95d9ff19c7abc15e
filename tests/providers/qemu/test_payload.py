"""Disks that guests are lent: their own to write to, anew at each boot, and part of what a guest was booted with."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kdevops.images.base import BaseImage
from kdevops.lab.model import Lab
from kdevops.providers.acceleration import Acceleration
from kdevops.providers.base import BootKernel, PayloadDisk
from kdevops.providers.qemu.disks import lend
from kdevops.providers.qemu.provider import QemuProvider
from kdevops.providers.shared.lab_directory import LabDirectory

needs_qemu = pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is needed")


@pytest.fixture
def payload(tmp_path: Path) -> PayloadDisk:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"fstests".ljust(1 << 20, b"\0"))
    disk.chmod(0o444)
    return PayloadDisk("kd-fstests", disk)


def read(overlay: Path) -> bytes:
    raw = overlay.with_suffix(".read")
    subprocess.run(["qemu-img", "convert", "-O", "raw", overlay, raw], check=True)
    return raw.read_bytes()[:7]


@needs_qemu
def test_a_guest_writes_to_its_own_until_the_next_boot(payload: PayloadDisk, tmp_path: Path) -> None:
    disk = asyncio.run(lend(payload, tmp_path))
    assert (disk.serial, disk.format, disk.read_only) == ("kd-fstests", "qcow2", False)
    change = ["qemu-io", "-c", "write -P 0x41 0 1M", disk.path]
    subprocess.run(change, check=True, capture_output=True)
    assert read(disk.path) == b"A" * 7
    assert payload.path.read_bytes()[:7] == b"fstests"
    assert read(asyncio.run(lend(payload, tmp_path)).path) == b"fstests"


@needs_qemu
def test_every_guest_has_one_of_its_own(payload: PayloadDisk, tmp_path: Path) -> None:
    guests = [tmp_path / "a", tmp_path / "b"]
    for directory in guests:
        directory.mkdir()
    first, second = (asyncio.run(lend(payload, directory)) for directory in guests)
    assert first.path != second.path


def test_another_payload_is_another_guest(payload: PayloadDisk, tmp_path: Path) -> None:
    image = BaseImage(tmp_path / "root.raw", "key", "raw", "PARTUUID=1-01")
    accel = Acceleration("tcg", "", 1.0)
    lab = Lab.model_validate({"name": "toy"})
    kernel = BootKernel(tmp_path / "bzImage", "key")
    provider = QemuProvider(lab, LabDirectory(tmp_path), accel, image, kernel)
    lending = replace(provider, payloads=(payload,))
    other = replace(provider, payloads=(replace(payload, path=tmp_path / "other.raw"),))
    assert len({each._boots("toy-1", ()) for each in (provider, lending, other)}) == 3
    assert lending._boots("toy-1", ()) == replace(provider, payloads=(payload,))._boots("toy-1", ())
