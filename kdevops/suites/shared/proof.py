"""Check whether programs built elsewhere can start in a guest, by a script in the payload."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

PROOF = ".kdevops-proof"
"""The script's name at the top of the payload; it prints one line per missing library or library version."""


def write_proof(tree: Path) -> None:
    """Write the script into a tree, unless none of its programs needs libraries."""
    if programs := witnesses(tree):
        words = shlex.join(["ldd", *(f"./{program}" for program in programs)])
        (tree / PROOF).write_text(f"cd \"${{0%/*}}\" && {words} 2>&1 | sed -n '/not found/p'\n")


def witnesses(tree: Path) -> list[str]:
    """A few programs that together need all libraries of the tree's programs; checking all programs takes too long."""
    wants = {str(path.relative_to(tree)): _wants(path) for path in sorted(tree.rglob("*")) if _is_program(path)}
    missing = set().union(*wants.values())
    chosen: list[str] = []
    while missing:
        chosen.append(max(wants, key=lambda name: len(wants[name] & missing)))
        missing -= wants[chosen[-1]]
    return chosen


def _is_program(path: Path) -> bool:
    if path.is_symlink() or not path.is_file() or not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _wants(path: Path) -> frozenset[str]:
    """The libraries and library versions that a program needs: DT_NEEDED and SHT_GNU_verneed of gABI and LSB."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        dynamic, versions = elf.get_section_by_name(".dynamic"), elf.get_section_by_name(".gnu.version_r")
        found: set[str] = set()
        if isinstance(dynamic, DynamicSection):
            found |= {str(tag.needed) for tag in dynamic.iter_tags("DT_NEEDED")}  # type: ignore[attr-defined]
        if isinstance(versions, GNUVerNeedSection):
            found |= {
                f"{library.name} {each.name}" for library, symbols in versions.iter_versions() for each in symbols
            }
        return frozenset(found)
