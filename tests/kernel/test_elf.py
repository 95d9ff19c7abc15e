from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.kernel.elf import parse_notes, read_build_id


def note(name: bytes, kind: int, data: bytes) -> bytes:
    def pad(text: bytes) -> bytes:
        return text + b"\0" * (-len(text) % 4)

    return struct.pack("<III", len(name), len(data), kind) + pad(name) + pad(data)


others = st.builds(note, st.sampled_from([b"Xen\0", b"Linux\0", b"GNU\0"]), st.just(1), st.binary(max_size=30))


@given(st.lists(others, max_size=5), st.binary(min_size=1, max_size=64), st.binary(max_size=20))
def test_the_build_id_is_found_among_other_notes(before: list[bytes], build_id: bytes, after: bytes) -> None:
    assert parse_notes(b"".join(before) + note(b"GNU\0", 3, build_id) + after) == build_id.hex()


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_notes(data)


def test_this_machines_kernel_has_one_or_none() -> None:
    notes = Path("/sys/kernel/notes")
    if not notes.is_file():
        pytest.skip("/sys/kernel/notes is not there")
    try:
        assert len(parse_notes(notes.read_bytes())) in {32, 40}
    except ValueError:
        pytest.skip("the running kernel was linked without a build id")


@given(data=st.binary(max_size=400), elf=st.booleans())
def test_any_file_is_survived(tmp_path_factory: pytest.TempPathFactory, data: bytes, elf: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "some.elf"
    path.write_bytes((b"\x7fELF\x02\x01" if elf else b"") + data)
    with pytest.raises(ValueError, match=r"is not a 64-bit|broken ELF header|no GNU build id"):
        read_build_id(path)
