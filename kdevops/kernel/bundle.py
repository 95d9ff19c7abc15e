"""The builder as one file for any Python 3.11: `python3 kdevops-kernel.pyz build --spec FILE --cache DIR`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from kdevops.files import write_atomic

_BELOW = (
    "__init__.py",
    "clock.py",
    "distribution.py",
    "download.py",
    "errors.py",
    "files.py",
    "git.py",
    "guard.py",
    "lines.py",
    "paths.py",
    "process.py",
    "progress.py",
    "sources.py",
)
_START = "import sys\n\nfrom kdevops.kernel.__main__ import main\n\nsys.exit(main())\n"
_SHEBANG = b"#!/usr/bin/env python3\n"


def write_bundle(path: Path) -> None:
    """Write the executable zipapp, byte for byte the same for the same code."""
    package = files("kdevops")
    members = {"__main__.py": _START.encode()}
    members |= {f"kdevops/{name}": package.joinpath(name).read_bytes() for name in _BELOW}
    members |= dict(_members(package.joinpath("kernel"), "kdevops/kernel"))
    buffer = io.BytesIO()
    buffer.write(_SHEBANG)
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(members.items()):
            archive.writestr(
                zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED
            )  # ZipInfo's default date is 1980, always
    write_atomic(path, buffer.getvalue(), mode=0o755)


def _members(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _members(entry, f"{name}/{entry.name}")
        elif entry.name.endswith((".py", ".config")):
            yield f"{name}/{entry.name}", entry.read_bytes()
