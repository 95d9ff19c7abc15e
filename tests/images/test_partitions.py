import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.images import partitions as image_partitions
from kdevops.images.disk import boot_record, partuuid
from kdevops.images.partitions import HEAD, root_of

LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
ROOT = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
EFI = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")


@pytest.fixture(autouse=True)
def _x86(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_partitions.platform, "machine", lambda: "x86_64")


def gpt(*partitions: tuple[uuid.UUID, uuid.UUID, int]) -> bytes:
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", 2, len(partitions), 128)
    entries = b"".join(
        struct.pack("<16s16sQQ", kind.bytes_le, identity.bytes_le, 2048, 2047 + sectors).ljust(128, b"\0")
        for kind, identity, sectors in partitions
    )
    protective = boot_record(1 << 30, 0, b"")[:450] + b"\xee" + bytes(59) + b"\x55\xaa"
    return protective + header.ljust(512, b"\0") + entries


def name_of(head: bytes) -> tuple[str, int | None] | None:
    root = root_of(head)
    return (root.root, root.number) if root else None


def identity(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


@given(st.integers(1, 0xFFFFFFFF), st.integers(2 << 20, 1 << 45), st.binary(max_size=600))
def test_our_own_disk_names_its_partition(signature: int, size: int, mark: bytes) -> None:
    record = boot_record(size, signature, mark)
    assert len(record) == 512
    assert name_of(record) == (partuuid(signature), 1) == (f"PARTUUID={signature:08x}-01", 1)


def test_gpt_prefers_the_partition_marked_as_root_to_a_bigger_one() -> None:
    disk = gpt((EFI, identity(1), 9000), (LINUX, identity(2), 8000), (ROOT, identity(3), 100))
    assert name_of(disk) == (f"PARTUUID={identity(3)}", 3)


def test_gpt_without_a_mark_gives_the_biggest_linux_partition() -> None:
    disk = gpt((LINUX, identity(1), 100), (LINUX, identity(2), 8000), (EFI, identity(3), 9000))
    assert name_of(disk) == (f"PARTUUID={identity(2)}", 2)


def test_mbr_gives_the_biggest_linux_partition() -> None:
    small = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 2048, 100)
    swap = struct.pack("<B3sB3sII", 0, b"", 0x82, b"", 4096, 9000)
    big = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 8192, 500)
    disk = bytes(440) + struct.pack("<IH", 0xABC, 0) + small + swap + big + bytes(16) + b"\x55\xaa"
    assert name_of(disk) == ("PARTUUID=00000abc-03", 3)


@pytest.mark.parametrize(("offset", "magic"), [(1080, b"\x53\xef"), (0, b"XFSB"), (65600, b"_BHRfS_M")])
def test_a_file_system_without_partitions(offset: int, magic: bytes) -> None:
    assert name_of(bytes(offset) + magic) == ("/dev/vda", None)


def test_nothing_for_linux() -> None:
    assert root_of(b"") is None
    assert root_of(gpt((EFI, identity(1), 100))) is None


@given(st.binary(max_size=2048), st.booleans())
def test_any_bytes_are_survived(head: bytes, as_gpt: bool) -> None:
    if as_gpt:
        head = bytes(510) + b"\x55\xaaEFI PART" + head
    root = root_of(head[:HEAD])
    assert root is None or root.root.startswith(("PARTUUID=", "/dev/vda"))
