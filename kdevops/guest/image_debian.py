"""The image that we make: Debian by mmdebstrap, our init, and nothing that costs an emulated guest time."""

from __future__ import annotations

import getpass
import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdevops.errors import CommandError, InfrastructureError, UserError
from kdevops.guest.image_base import STEP, BaseImage
from kdevops.guest.image_disk import full, make_disk, partuuid, tool_path
from kdevops.guest.image_mirror import host_sources
from kdevops.guest.image_store import making, publish
from kdevops.lab.model import Image
from kdevops.paths import write_atomic
from kdevops.process import install_hint, run
from kdevops.progress import Progress, Report

DATA = Path(__file__).parent / "data"
INIT = "/sbin/kdevops-init"
MARK = "kdevops image, init: "
_PACKAGES = (
    "bash", "busybox-static", "e2fsprogs", "iproute2", "kmod", "openssh-server", "procps", "util-linux",
    "python3", "python3-apt",  # Ansible's modules need the whole standard library, and apt's bindings
)  # fmt: skip
_SYSTEMD = ("dbus", "systemd", "systemd-sysv", "udev")
_LEFT_OUT = ("doc", "info", "lintian", "locale", "man")
"""Directories below /usr/share that no test reads."""
_TIMEOUT = 3600.0
# What mmdebstrap says while it works, and how far it is then (measured on two machines).
_STAGES = {
    "apt-get update": 0.02, "downloading packages": 0.2, "extracting archives": 0.4, "installing essential": 0.45,
    "installing remaining": 0.55, "cleaning package lists": 0.85, "creating tarball": 0.9,
}  # fmt: skip
# Where our files go; "data" names are files of ours, "->" is a symbolic link.
_FILES = {
    "usr/sbin/kdevops-init": "init",
    "usr/lib/kdevops/seed.sh": "seed.sh",
    "usr/lib/kdevops/seed-unit": "seed-unit",
    "usr/lib/kdevops/power": "power",
    "etc/ssh/sshd_config.d/kdevops.conf": "sshd.conf",
}
_EXECUTABLE = {"init", "power", "seed-unit"}
_POWER = ("halt", "poweroff", "reboot", "shutdown")
# Work at times of its own is noise in a test; a login prompt is noise on the console.
_MASKED = (
    "apt-daily-upgrade.timer", "apt-daily.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty@tty1.service", "serial-getty@.service", "systemd-timesyncd.service",
)  # fmt: skip


async def debian_image(image: Image, *, cache: Path, report: Report) -> BaseImage:
    """Make the image of this recipe, or take it from the cache.

    Raises UserError for packages or a suite that the mirror does not have, InfrastructureError for all else.
    """
    key = recipe_key(image)
    store = cache / "images"
    made = _load(image, store, key)
    if not made:
        async with making(store, key, report) as work:
            made = _load(image, store, key)
            if not made:
                await _make(image, key, work, store, report)
                made = _load(image, store, key)
    assert made
    report(Progress(STEP, f"{image.suite}, {made.record['packages_count']} packages", fraction=1.0, done=True))
    return made


def recipe_key(image: Image) -> str:
    """A hash of everything that decides what is in the image; the host's mirror does not."""
    own = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(DATA.iterdir()) if path.is_file()}
    recipe = [
        platform.machine(), image.suite, image.mirror, sorted(_packages(image)), image.size, image.init, own, _LEFT_OUT, _MASKED,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:32]


def _packages(image: Image) -> set[str]:
    return {*_PACKAGES, *(_SYSTEMD if image.init == "systemd" else ()), *image.packages}


def _load(image: Image, store: Path, key: str) -> BaseImage | None:
    path, record = store / f"{key}.raw", store / f"{key}.json"
    if not path.is_file() or not record.is_file():
        return None
    init = INIT if image.init == "kdevops" else None
    return BaseImage(path, key, "raw", partuuid(_signature(key)), init, json.loads(record.read_text()))


def _signature(key: str) -> int:
    # 0 means "none".
    return int(key[:8], 16) or 1


async def _make(image: Image, key: str, work: Path, store: Path, report: Report) -> None:
    log = store / f"{key}.log"
    log.unlink(missing_ok=True)
    root = work / "root.tar"
    await _bootstrap(image, root, log, report)
    report(Progress(STEP, "making the disk", fraction=0.92))
    own = work / "own.tar"
    write_own_files(own, systemd=image.init == "systemd")
    disk = work / f"{key}.raw"
    mark = f"{MARK}{image.init}\n".encode()
    await make_disk(disk, [root, own], size=image.size, signature=_signature(key), mark=mark, log=log)
    packages = installed_packages(work / "tree/var/lib/dpkg/status")
    record = {
        "kind": "debian", "suite": image.suite, "init": image.init, "key": key, "packages_count": len(packages), "packages": packages,
    }  # fmt: skip
    write_atomic(work / f"{key}.json", json.dumps(record, indent=1))
    shutil.copyfile(work / "tree/usr/bin/busybox", work / f"{key}.busybox")
    publish(work, store, [f"{key}.busybox", f"{key}.json", f"{key}.raw"])


