"""Debian's packaged kernel source, `linux-source-X.Y`: installed, or fetched with apt as an ordinary user."""

from __future__ import annotations

import difflib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError, UserError
from kdevops.kernel.files import digest_of, locked, published, remembered_sha256
from kdevops.kernel.tree import Identity
from kdevops.kernel.unpack import unpack
from kdevops.process import run
from kdevops.progress import Progress, Report

INSTALLED = Path("/usr/src")
"""Where the package puts its tarball."""
_NAME = re.compile(r"linux-source-\d+(\.\d+)+")
_STEP = "kernel source"


@dataclass(frozen=True, slots=True)
class PackageSource:
    """The package `package`, for example linux-source-6.1."""

    package: str
    cache: Path
    report: Report
    in_place: bool = False

    @property
    def name(self) -> str:
        """The package's name."""
        return self.package

    async def identify(self) -> Identity:
        """By the installed tarball's SHA-256, else by that of the package which apt would deliver.

        Raises UserError where there is no apt, or no such package (with the names there are).
        """
        if not _NAME.fullmatch(self.package):
            raise UserError(
                f"kernel package {self.package!r} is none of Debian's linux-source-X.Y, for example linux-source-6.1"
            )
        if (tarball := self._installed()).is_file():
            return Identity(digest_of(["tarball", remembered_sha256(tarball, self.cache)]))
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise UserError(
                f"{self.package} is a package of Debian and Ubuntu, and this machine has no apt",
                hint="use source: {git: …, ref: …}, {tarball: …} or {path: …} instead",
            )
        return Identity(digest_of(["package", await self._offered()]))

    async def tree(self, identity: Identity) -> Path:
        """The package's tarball, unpacked."""
        target = self.cache / "sources" / identity.key
        if target.is_dir():
            return target
        if self._installed().is_file():
            return await unpack(self._installed(), target, self.report)
        folder = self.cache / "downloads" / identity.key
        async with locked(folder.with_name(f"{folder.name}.lock"), report=self.report, step=_STEP):
            if not folder.is_dir():
                self.report(Progress(_STEP, f"downloading {self.package}"))
                with published(folder) as temporary:
                    await self._fetch(temporary)
        return await unpack(next(folder.glob("linux-source-*.tar.*")), target, self.report)

    def _installed(self) -> Path:
        return INSTALLED / f"{self.package}.tar.xz"

    async def _offered(self) -> str:
        """The SHA-256 of the package that `apt-get download` would fetch; apt verifies it."""
        done = await run(
            ["apt-cache", "show", "--no-all-versions", self.package], env={"LC_ALL": "C"}, check=False, timeout=60
        )
        if found := re.search(r"^SHA256: ([0-9a-f]{64})$", done.stdout, re.MULTILINE):
            return found[1]
        names = (await run(["apt-cache", "pkgnames", "linux-source-"], check=False, timeout=60)).stdout.split()
        known = [name for name in names if _NAME.fullmatch(name)]
        near = difflib.get_close_matches(self.package, known, n=3, cutoff=0.0)
        hint = (
            f"it has {', '.join(near)}"
            if near
            else "it knows no linux-source package at all: run apt-get update, or enable its archive"
        )
        raise UserError(f"apt knows no package {self.package}", hint=hint)

    async def _fetch(self, into: Path) -> None:
        try:
            await run(["apt-get", "download", self.package], cwd=into, env={"LC_ALL": "C"}, timeout=1800)
        except CommandError as error:
            raise InfrastructureError(
                f"apt could not download {self.package}: {error.message}", hint="run apt-get update, then try again"
            ) from error
        package = next(into.glob("*.deb"))
        await run(["dpkg-deb", "-x", package, into / "files"], timeout=600)
        tarball = next((into / "files/usr/src").glob("linux-source-*.tar.*"), None)
        if tarball is None:
            raise InfrastructureError(f"{package.name} holds no usr/src/linux-source-*.tar.*")
        tarball.rename(into / tarball.name)
        package.unlink()
        shutil.rmtree(into / "files")
