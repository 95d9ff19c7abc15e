"""Build our own image: Debian from mmdebstrap with our init, without anything that slows an emulated guest."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdevops.errors import CommandError, InfrastructureError, UserError
from kdevops.files import write_atomic
from kdevops.images.base import INIT, MARK, STEP, BaseImage
from kdevops.images.bootstrap import bootstrap, complaint
from kdevops.images.disk import make_disk, partuuid
from kdevops.images.needs import GuestNeeds
from kdevops.images.overlay import own_files
from kdevops.images.store import making, publish
from kdevops.lab.model import Image
from kdevops.progress import Progress, Report

_PACKAGES = (
    "bash", "busybox-static", "e2fsprogs", "iproute2", "kmod", "openssh-server", "procps", "util-linux",
    "python3", "python3-apt",  # Ansible's modules need the whole standard library, and apt's bindings
)  # fmt: skip
_SYSTEMD = ("dbus", "systemd", "systemd-sysv", "udev")
LEFT_OUT = ("doc", "info", "lintian", "locale", "man")
"""Directories below /usr/share that tests do not need."""
# Some distributions' useradd refuses a name like 123456-fsgqa without --badname.
USERADD = ("useradd", "--badname", "--create-home", "--user-group", "--shell", "/bin/bash", "--")
# mmdebstrap's messages and the progress they stand for (measured on two machines).
_STAGES = {
    "apt-get update": 0.02, "downloading packages": 0.2, "extracting archives": 0.4, "installing essential": 0.45,
    "installing remaining": 0.55, "cleaning package lists": 0.85, "creating tarball": 0.9,
}  # fmt: skip
_UNKNOWN = "E: Unable to locate package "
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+~:-]+)?")


async def debian_image(image: Image, needs: GuestNeeds, *, cache: Path, report: Report) -> BaseImage:
    """The image of this recipe with everything that suites need, from the cache or built.

    Raises UserError for packages or a suite that the mirror lacks, InfrastructureError for all else.
    """
    check_packages(image)
    key = recipe_key(image, needs)
    store = cache / "images"
    made = _load(image, store, key)
    if not made:
        async with making(store, key, report) as work:
            made = _load(image, store, key)
            if not made:
                await _make(image, needs, key, work, store, report)
                made = _load(image, store, key)
    assert made
    report(Progress(STEP, f"{image.suite}, {len(made.record['packages'])} packages", fraction=1.0, done=True))
    return made


def check_packages(image: Image) -> None:
    """Raise UserError for an invalid package name, which apt would take for an option or a pattern."""
    for name in image.packages:
        if not _PACKAGE.fullmatch(name):
            raise UserError(f"image.packages: {name!r} is not a Debian package name")


def recipe_key(image: Image, needs: GuestNeeds) -> str:
    """A hash of everything that affects the image's content, without the host's mirror."""
    own = hashlib.sha256(own_files(systemd=image.init == "systemd")).hexdigest()
    packages = image_packages(image, needs, systemd=image.init == "systemd")
    recipe: list[object] = [
        platform.machine(),
        image.suite,
        image.mirror,
        packages,
        image.size,
        image.init,
        own,
        LEFT_OUT,
    ]
    if needs.users:
        recipe += [needs.users, USERADD]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:32]


def image_packages(image: Image, needs: GuestNeeds, *, systemd: bool) -> list[str]:
    """All packages to install: ours, the lab's, and those its suites need."""
    return sorted({*_PACKAGES, *(_SYSTEMD if systemd else ()), *image.packages, *needs.packages})


def _load(image: Image, store: Path, key: str) -> BaseImage | None:
    path, record = store / f"{key}.raw", store / f"{key}.json"
    if not path.is_file() or not record.is_file():
        return None
    init = INIT if image.init == "kdevops" else None
    return BaseImage(path, key, "raw", partuuid(signature_of(key)), init, json.loads(record.read_text()))


def signature_of(key: str) -> int:
    """The disk signature for a recipe with this hash."""
    # 0 means "none".
    return int(key[:8], 16) or 1


