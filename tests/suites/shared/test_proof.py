"""Telling that programs cannot start, before tests fail of it: on programs that are compiled here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from kdevops.suites.shared.proof import PROOF, witnesses, write_proof

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="a C compiler is needed")


def compile_program(path: Path, *arguments: str | Path, source: str = "int main(void) { return 0; }") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    argv = ["cc", "-xc", "-", "-o", path, *arguments]
    subprocess.run(argv, input=source.encode(), check=True)


def prove(tree: Path) -> str:
    return subprocess.run(["sh", tree / PROOF], cwd="/", check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Programs that need the C library, one of them a library of its own, too."""
    path = tmp_path / "a tree"
    for name in ("first", "second", "sub/third"):
        compile_program(path / name)
    library = tmp_path / "libtoy.so"
    compile_program(library, "-shared", "-fPIC", source="int toy(void) { return 0; }")
    linking = ("-L", tmp_path, "-Wl,-rpath," + str(tmp_path), "-xnone", library)
    source = "int toy(void); int main(void) { return toy(); }"
    compile_program(path / "needs-toy", *linking, source=source)
    (path / "check").write_text("#!/bin/sh\n")
    (path / "check").chmod(0o755)
    (path / "link").symlink_to("/nonexistent")
    return path


def test_few_programs_stand_for_all(tree: Path) -> None:
    chosen = witnesses(tree)
    assert "needs-toy" in chosen
    assert len(chosen) < 4


def test_where_all_is_there_nothing_is_said(tree: Path) -> None:
    write_proof(tree)
    assert prove(tree) == ""


def test_a_missing_library_is_named(tree: Path) -> None:
    write_proof(tree)
    (tree.parent / "libtoy.so").unlink()
    assert "libtoy.so => not found" in prove(tree)


def test_a_tree_without_programs_needs_no_proof(tmp_path: Path) -> None:
    (tmp_path / "check").write_text("#!/bin/sh\n")
    (tmp_path / "check").chmod(0o755)
    write_proof(tmp_path)
    assert not (tmp_path / PROOF).exists()
