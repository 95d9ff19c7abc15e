"""Where fstests is built: its programs must start in the guest, whose libraries may differ from this machine's."""

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
    """A place to build. The same source built in places with the same `key` gives the same result."""

    @property
    def name(self) -> str:
        """Its name in messages, as in "built on this machine"."""

    @property
    def key(self) -> str:
        """Identifies the compiler and the libraries."""

    @property
    def fits(self) -> bool:
        """Whether it has the guests' own libraries, so that programs are certain to start there."""

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
    """A temporary tree of the guests' Debian release; needs neither root nor a guest."""

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
        """Identifies the release: updates change its content, but programs still fit its guests."""
        return digest_of(["debian", self.suite, self.mirror, self.packages, platform.machine()])

    async def make(self, tree: Path, *, log: Path, on_line: Callable[[str], None]) -> None:
        """Run make in `tree`. Raises CommandError, or InfrastructureError for a full disk or lack of permission."""
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
            # With tar, because tarfile's filters need Python 3.11.4; both prevent writing outside of `out`.
            await run(["tar", "--extract", f"--file={built}", "--no-same-owner", f"--directory={out}"], timeout=600)
            Path(out, "build").rename(tree)
        built.unlink()


async def choose(image: Image) -> BuildRoot:
    """Where to build programs for guests of this image.

    On this machine if it has the guests' release and all that is needed, or if the guests' system is unknown; else in a
    tree of the guests' release. Raises InfrastructureError naming what is missing if only this machine would do.
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
            f"missing on this machine, but needed to build fstests: {', '.join(absent)}",
            hint=f"install them: {installation(packages)} (or: kdevops doctor --fstests --install)"
            if packages
            else None,
        )
    return Here(await _key(needs), fits=ours)


async def missing(needs: BuildNeeds) -> dict[str, str]:
    """The commands and headers that this machine lacks, with their packages."""
    absent = {name: package for name, package in needs.commands.items() if not shutil.which(name)}
    if "gcc" in absent or (await _preprocessed(needs.headers)) is not None:
        return absent
    lacking = [header for header in needs.headers if await _preprocessed([header]) is None]
    return absent | {header: needs.headers[header] for header in lacking}


async def _preprocessed(headers: Iterable[str]) -> str | None:
    """The preprocessed content of these headers, None if one is missing."""
    text = "".join(f"#include <{header}>\n" for header in headers).encode()
    done = await run(["gcc", "-xc", "-E", "-P", "-"], stdin=text, check=False, timeout=_PROBE_TIMEOUT)
    return done.stdout if done.returncode == 0 else None


async def _key(needs: BuildNeeds) -> str:
    """Differs with compiler, C library and the libraries' interfaces."""
    compiler = await run(["gcc", "--version"], timeout=_PROBE_TIMEOUT)
    library = " ".join(platform.libc_ver())
    return digest_of([compiler.stdout.partition("\n")[0], library, await _preprocessed(needs.headers)])


def _release() -> str:
    """The Debian release of this machine ("bookworm"); "" for other systems."""
    try:
        fields = platform.freedesktop_os_release()
    except OSError:
        return ""
    return fields.get("VERSION_CODENAME", "") if fields.get("ID") == "debian" else ""


def _jobs() -> str:
    return f"-j{len(os.sched_getaffinity(0))}"
