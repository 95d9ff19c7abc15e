"""The names of KUnit suites, read from a vmlinux or a module.

`kunit_test_suites()` (include/kunit/test.h) puts pointers to `struct kunit_suite` into the section .kunit_test_suites;
the first member of that structure is `const char name[256]`.
In vmlinux the symbols __kunit_suites_start and _end enclose them (include/asm-generic/vmlinux.lds.h); since 6.8,
__kunit_init_suites_start and _end enclose the suites whose tests run init code.
"""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from kdevops.errors import UserError

MAX_SUITES = 4096
MAX_MODULE = 256 << 20
"""Bytes of an uncompressed module; even debug information does not make a module this large."""
_NAME_SIZE = 256
_SECTION = ".kunit_test_suites"
_SECTIONS = (_SECTION, ".kunit_init_test_suites")
_TABLES = (
    ("__kunit_suites_start", "__kunit_suites_end"),
    ("__kunit_init_suites_start", "__kunit_init_suites_end"),
)


def suites_builtin(vmlinux: Path) -> tuple[str, ...]:
    """The suites built into a kernel, in the order of its tables; () without KUnit or without a symbol table.

    Raises UserError for a file that is not an ELF image.
    """
    with vmlinux.open("rb") as file:
        return _names(file, vmlinux, _builtin)


def suites_in_module_data(name: str, data: bytes) -> tuple[str, ...]:
    """The suites in a module, from the bytes of the file `name`, which may be compressed with gzip or xz; () without
    KUnit.

    Raises UserError for a file that is not a module, or uses another compression.
    """
    data = _unpack(name, data)
    if _SECTION.encode() not in data and _SECTIONS[1].encode() not in data:
        return ()
    return _names(BytesIO(data), name, _in_module)


def _names(file: BinaryIO, name: Path | str, extract: Callable[[Any], Iterable[str]]) -> tuple[str, ...]:
    from elftools.elf.elffile import ELFFile

    try:
        found = [text for text in extract(ELFFile(file)) if text and text.isprintable()]
    except Exception as error:
        raise UserError(
            f"{name} cannot be read as an ELF file: {error}", hint="is it a complete, uncompressed vmlinux?"
        ) from error
    return tuple(dict.fromkeys(found))


def _builtin(elf: Any) -> Iterator[str]:
    symbols = elf.get_section_by_name(".symtab")
    if symbols is None:
        return
    moved = None
    for first, last in _TABLES:
        start, end = (_value(symbols, name) for name in (first, last))
        if start is None or end is None:
            continue
        count = min((end - start) // 8, MAX_SUITES)
        words = _at(elf, start, count * 8)
        for number, (pointer,) in enumerate(struct.iter_unpack(_word(elf), words[: len(words) // 8 * 8])):
            if not pointer:  # in a relocatable image (arm64) the address may be in the relocation
                moved = _relocations(elf) if moved is None else moved
                pointer = moved.get(start + 8 * number, 0)
            yield _text(_at(elf, pointer, _NAME_SIZE))


def _value(symbols: Any, name: str) -> int | None:
    found = symbols.get_symbol_by_name(name)
    return int(found[0]["st_value"]) if found else None


def _at(elf: Any, address: int, size: int) -> bytes:
    """The bytes of the image at a virtual address; b"" if there are none."""
    for segment in elf.iter_segments("PT_LOAD"):
        offset = address - segment["p_vaddr"]
        if 0 <= offset < segment["p_filesz"]:
            elf.stream.seek(segment["p_offset"] + offset)
            return bytes(elf.stream.read(min(size, segment["p_filesz"] - offset)))
    return b""


def _relocations(elf: Any) -> dict[int, int]:
    """Address → value, from relocations that contain it (RELA)."""
    section = elf.get_section_by_name(".rela.dyn")
    data = section.data() if section else b""
    order = _word(elf)[0]
    return {offset: addend for offset, _, addend in struct.iter_unpack(f"{order}QQq", data[: len(data) // 24 * 24])}


def _in_module(elf: Any) -> Iterator[str]:
    """In a module, nothing has an address yet: each pointer is a relocation to a symbol plus an addend."""
    for name in _SECTIONS:
        relocations = elf.get_section_by_name(f".rela{name}")
        if relocations is None:
            continue
        symbols = elf.get_section(relocations["sh_link"])
        for number in range(min(relocations.num_relocations(), MAX_SUITES)):
            entry = relocations.get_relocation(number)
            symbol = symbols.get_symbol(entry["r_info_sym"])
            if not isinstance(symbol["st_shndx"], int):
                continue
            offset = symbol["st_value"] + entry["r_addend"]
            yield _text(elf.get_section(symbol["st_shndx"]).data()[offset : offset + _NAME_SIZE])


def _word(elf: Any) -> str:
    return "<Q" if elf.little_endian else ">Q"


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("ascii", errors="replace")


def _unpack(name: str, data: bytes) -> bytes:
    try:
        if name.endswith(".gz"):
            return _bounded(name, gzip.open(BytesIO(data)))
        if name.endswith(".xz"):
            return _bounded(name, lzma.open(BytesIO(data)))
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise UserError(f"{name} cannot be unpacked: {error}") from None
    if not name.endswith(".ko"):
        raise UserError(
            f"{name} is packed in a way that is not supported",
            hint="set CONFIG_MODULE_COMPRESS_NONE=y, or choose gzip, xz or zstd",
        )
    return data


def _bounded(name: str, file: Any) -> bytes:
    with file:
        data = bytes(file.read(MAX_MODULE + 1))
    if len(data) > MAX_MODULE:
        raise UserError(f"{name} unpacks to more than {MAX_MODULE >> 20} MiB")
    return data
