"""Debian's packaged kernel source, `linux-source-X.Y`: installed, or downloaded with apt without root."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import InfrastructureError, UserError
from kdevops.files import digest_of, locked, published, remembered_sha256
from kdevops.kernel import apt
from kdevops.kernel.tree import Identity
from kdevops.kernel.unpack import unpack
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
        """By the installed tarball's SHA-256, else by that of the package that apt would download.

        Raises UserError without apt, or for an unknown package (with the known names).
        """
        if not _NAME.fullmatch(self.package):
            raise UserError(
                f"kernel package {self.package!r} must be a Debian linux-source-X.Y, for example linux-source-6.1"
            )
        if (tarball := self._installed()).is_file():
            return Identity(digest_of(["tarball", remembered_sha256(tarball, self.cache)]))
        apt.require_apt(self.package)
        return Identity(digest_of(["package", await apt.offered(self.package, "linux-source-")]))

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

    async def _fetch(self, into: Path) -> None:
        package = await apt.download(self.package, into)
        await apt.extract(package, into / "files")
        tarball = next((into / "files/usr/src").glob("linux-source-*.tar.*"), None)
        if tarball is None:
            raise InfrastructureError(f"{package.name} contains no usr/src/linux-source-*.tar.*")
        tarball.rename(into / tarball.name)
        package.unlink()
        shutil.rmtree(into / "files")