async def _make(image: Image, needs: GuestNeeds, key: str, work: Path, store: Path, report: Report) -> None:
    log = store / f"{key}.log"
    log.unlink(missing_ok=True)
    root = work / "root.tar"
    packages = image_packages(image, needs, systemd=image.init == "systemd")
    await unpack_debian(image, needs, packages, root, log=log, report=report)
    report(Progress(STEP, "making the disk", fraction=0.92))
    own = work / "own.tar"
    own.write_bytes(own_files(systemd=image.init == "systemd"))
    disk = work / f"{key}.raw"
    mark = f"{MARK}{image.init}\n".encode()
    await make_disk(disk, [root, own], size=image.size, signature=signature_of(key), mark=mark, log=log)
    record = {"kind": "debian", "suite": image.suite, "init": image.init, "key": key, **contents(root, work / "tree")}
    write_atomic(work / f"{key}.json", json.dumps(record, indent=1))
    shutil.copyfile(work / "tree/usr/bin/busybox", work / f"{key}.busybox")
    publish(work, store, [f"{key}.busybox", f"{key}.json", f"{key}.raw"])


def contents(archive: Path, tree: Path) -> dict[str, Any]:
    """Record of an image's files: the hash of their archive, and the installed packages.

    The same recipe gives different contents as Debian changes.
    """
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    status = (tree / "var/lib/dpkg/status").read_text(errors="replace")
    return {"sha256": digest, "packages": installed_packages(status)}


async def unpack_debian(
    image: Image,
    needs: GuestNeeds,
    packages: Sequence[str],
    target: Path,
    *,
    options: Sequence[str] = (),
    hooks: Sequence[str] = (),
    log: Path,
    report: Report,
) -> None:
    """Write a tree of `image.suite` with these packages and the users of `needs` to the tar archive `target`.

    `options` and `hooks` are passed to `bootstrap`; hooks run before the users are created. Raises UserError and
    InfrastructureError.
    """

    def watch(line: str) -> None:
        for words, fraction in _STAGES.items():
            if line.startswith("I: ") and words in line:
                report(Progress(STEP, line.removeprefix("I: ").rstrip(".").strip(), fraction))

    report(Progress(STEP, f"making Debian {image.suite}", fraction=0.0))
    try:
        await bootstrap(
            image.suite,
            image.mirror,
            packages,
            target,
            options=[*(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT), *options],
            hooks=[
                # Shared host keys are useless: every guest gets its own from its seed.
                'rm -f "$1"/etc/ssh/ssh_host_*',
                *hooks,  # before the users, because a hook may need fixed user ids
                *(f'chroot "$1" {shlex.join([*USERADD, name])}' for name in needs.users),
            ],
            work=target.parent,
            on_line=watch,
            log=log,
        )
    except CommandError as error:
        raise _explained(error, image, needs, packages, log) from error


def _explained(
    error: CommandError, image: Image, needs: GuestNeeds, packages: Sequence[str], log: Path
) -> UserError | InfrastructureError:
    lines = [line.strip() for line in error.output.splitlines()]
    unknown = sorted(line.removeprefix(_UNKNOWN) for line in lines if line.startswith(_UNKNOWN))
    if unknown and unknown[0] in needs.packages:
        return InfrastructureError(
            f"the suites of this lab need the package {unknown[0]}, which Debian {image.suite} lacks",
            hint="choose another image.suite, or set image.mirror to a mirror that has it",
            log=log,
        )
    if unknown and unknown[0] in packages and unknown[0] not in image.packages:
        return InfrastructureError(
            f"a guest needs the package {unknown[0]}, which Debian {image.suite} lacks",
            hint="choose another image.suite, or set image.mirror to a mirror that has it",
            log=log,
        )
    if unknown:
        return UserError(
            f"image.packages: Debian {image.suite} has no package {unknown[0]}",
            hint="check the name in image.packages",
            log=log,
        )
    if any("does not have a Release file" in line for line in lines):
        return UserError(
            f"the mirror has no Debian {image.suite}",
            hint="check image.suite and image.mirror in the lab file",
            log=log,
        )
    return InfrastructureError(f"cannot make the guest image: {complaint(error)}", hint=error.hint, log=log)


def installed_packages(status: str) -> dict[str, str]:
    """Versions by package, from dpkg's status file (deb822 paragraphs)."""
    versions: dict[str, str] = {}
    name = ""
    for line in status.splitlines():
        field, _, value = line.partition(": ")
        if field == "Package":
            name = value
        elif field == "Version" and name:
            versions[name] = value
    return dict(sorted(versions.items()))
