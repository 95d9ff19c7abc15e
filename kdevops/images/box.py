"""Build Vagrant boxes from the same recipe as the embedded provider's images."""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from kdevops.errors import UserError
from kdevops.files import write_atomic
from kdevops.images.base import STEP
from kdevops.images.box_disk import make_bootable_disk
from kdevops.images.box_pack import convert, templates, write_box
from kdevops.images.box_tree import BoxProvider, box_packages, early_files, finish_hook, late_files
from kdevops.images.debian import LEFT_OUT, USERADD, check_packages, contents, signature_of, unpack_debian
from kdevops.images.disk import partuuid
from kdevops.images.needs import GuestNeeds
from kdevops.images.store import making, publish
from kdevops.lab.model import Image
from kdevops.progress import Progress, Report, silent

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Box:
    """A box file in the cache. `key` is the hash of its recipe, `name` its name in Vagrant.

    `record` is stored with a run, as JSON values; its `root` is the kernel parameter of this name.
    """

    path: Path
    key: str
    name: str
    provider: BoxProvider
    record: Mapping[str, Any]


async def ensure_box(
    image: Image, needs: GuestNeeds, provider: BoxProvider, *, cache: Path, report: Report = silent
) -> Box:
    """The box of this recipe for a Vagrant provider, from `cache`/boxes or built there.

    Raises UserError for a ready image or packages that the mirror lacks, InfrastructureError for all else.
    """
    _check_image(image)
    check_packages(image)
    key = recipe_key(image, needs, provider)
    store = cache / "boxes"
    made = _load(image, provider, store, key)
    if not made:
        async with making(store, key, report) as work:
            made = _load(image, provider, store, key)
            if not made:
                await _make(image, needs, provider, key, work, store, report)
                made = _load(image, provider, store, key)
    assert made
    report(Progress(STEP, f"{made.name} for {provider}", fraction=1.0, done=True))
    return made


def recipe_key(image: Image, needs: GuestNeeds, provider: BoxProvider) -> str:
    """A hash of everything that affects the box's content, without the host's mirror."""
    own = hashlib.sha256()
    for part in (early_files(""), late_files(), finish_hook("", "").encode(), templates(provider)):
        own.update(hashlib.sha256(part).digest())
    packages = box_packages(image, needs, provider)
    recipe = [
        provider, image.suite, image.mirror, packages, needs.users, USERADD, _size(image), own.hexdigest(), LEFT_OUT,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:32]


def _check_image(image: Image) -> None:
    """Raise UserError for an image, or a machine, that no box can be built from."""
    brought = image.path or image.url
    if brought:
        raise UserError(
            f"cannot make a Vagrant box from {brought}: boxes are built from packages, not from a ready image",
            hint="remove path and url from guests.image, or set provider.box",
        )
    if platform.machine() != "x86_64":
        raise UserError(
            f"our Vagrant boxes are for x86-64, but this machine is {platform.machine()}",
            hint="set provider.box to a box for this machine",
        )


def _load(image: Image, provider: BoxProvider, store: Path, key: str) -> Box | None:
    path, record = _path(store, key, provider), store / f"{key}.json"
    if not path.is_file() or not record.is_file():
        return None
    return Box(path, key, _name(image, key), provider, json.loads(record.read_text()))


def _path(store: Path, key: str, provider: BoxProvider) -> Path:
    return store / f"{key}-{provider}.box"


def _name(image: Image, key: str) -> str:
    return f"kdevops/{image.suite}-{key[:12]}"


def _size(image: Image) -> int:
    """Bytes of the disk, rounded up to whole GiB for vagrant-libvirt."""
    return -(-image.size // _GIB) * _GIB


async def _make(
    image: Image, needs: GuestNeeds, provider: BoxProvider, key: str, work: Path, store: Path, report: Report
) -> None:
    log = store / f"{key}.log"
    log.unlink(missing_ok=True)
    signature, uuid = signature_of(key), UUID(key)
    root = partuuid(signature)
    early, late, tree, disk = (work / name for name in ("early.tar", "late.tar", "root.tar", "disk.raw"))
    early.write_bytes(early_files(root.removeprefix("PARTUUID=")))
    late.write_bytes(late_files())
    await unpack_debian(
        image,
        needs,
        box_packages(image, needs, provider),
        tree,
        options=[f"--essential-hook=tar-in {shlex.quote(str(early))} /"],
        hooks=[finish_hook(str(uuid), root.removeprefix("PARTUUID="))],
        log=log,
        report=report,
    )
    report(Progress(STEP, "making the disk", fraction=0.92))
    await make_bootable_disk(disk, [tree, late], size=_size(image), signature=signature, uuid=uuid, log=log)
    report(Progress(STEP, "packing the box", fraction=0.95))
    packed = await convert(disk, provider, log)
    box = _path(work, key, provider)
    write_box(box, provider, packed, name=_name(image, key), key=key, size=_size(image))
    record = {
        "kind": "box", "suite": image.suite, "provider": provider, "key": key, "root": root,
        **contents(tree, work / "tree"),
    }  # fmt: skip
    write_atomic(work / f"{key}.json", json.dumps(record, indent=1))
    publish(work, store, [f"{key}.json", box.name])
