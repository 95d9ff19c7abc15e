"""A built kernel: its files and how it was built. Its directory is published atomically."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdevops.errors import InfrastructureError
from kdevops.files import write_atomic

_FILE = "artifact.json"
_INSIDE = ("image", "config", "vmlinux", "modules")
_OUTSIDE = ("source", "build_directory")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One built kernel.

    `image` is what a boot loader or QEMU takes; `build_id` (hex) equals that in /sys/kernel/notes once it runs; `modules` is
    a tar of lib/modules/<release> with modules.dep, None when nothing is built as a module. `source` and `build_directory`
    belong to the build, not to the artifact: a later build of a changed source reuses them. `record` is what a rerun
    needs: source, toolchain, patches, warnings, seconds.
    """

    key: str
    directory: Path
    image: Path
    release: str
    build_id: str | None
    config: Path | None = None
    vmlinux: Path | None = None
    modules: Path | None = None
    source: Path | None = None
    build_directory: Path | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The artifact as a JSON object; paths inside its directory are relative to it."""
        data = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        for name in _INSIDE:
            data[name] = data[name] and _below(data[name], self.directory)
        return json.dumps(data, indent=2, sort_keys=True, default=str)

    def save(self, folder: Path | None = None) -> None:
        """Write artifact.json into `folder`, where the artifact is being built; default: its own directory."""
        write_atomic((folder or self.directory) / _FILE, self.to_json() + "\n")

    @classmethod
    def load(cls, directory: Path) -> Artifact | None:
        """The artifact in `directory`, None when there is none. Raises InfrastructureError when it is damaged."""
        path = directory / _FILE
        if not path.is_file():
            return None
        try:
            data = json.loads(path.read_text())
            for name in _INSIDE:
                data[name] = data[name] and directory / data[name]
            for name in _OUTSIDE:
                data[name] = data[name] and Path(data[name])
            found = cls(**{**data, "directory": directory})
        except (ValueError, TypeError, KeyError) as error:
            raise InfrastructureError(
                f"{path} is damaged: {error}", hint=f"remove {directory} to build the kernel again"
            ) from error
        if not found.image.is_file():
            raise InfrastructureError(f"{found.image} is gone", hint=f"remove {directory} to build the kernel again")
        return found


def artifacts(cache: Path) -> list[Artifact]:
    """Every complete kernel in the cache, newest first."""
    notes = sorted((cache / "kernels").glob(f"[!.]*/{_FILE}"), key=lambda note: note.stat().st_mtime, reverse=True)
    found = []
    for note in notes:
        with contextlib.suppress(InfrastructureError):  # a damaged one is reported when it is used
            found.append(Artifact.load(note.parent))
    return [one for one in found if one]


def _below(path: Path, directory: Path) -> str:
    """`path` relative to `directory` when inside it (the artifact may be moved), else absolute."""
    return str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path.absolute())
