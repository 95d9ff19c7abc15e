"""A box as Vagrant keeps it on this machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

_EXACT = re.compile(r"\s*=?\s*([0-9A-Za-z.-]+)\s*")
_SLASH = "-VAGRANTSLASH-"


def present(name: str, provider: str, version: str | None) -> bool:
    """Whether a box was added that `vagrant up` would take, so that it fetches none.

    Of a constraint such as ">= 12" only Vagrant knows which versions it means: any one will do here.
    """
    added = {found for found, _ in _places(name, provider)}
    exact = _EXACT.fullmatch(version or "")
    return exact[1] in added if exact else bool(added)


def volumes(name: str) -> dict[str, int]:
    """By its name in libvirt's pools, how many bytes each disk of a box has; of every version that was added.

    Names as in vagrant-libvirt's lib/vagrant-libvirt/action/handle_box_image.rb, get_volume_name.
    """
    found = {}
    for version, place in _places(name, "libvirt"):
        for disk, path in _disks(place):
            if path.is_file():
                status = path.stat()
                number = version if version != "0" else f"0_{int(status.st_mtime)}"
                title = f"{name.replace('/', _SLASH)}_vagrant_box_image_{number}_{disk.replace('/', '-SLASH-')}.img"
                found[title] = status.st_size
    return found


def _places(name: str, provider: str) -> Iterator[tuple[str, Path]]:
    """The versions of a box that were added, and where; newer Vagrants have a directory for the architecture between."""
    home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
    root = home / "boxes" / name.replace("/", _SLASH)
    for pattern in (f"*/{provider}/metadata.json", f"*/*/{provider}/metadata.json"):
        for metadata in sorted(root.glob(pattern)):
            yield metadata.relative_to(root).parts[0], metadata.parent


def _disks(place: Path) -> Iterator[tuple[str, Path]]:
    """The disks of a box of libvirt's by their names: box.img, or those that its description lists."""
    try:
        listed = json.loads((place / "metadata.json").read_bytes()).get("disks") or [{"path": "box.img"}]
        for disk in listed:
            yield disk.get("name") or os.path.splitext(disk["path"])[0], place / disk["path"]  # noqa: PTH122 - may have a slash
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return  # Vagrant says what is wrong with it
