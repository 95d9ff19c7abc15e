"""Suite names out of real ELF files, made by the compiler with the kernel's layout."""

import gzip
import lzma
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdevops.errors import UserError
from kdevops.suites.kunit.elf import suites_builtin, suites_in_module_data

SOURCE = """
struct kunit_suite { char name[256]; void *init; };
static struct kunit_suite one = { "one-suite" }, two = { "second suite" }, late = { "late" };
#define TABLE(section_name) __attribute__((used, section(section_name)))
static struct kunit_suite *first[] TABLE(".kunit_test_suites") = { &one, &two };
static struct kunit_suite *again[] TABLE(".kunit_test_suites") = { &one };
static struct kunit_suite *init[] TABLE(".kunit_init_test_suites") = { &late };
void _start(void) {}
"""
LAYOUT = """
SECTIONS {
  . = 0x1000000;
  .text : { *(.text*) }
  .data : {
    *(.data*)
    . = ALIGN(8);
    __kunit_suites_start = .; KEEP(*(.kunit_test_suites)) __kunit_suites_end = .;
    __kunit_init_suites_start = .; KEEP(*(.kunit_init_test_suites)) __kunit_init_suites_end = .;
  }
}
"""
NAMES = ("one-suite", "second suite", "late")

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="a C compiler is needed")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """vmlinux, a relocatable (position independent) vmlinux.pie, module.ko, and plain.ko without KUnit."""
    directory = tmp_path_factory.mktemp("elf")
    (directory / "a.c").write_text(SOURCE)
    (directory / "b.c").write_text("int x = 1;")
    (directory / "layout.lds").write_text(LAYOUT)
    link = ["cc", "-nostdlib", "-Wl,-T,layout.lds,--build-id=none"]
    for argv in (
        [*link, "-static", "-no-pie", "-fno-pie", "a.c", "-o", "vmlinux"],
        [*link, "-shared", "-fPIC", "-Wl,-Bsymbolic,-z,notext", "a.c", "-o", "vmlinux.pie"],
        ["cc", "-c", "-fno-pie", "a.c", "-o", "module.ko"],
        ["cc", "-c", "b.c", "-o", "plain.ko"],
        ["strip", "-o", "stripped", "vmlinux"],
    ):
        subprocess.run(argv, cwd=directory, check=True, capture_output=True)
    return directory


@pytest.mark.parametrize("name", ["vmlinux", "vmlinux.pie"])
def test_builtin(built, name):
    assert suites_builtin(built / name) == NAMES


@pytest.mark.parametrize("name", ["plain.ko", "stripped"])
def test_nothing_to_be_found_is_empty(built, name):
    assert suites_builtin(built / name) == ()


def test_module(built):
    assert suites_in_module_data("module.ko", (built / "module.ko").read_bytes()) == NAMES
    assert suites_in_module_data("plain.ko", (built / "plain.ko").read_bytes()) == ()


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_packed_module(built, ending, pack):
    data = (built / "module.ko").read_bytes()
    assert suites_in_module_data(f"module.ko.{ending}", pack(data)) == NAMES
    with pytest.raises(UserError, match="cannot be unpacked"):
        suites_in_module_data(f"module.ko.{ending}", b"garbage")


def test_module_packed_otherwise():
    with pytest.raises(UserError, match="packed in a way"):
        suites_in_module_data("module.ko.lz4", b"\x04\x22\x4d\x18")


def test_module_that_unpacks_to_too_much(monkeypatch):
    monkeypatch.setattr("kdevops.suites.kunit.elf.MAX_MODULE", 1000)
    with pytest.raises(UserError, match="unpacks to more than"):
        suites_in_module_data("module.ko.gz", gzip.compress(bytes(10_000)))


def test_no_elf_file(tmp_path):
    (tmp_path / "vmlinux").write_text("hello")
    with pytest.raises(UserError, match="cannot be read as an ELF file"):
        suites_builtin(tmp_path / "vmlinux")


@given(st.lists(st.tuples(st.integers(0, 20_000), st.binary(min_size=1, max_size=8)), max_size=8))
def test_damaged_image_gives_names_or_a_user_error(built, damage):
    data = bytearray((built / "module.ko").read_bytes())
    for place, content in damage:
        start = place % len(data)
        data[start : start + len(content)] = content
    try:
        names = suites_in_module_data("module.ko", bytes(data))
    except UserError:
        return
    assert all(name.isprintable() and len(name) <= 256 for name in names)


def test_a_real_kernel():
    vmlinux = os.environ.get("KDEVOPS_VMLINUX")
    if not vmlinux:
        pytest.skip("set KDEVOPS_VMLINUX to a vmlinux with CONFIG_KUNIT_EXAMPLE_TEST=y")
    assert "example" in suites_builtin(Path(vmlinux))
