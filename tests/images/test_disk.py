import asyncio
import io
import subprocess
import tarfile
from pathlib import Path
from uuid import UUID

import pytest

from kdevops.errors import InfrastructureError, UserError
from kdevops.images import disk as image_disk
from kdevops.images.disk import make_disk, make_volume, tool_path
from kdevops.images.overlay import own_files


def archive(path: Path, files: dict[str, bytes], *, owner: int = 0) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.gid, entry.mode = len(content), owner, owner, 0o640
            tar.addfile(entry, io.BytesIO(content))
    return path


def make(tmp_path: Path, *archives: Path, size: int = 64 << 20) -> Path:
    disk = tmp_path / "work" / "disk.raw"
    disk.parent.mkdir()
    log = tmp_path / "log"
    asyncio.run(make_disk(disk, archives, size=size, signature=0x12345678, mark=b"mark", log=log))
    return disk


def debugfs(disk: Path, command: str) -> str:
    argv = ["debugfs", "-R", command, f"{disk}?offset=1048576"]
    return subprocess.run(argv, env={"PATH": tool_path()}, capture_output=True, text=True, check=True).stdout


def test_files_keep_owner_and_mode_and_later_archives_win(tmp_path: Path) -> None:
    first = archive(tmp_path / "1.tar", {"etc/a": b"one", "etc/b": b"two"}, owner=4321)
    second = archive(tmp_path / "2.tar", {"etc/b": b"three"})
    disk = make(tmp_path, first, second)
    assert disk.stat().st_size == 64 << 20
    assert disk.stat().st_blocks * 512 < 40 << 20, "the image is sparse"
    assert debugfs(disk, "cat /etc/b") == "three"
    status = debugfs(disk, "stat /etc/a")
    assert "User:  4321" in status
    assert "Mode:  0640" in status
    assert disk.read_bytes()[:4] == b"mark"


def test_links_to_directories_of_the_first_archive_stay(tmp_path: Path) -> None:
    base = tmp_path / "base.tar"
    with tarfile.open(base, "w") as tar:
        for name in ("usr", "usr/sbin"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        link = tarfile.TarInfo("sbin")
        link.type, link.linkname = tarfile.SYMTYPE, "usr/sbin"
        tar.addfile(link)
    own = tmp_path / "own.tar"
    own.write_bytes(own_files(systemd=False))
    disk = make(tmp_path, base, own)
    assert "Type: symlink" in debugfs(disk, "stat /sbin")
    assert debugfs(disk, "cat /usr/sbin/kdevops-init").startswith("#!/bin/busybox sh")
    assert "Mode:  0755" in debugfs(disk, "stat /usr/sbin/kdevops-init")
    assert "Type: symlink" in debugfs(disk, "stat /usr/sbin/poweroff")


def test_what_does_not_fit_is_the_users_to_mend(tmp_path: Path) -> None:
    big = archive(tmp_path / "big.tar", {"big": bytes(range(256)) * (70 << 12)})
    with pytest.raises(UserError, match="do not fit into 64 MiB") as caught:
        make(tmp_path, big)
    assert "image.size" in str(caught.value.hint)


def test_a_size_below_all_sense(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="do not fit into 1 MiB"):
        make(tmp_path, size=1 << 20)


def test_a_full_disk_is_told_with_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "bin" / "mkfs.ext4"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'mkfs.ext4: No space left on device while writing out' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{tool_path()}")
    with pytest.raises(InfrastructureError, match=r"disk full .* MiB free in ") as caught:
        make(tmp_path, archive(tmp_path / "1.tar", {"a": b""}))
    assert "700 MiB" in str(caught.value.hint)
    assert caught.value.log == tmp_path / "log"


def test_mkfs_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_disk, "tool_path", lambda: str(tmp_path))
    with pytest.raises(InfrastructureError, match=r"mkfs\.ext4 is not installed") as caught:
        make(tmp_path)
    assert "install" in str(caught.value.hint)


def test_our_own_files_are_the_same_bytes_every_time() -> None:
    assert own_files(systemd=True) == own_files(systemd=True)
    with tarfile.open(fileobj=io.BytesIO(own_files(systemd=True))) as tar:
        names = tar.getnames()
    assert "etc/systemd/system/sysinit.target.wants/kdevops-seed.service" in names
    assert "usr/sbin/poweroff" not in names


def volume(place: Path, tar: Path) -> Path:
    place.mkdir()
    disk = place / "disk.raw"
    uuid = UUID("01234567-89ab-cdef-0123-456789abcdef")
    asyncio.run(make_volume(disk, tar, size=256 << 20, label="kd-suite", uuid=uuid, log=place / "log"))
    return disk


def test_a_volume_has_the_files_and_room(tmp_path: Path) -> None:
    tar = archive(tmp_path / "suite.tar", {"check": b"run", "tests/generic/001": b"one"}, owner=4321)
    first = volume(tmp_path / "a", tar)
    assert first.stat().st_blocks * 512 < 40 << 20, "the image is sparse"
    argv = ["debugfs", "-R", "stat tests/generic/001", first]
    environment = {"PATH": tool_path()}
    assert "User:  4321" in subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout
    facts = subprocess.run(
        ["dumpe2fs", "-h", first], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "01234567-89ab-cdef-0123-456789abcdef" in facts
    assert "kd-suite" in facts
