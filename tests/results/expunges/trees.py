"""Trees of expunge lists for tests, written as upstream kdevops lays them out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FSTESTS = {
    "6.1.42/xfs/unassigned/xfs_crc.txt": (
        "# above\ngeneric/475 # F:1/11 https://bugs.example/1\ngeneric/475 # hangs sometimes\nxfs/168 # Hung:1/6\n"
    ),
    "6.1.42/xfs/unassigned/P0/all.txt": "xfs/001\n",
    "6.1.42/btrfs/assigned/btrfs_holes.txt": "",
    "any/large-disk.txt": "generic/500\n",
    "debian/12/ext4/unassigned/all.txt": "ext4/004 # crashes\n",
}
LINKS = {"6.1.72": "6.1.42", "6.1.72+": "6.1.72", "debian/testing/ext4": "../12/ext4"}
BLKTESTS = {"6.1.42/failures.txt": "block/011 # F:1/3\nnvmeof-mp/001\n", "any/failures.txt": "srp/001\n"}


def write(directory: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Path:
    """A tree of these files and links."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, target in (links or {}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return directory


def read(directory: Path) -> dict[str, str]:
    """All files and links below a directory, each link as what it says."""
    return {
        str(path.relative_to(directory)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(directory.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