async def _bootstrap(image: Image, target: Path, log: Path, report: Report) -> None:
    mode = await _mode()
    sources = [image.mirror] if image.mirror else host_sources(image.suite)
    options = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    argv = [
        "mmdebstrap", "--variant=minbase", f"--mode={mode}", "--format=tar", f"--include={','.join(sorted(_packages(image)))}",
        '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', "--aptopt=Acquire::Retries 3",
        *options, "--dpkgopt=force-unsafe-io",
        # Keys that everybody has are no keys: every guest gets its own from its seed.
        '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*',
        image.suite, os.fspath(target), *sources,
    ]  # fmt: skip
    # A user namespace may not enter our private directories; as root, what a killed mmdebstrap leaves is swept with ours.
    place = {"TMPDIR": str(target.parent)} if os.geteuid() == 0 else {}
    target.parent.chmod(0o755)

    def watch(line: str) -> None:
        for words, fraction in _STAGES.items():
            if line.startswith("I: ") and words in line:
                report(Progress(STEP, line.removeprefix("I: ").rstrip(".").strip(), fraction))

    report(Progress(STEP, f"making Debian {image.suite}", fraction=0.0))
    try:
        await run(argv, env={"LC_ALL": "C.UTF-8", "PATH": tool_path(), **place}, timeout=_TIMEOUT, on_line=watch, log_to=log)
    except CommandError as error:
        raise _explained(error, image, target.parent, log) from error


async def _mode() -> str:
    """How mmdebstrap shall become root: by namespaces where they may be had, else as the root that we are."""
    if os.geteuid() == 0:
        done = await run(["unshare", "--mount", "--pid", "--fork", "true"], timeout=30, check=False)
        return "unshare" if done.returncode == 0 else "root"
    if not shutil.which("newuidmap", path=tool_path()):
        raise InfrastructureError("an image cannot be made without root: newuidmap is not installed", hint=install_hint("newuidmap"))
    user = getpass.getuser()
    for table in (Path("/etc/subuid"), Path("/etc/subgid")):
        names = {line.partition(":")[0] for line in table.read_text().splitlines()} if table.is_file() else set()
        if not {user, str(os.getuid())} & names:
            raise InfrastructureError(
                f"an image cannot be made without root: {table} gives {user} no range of ids",
                hint=f"run as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}",
            )
    done = await run(["unshare", "--user", "true"], timeout=30, check=False)
    if done.returncode != 0:
        raise InfrastructureError(
            "an image cannot be made without root: this machine does not let users make user namespaces",
            hint="run as root: sysctl kernel.unprivileged_userns_clone=1 (Debian) or "
            "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), or make the image as root",
        )
    return "unshare"


def _explained(error: CommandError, image: Image, where: Path, log: Path) -> UserError | InfrastructureError:
    lines = [line.strip() for line in error.output.splitlines()]
    if "No space left on device" in error.output or "enough free space" in error.output:
        return full(where, log)
    unknown = sorted(line.removeprefix("E: ") for line in lines if line.startswith("E: Unable to locate package"))
    if unknown:
        return UserError(f"image.packages: {unknown[0]} in Debian {image.suite}", hint="check the name at image.packages", log=log)
    if any("does not have a Release file" in line for line in lines):
        return UserError(
            f"the mirror has no Debian {image.suite}", hint="check image.suite and image.mirror in the lab file", log=log
        )
    # mmdebstrap's own last line only says that apt failed.
    said = next((line for line in lines if line.startswith("E: ") and not line.startswith("E: apt-get")), "")
    return InfrastructureError(f"the guest image could not be made: {said.removeprefix('E: ') or error.message}", hint=error.hint, log=log)


def write_own_files(path: Path, *, systemd: bool) -> None:
    """The tar of what we add to Debian."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, source in _FILES.items():
            _add(archive, name, (DATA / source).read_bytes(), 0o755 if source in _EXECUTABLE else 0o644)
        if not systemd:
            for name in _POWER:
                _link(archive, f"usr/sbin/{name}", "../lib/kdevops/power")
            return
        unit = "kdevops-seed.service"
        _add(archive, f"usr/lib/systemd/system/{unit}", (DATA / unit).read_bytes(), 0o644)
        _link(archive, f"etc/systemd/system/sysinit.target.wants/{unit}", f"/usr/lib/systemd/system/{unit}")
        # Interfaces keep the kernel's names: a rename would race with the seed's network.
        _link(archive, "etc/systemd/network/99-default.link", "/dev/null")
        for name in _MASKED:
            _link(archive, f"etc/systemd/system/{name}", "/dev/null")


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
    archive.addfile(entry)


def installed_packages(status: Path) -> Mapping[str, Any]:
    """Versions by package, from dpkg's status file (deb822 paragraphs)."""
    versions: dict[str, str] = {}
    name = ""
    for line in status.read_text(errors="replace").splitlines():
        field, _, value = line.partition(": ")
        if field == "Package":
            name = value
        elif field == "Version" and name:
            versions[name] = value
    return dict(sorted(versions.items()))
