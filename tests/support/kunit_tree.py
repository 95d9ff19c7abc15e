"""The kernel's own KTAP parser and its sample logs, where a kernel tree or a packaged source is at hand."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

KUNIT = "tools/testing/kunit"


def kunit_directory(config: pytest.Config) -> Path:
    """tools/testing/kunit of the tree KDEVOPS_KERNEL_TREE names, or of a packaged source, unpacked once; else a skip."""
    if tree := os.environ.get("KDEVOPS_KERNEL_TREE"):
        return Path(tree) / KUNIT
    tarball = min(Path("/usr/src").glob("linux-source-*.tar.xz"), default=None)
    if tarball is None:
        pytest.skip("no kernel tree: set KDEVOPS_KERNEL_TREE, or install a linux-source package")
    directory = config.cache.mkdir(f"kunit-{tarball.stat().st_mtime_ns}")
    if not (directory / "complete").exists():
        _unpack(tarball, directory)
        (directory / "complete").touch()
    return Path(directory)


def _unpack(tarball: Path, directory: Path) -> None:
    found = False
    with tarfile.open(tarball) as archive:
        for member in archive:
            _, inside, name = member.name.partition(f"/{KUNIT}/")
            if member.isfile() and inside:
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                (directory / name).write_bytes(archive.extractfile(member).read())
                found = True
            elif found and not inside:
                break  # the archive is sorted: the rest need not be unpacked


class KernelParser:
    """kunit_parser.py of a kernel."""

    def __init__(self, directory: Path) -> None:
        sys.path.insert(0, str(directory))
        try:
            self._module: Any = importlib.import_module("kunit_parser")
        finally:
            sys.path.remove(str(directory))

    def statuses(self, text: str) -> list[Any]:
        """What it makes of a log: (name, status in lower case, the same of what is nested), in order."""
        return _shape(self._read(text).subtests)

    def status(self, text: str) -> str:
        """What it says of the whole log, in lower case."""
        return str(self._read(text).status.name.lower())

    def _read(self, text: str) -> Any:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self._module.stdout._output = said
            return self._module.parse_run_tests(text.splitlines())


def _shape(tests: list[Any]) -> list[Any]:
    return [(test.name, test.status.name.lower(), _shape(test.subtests)) for test in tests]
