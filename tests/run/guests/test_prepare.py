"""What a guest is given: from a disk that it is lent, where there is one, else over ssh."""

from __future__ import annotations

import asyncio
import io
import platform
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kdevops.errors import InfrastructureError
from kdevops.process import Completed
from kdevops.run.guests.prepare import GuestSetup, payload_serial
from kdevops.suites.shared.proof import PROOF
from tests.support.chunk_suite import ToySuite
from tests.support.local_guest import LocalTarget


@dataclass(frozen=True, slots=True)
class Target(LocalTarget):
    """This machine's shell, but for the mounting of disks, which ends as a test says."""

    mount: Completed | None = None
    asked: list[Sequence[str]] = field(default_factory=list)

    async def run(self, command: Sequence[str], **options: Any) -> Completed:
        self.asked.append(command)
        if self.mount and "mount" in "".join(command):
            return self.mount
        return await LocalTarget.run(self, command, **options)


def target(mount: Completed | None = None) -> Target:
    nowhere = Path("/nonexistent")
    return Target("guest-1", "127.0.0.1", 22, "root", nowhere, nowhere, mount=mount)


def mounting(returncode: int, stderr: str = "") -> Completed:
    return Completed(("sh",), returncode, "", stderr, 0.0)


@pytest.fixture
def suite(tmp_path: Path) -> ToySuite:
    payload = tmp_path / "payload.tar"
    with tarfile.open(payload, "w") as tar:
        entry = tarfile.TarInfo("check")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"run"))
    return ToySuite({}, tmp_path, payload=payload, remote=str(tmp_path / "guest/toy"))


def bring(suite: ToySuite, guest: Target) -> None:
    asyncio.run(GuestSetup(platform.release(), suites=(suite,)).apply(guest, 1.0))


def test_without_a_disk_the_archive_is_sent_once(suite: ToySuite) -> None:
    first, second = target(), target()
    bring(suite, first)
    assert (Path(suite.remote) / "check").read_text() == "run"
    bring(suite, second)
    assert any("tar -x" in " ".join(command) for command in first.asked)
    assert not any("tar -x" in " ".join(command) for command in second.asked)


def test_a_disk_is_mounted_where_the_suite_wants_it_and_nothing_is_sent(suite: ToySuite) -> None:
    guest = target(mounting(0))
    bring(suite, guest)
    assert ["kd-toy", suite.remote] in [list(command[-2:]) for command in guest.asked]
    assert not Path(suite.remote).exists()


def test_a_disk_that_cannot_be_mounted_is_told(suite: ToySuite) -> None:
    guest = target(mounting(32, "mount: wrong fs type\n"))
    with pytest.raises(InfrastructureError, match=r"cannot mount its disk kd-toy on .*: mount: wrong fs type"):
        bring(suite, guest)


def test_programs_that_do_not_start_are_told_before_any_test_is_run(suite: ToySuite, tmp_path: Path) -> None:
    script = b"echo 'libaio.so.1 => \\033[1mnot found'; echo more"
    with tarfile.open(suite.payload or "", "w") as tar:
        entry = tarfile.TarInfo(PROOF)
        entry.size = len(script)
        tar.addfile(entry, io.BytesIO(script))
    with pytest.raises(InfrastructureError, match=r"of toy do not start in guest guest-1: libaio\.so\.1 => not found$"):
        bring(suite, target())


def test_a_serial_fits_into_a_virtio_disk(suite: ToySuite) -> None:
    assert len(payload_serial(suite)) <= 20
