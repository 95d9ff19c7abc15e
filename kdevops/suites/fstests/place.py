"""Where fstests is built: its programs must start in the guest, whose libraries are not always this machine's."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import tempfile
from asyncio import to_thread
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kdevops.distribution import distribution_family, installation
from kdevops.errors import InfrastructureError
from kdevops.files import digest_of
from kdevops.images.bootstrap import bootstrap
from kdevops.lab.model import Image
from kdevops.process import run
from kdevops.suites.fstests.needs import BuildNeeds, build_needs
from kdevops.suites.shared.make import ENVIRONMENT
from kdevops.suites.shared.pack import pack

_MAKE_TIMEOUT = 1800.0
_PROBE_TIMEOUT = 60.0


class BuildRoot(Protocol):
    """Somewhere to build. What is built of the same source in places of the same `key` is the same."""

    @property
    def name(self) -> str:
        """Where it is, as in "built on this machine"."""

    @property
    def key(self) -> str:
        """Of the compiler and the libraries."""

    @property
    def fits(self) -> bool:
        """Whether it has the guests' own libraries, so that programs start there for certain."""

    async def make(self, tree: Path, *, log: Path, on_line: Callable[[str], None]) -> None:
        """Run make in `tree`. Raises CommandError."""


@dataclass(frozen=True, slots=True)
class Here:
    """This machine."""

    key: str
    fits: bool = False
    name: str = "on this machine"

    async def make(self, tree: Path, *, log: Path, on_line: Callable[[str], None]) -> None:
        """Run make in `tree`. Raises CommandError."""
        await run(["make", _jobs()], cwd=tree, env=ENVIRONMENT, timeout=_MAKE_TIMEOUT, on_line=on_line, log_to=log)


@dataclass(frozen=True, slots=True)
class InDebian:
    """A tree of the guests' own Debian, made for the purpose and dropped afterwards: neither root nor a guest is needed."""

    suite: str
    mirror: str | None
    packages: tuple[str, ...]
    fits: bool = True

    @property
    def name(self) -> str:
        """The release."""
        return f"in a tree of Debian {self.suite}"

    @property
    def key(self) -> str:
        """Of the release: what it has changes with its updates, but fits its guests all the same."""
        return digest_of(["debian", self.suite, self.mirror, self.packages, platform.machine()])

    async def make(self, tree: Path, *, log: Path, on_line: Callable[[str], None]) -> None:
        """Run make in `tree`. Raises CommandError, InfrastructureError when the disk is full or this user may not."""
        source, built = tree.with_name("source.tar"), tree.with_name("built.tar")
        await to_thread(pack, tree, source)
        variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        hooks = [
            'mkdir "$1"/build',
            f"tar-in {shlex.quote(str(source))} /build",
            f'chroot "$1" {shlex.join(["env", *variables, "make", "-C", "/build", _jobs()])}',
            f"tar-out /build {shlex.quote(str(built))}",
        ]
        await bootstrap(
            self.suite, self.mirror, self.packages, None, hooks=hooks, work=tree.parent, on_line=on_line, log=log
        )
        source.unlink()
        await to_thread(shutil.rmtree, tree)
        with tempfile.TemporaryDirectory(dir=tree.parent) as out:
            # By tar, for tarfile's filters came with Python 3.11.4 only; out of `out` neither lets anything.
            await run(["tar", "--extract", f"--file={built}", "--no-same-owner", f"--directory={out}"], timeout=600)
            Path(out, "build").rename(tree)
        built.unlink()


async def choose(image: Image) -> BuildRoot:
    """Where programs for guests of this image are built.

    This machine where it has the guests' release and all it takes, and where nothing is known of the guests; else a tree
    of the guests' release. Raises InfrastructureError naming what is missing when only this machine could do it.
    """
    family = distribution_family()
    needs = build_needs(family)
    absent = await missing(needs)
    ours = not (image.path or image.url)
    if ours and (absent or image.suite != _release()):
        return InDebian(image.suite, image.mirror, build_needs("debian").packages)
    if absent:
        packages = sorted(set(absent.values()) - {""})
        raise InfrastructureError(
            f"needed to build fstests and not installed: {', '.join(absent)}",
            hint=f"install them: {installation(packages)} (or: kdevops doctor --fstests --install)"
            if packages
            else None,
        )
    return Here(await _key(needs), fits=ours)


async def missing(needs: BuildNeeds) -> dict[str, str]:
    """Those commands and headers that this machine lacks, with their packages."""
    absent = {name: package for name, package in needs.commands.items() if not shutil.which(name)}
    if "gcc" in absent or (await _preprocessed(needs.headers)) is not None:
        return absent
    lacking = [header for header in needs.headers if await _preprocessed([header]) is None]
    return absent | {header: needs.headers[header] for header in lacking}


async def _preprocessed(headers: Iterable[str]) -> str | None:
    """What the compiler reads of these headers, None when one is missing."""
    text = "".join(f"#include <{header}>\n" for header in headers).encode()
    done = await run(["gcc", "-xc", "-E", "-P", "-"], stdin=text, check=False, timeout=_PROBE_TIMEOUT)
    return done.stdout if done.returncode == 0 else None


async def _key(needs: BuildNeeds) -> str:
    """Differs with compiler, C library and the libraries' interfaces."""
    compiler = await run(["gcc", "--version"], timeout=_PROBE_TIMEOUT)
    library = " ".join(platform.libc_ver())
    return digest_of([compiler.stdout.partition("\n")[0], library, await _preprocessed(needs.headers)])


def _release() -> str:
    """The Debian release of this machine ("bookworm"); "" on anything else."""
    try:
        fields = platform.freedesktop_os_release()
    except OSError:
        return ""
    return fields.get("VERSION_CODENAME", "") if fields.get("ID") == "debian" else ""


def _jobs() -> str:
    return f"-j{len(os.sched_getaffinity(0))}"
