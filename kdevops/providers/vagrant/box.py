"""Boxes in Vagrant's directory on this machine."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

_EXACT = re.compile(r"\s*=?\s*([0-9A-Za-z.-]+)\s*")
_SLASH = "-VAGRANTSLASH-"


def present(name: str, provider: str, version: str | None) -> bool:
    """Whether a box exists that `vagrant up` would use, so that it downloads none.

    Only Vagrant can evaluate a constraint such as ">= 12": any version counts then.
    """
    added = {found for found, _ in _places(name, provider)}
    exact = _EXACT.fullmatch(version or "")
    return exact[1] in added if exact else bool(added)


def volumes(name: str) -> dict[str, int]:
    """Bytes of each disk of a box, by its name in libvirt's pools, for every installed version.

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
    """The installed versions of a box and their directories; newer Vagrants add a level for the architecture."""
    home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
    root = home / "boxes" / name.replace("/", _SLASH)
    for pattern in (f"*/{provider}/metadata.json", f"*/*/{provider}/metadata.json"):
        for metadata in sorted(root.glob(pattern)):
            yield metadata.relative_to(root).parts[0], metadata.parent


def _disks(place: Path) -> Iterator[tuple[str, Path]]:
    """The disks of a libvirt box by name: box.img, or those in its metadata."""
    try:
        listed = json.loads((place / "metadata.json").read_bytes()).get("disks") or [{"path": "box.img"}]
        for disk in listed:
            yield disk.get("name") or os.path.splitext(disk["path"])[0], place / disk["path"]  # noqa: PTH122 - may have a slash
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return  # Vagrant will report what is wrong
