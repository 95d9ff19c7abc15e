"""What in the cache is old, what of it is in use, and what goes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.files import locked
from kdevops.progress import silent
from kdevops.run.caches import CacheEntry, entries, remove, unused

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
DAY = 86400


def put(path: Path, *, days: float = 0, size: int = 8192) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    for parent in path.parents:
        if parent.name == "cache":
            break
        os.utime(parent, (then, then))
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def found(cache: Path, days: float = 30) -> list[str]:
    return [f"{entry.kind}/{entry.name}" for entry in unused(cache, days)]


def only(cache: Path) -> CacheEntry:
    (entry,) = entries(cache)
    return entry


def test_what_was_not_used_for_so_many_days_is_found_the_biggest_first(cache: Path) -> None:
    put(cache / f"kernels/{KEY}/vmlinux", days=40)
    put(cache / f"images/{KEY}.raw", days=31, size=1 << 20)
    put(cache / f"sources/{OTHER}/deep/down/Makefile", days=29)
    put(cache / "digests/note", days=400)
    put(cache / "acceleration/x.json", days=400)
    assert found(cache) == [f"images/{KEY}", f"kernels/{KEY}"]
    assert f"sources/{OTHER}" in found(cache, 28.5)
    assert found(cache, 50) == []
    assert unused(cache / "nothing", 1) == []


def test_the_files_of_one_key_are_one_thing(cache: Path) -> None:
    for name in (f"{KEY}.raw", f"{KEY}.json", f"{KEY}.log", f".{KEY}.lock", f"{OTHER}-libvirt.box", f"{OTHER}.json"):
        put(cache / "boxes" / name)
    assert {each.name: len(each.paths) for each in entries(cache)} == {KEY: 3, OTHER: 2}


def test_one_file_that_was_read_lately_is_use(cache: Path) -> None:
    put(cache / f"fstests/{KEY}/a", days=100)
    read = put(cache / f"fstests/{KEY}/b", days=100)
    os.utime(read, (time.time(), time.time() - 100 * DAY))
    assert found(cache) == []


def test_removed_is_all_of_it_and_no_lock_file(cache: Path) -> None:
    for name in (f"{KEY}/tree/file", f"{KEY}.log"):
        put(cache / "fstests" / name, days=90)
    lock = put(cache / f"fstests/{KEY}.lock", size=0)
    (cache / f"fstests/{KEY}/tree").chmod(0o500)
    assert remove(only(cache))
    assert list((cache / "fstests").iterdir()) == [lock]


@pytest.mark.parametrize("lock", [f"{KEY}.lock", f".{KEY}.lock", f"{KEY}/.lock"])
def test_what_is_being_made_is_left_alone(cache: Path, lock: str) -> None:
    put(cache / f"selftests/{KEY}/x", days=90)

    async def try_it() -> bool:
        async with locked(cache / "selftests" / lock, report=silent, step="x"):
            return remove(only(cache))

    assert not asyncio.run(try_it())
    assert (cache / f"selftests/{KEY}/x").exists()
    assert remove(only(cache))


def test_the_store_as_a_whole_may_be_locked(cache: Path) -> None:
    put(cache / "terraform/registry.terraform.io/x", days=90)
    with (cache / "terraform.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not remove(only(cache))
    assert remove(only(cache))


def test_what_a_process_has_open_is_in_use(cache: Path) -> None:
    path = put(cache / f"images/{KEY}.raw", days=90)
    with path.open("rb"):
        assert found(cache) == []
    assert found(cache) == [f"images/{KEY}"]


@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9.-]{0,40}", fullmatch=True), unique=True, max_size=6))
def test_nothing_is_forgotten_and_nothing_is_twice(names: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory) / "kernels"
        store.mkdir()
        for name in names:
            (store / name).write_text("")
        paths = [path for entry in entries(Path(directory)) for path in entry.paths]
        assert sorted(paths) == sorted(store / name for name in names if not name.endswith(".lock"))
