from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kdevops.errors import InfrastructureError
from kdevops.files import locked, manifest_of, published, remembered_sha256
from kdevops.progress import Progress, silent


def test_a_published_directory_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "a/b"
    with pytest.raises(KeyError), published(target) as folder:
        raise KeyError((folder / "half").touch())
    assert list(target.parent.iterdir()) == []
    with published(target) as folder:
        (folder / "whole").touch()
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_what_a_killed_predecessor_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".target.dead").mkdir()
    (tmp_path / ".target.dead/big").touch()
    with published(tmp_path / "target"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="No space left on device"), published(tmp_path / "target"):
        Path("/dev/full").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_waited_for_and_told(tmp_path: Path) -> None:
    told: list[Progress] = []
    order = []

    async def first(holding: asyncio.Event, go: asyncio.Event) -> None:
        async with locked(tmp_path / "lock", report=silent, step="s"):
            holding.set()
            await go.wait()
            order.append("first")

    async def second(go: asyncio.Event) -> None:
        def report(news: Progress) -> None:
            told.append(news)
            go.set()

        async with locked(tmp_path / "lock", report=report, step="s"):
            order.append("second")

    async def main() -> None:
        holding, go = asyncio.Event(), asyncio.Event()
        one = asyncio.create_task(first(holding, go))
        await holding.wait()
        await asyncio.gather(one, second(go))

    asyncio.run(main())
    assert order == ["first", "second"]
    assert "waiting" in told[0].detail


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    file, cache = tmp_path / "file", tmp_path / "cache"
    file.write_text("one")
    first = remembered_sha256(file, cache)
    assert remembered_sha256(file, cache) == first
    file.write_text("two")
    os.utime(file, ns=(0, 0))
    assert remembered_sha256(file, cache) != first


def test_a_damaged_memory_is_not_believed(tmp_path: Path) -> None:
    file, cache = tmp_path / "file", tmp_path / "cache"
    file.write_text("one")
    first = remembered_sha256(file, cache)
    for note in (cache / "digests").iterdir():
        note.write_text("{}")
    assert remembered_sha256(file, cache) == first


def test_the_manifest_sees_every_kind_of_change(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    file = tmp_path / "d/f"
    file.write_text("one")
    os.utime(file, ns=(5, 5))
    seen = [manifest_of(tmp_path)]
    assert manifest_of(tmp_path) == seen[0]
    os.utime(file, ns=(5, 6))
    seen.append(manifest_of(tmp_path))
    file.chmod(0o755)
    seen.append(manifest_of(tmp_path))
    (tmp_path / "d/g").touch()
    seen.append(manifest_of(tmp_path))
    (tmp_path / "d/g").unlink()
    (tmp_path / "d/f").rename(tmp_path / "f")
    seen.append(manifest_of(tmp_path))
    assert len(set(seen)) == len(seen)
