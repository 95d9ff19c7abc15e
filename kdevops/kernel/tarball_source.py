"""A kernel tarball: a local file, or a URL with its SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kdevops.download import download
from kdevops.errors import UserError
from kdevops.files import digest_of, locked, published, remembered_sha256
from kdevops.kernel.tree import Identity
from kdevops.kernel.unpack import unpack
from kdevops.progress import Report

_MAX_BYTES = 4 << 30
"""Ten times the biggest kernel tarball."""


@dataclass(frozen=True, slots=True)
class TarballSource:
    """A tarball at `location`, a path or a URL."""

    location: str
    sha256: str | None
    cache: Path
    report: Report
    in_place: bool = False

    @property
    def name(self) -> str:
        """The location."""
        return self.location

    async def identify(self) -> Identity:
        """By the tarball's SHA-256. Raises UserError for a missing file or a different SHA-256."""
        if "://" in self.location:
            if not self.sha256:
                raise UserError(f"the tarball {self.location} needs a sha256")
            return Identity(digest_of(["tarball", self.sha256]))
        path = Path(self.location)
        if not path.is_file():
            raise UserError(f"kernel tarball {path} {'is not a file' if path.exists() else 'does not exist'}")
        found = remembered_sha256(path, self.cache)
        if self.sha256 and found != self.sha256:
            raise UserError(f"kernel tarball {path} has the wrong sha256: it is {found}, expected {self.sha256}")
        return Identity(digest_of(["tarball", found]))

    async def tree(self, identity: Identity) -> Path:
        """The tarball's content, downloaded if need be."""
        target = self.cache / "sources" / identity.key
        if target.is_dir():
            return target
        if "://" not in self.location:
            return await unpack(Path(self.location), target, self.report)
        assert self.sha256  # `identify` was asked first
        folder = self.cache / "downloads" / self.sha256
        async with locked(folder.with_name(f"{folder.name}.lock"), report=self.report, step="kernel download"):
            tarball = folder / (Path(urlsplit(self.location).path).name or "linux.tar")
            if not tarball.is_file():
                with published(folder) as temporary:
                    await download(
                        self.location,
                        temporary / tarball.name,
                        sha256=self.sha256,
                        limit=_MAX_BYTES,
                        step="kernel download",
                        report=self.report,
                    )
        return await unpack(tarball, target, self.report)
