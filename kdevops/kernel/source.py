"""Create the source object for a source spec."""

from __future__ import annotations

from pathlib import Path

from kdevops.errors import UserError
from kdevops.kernel.git_source import GitSource
from kdevops.kernel.package_source import PackageSource
from kdevops.kernel.path_source import PathSource
from kdevops.kernel.spec import SourceSpec
from kdevops.kernel.tarball_source import TarballSource
from kdevops.kernel.toolchain import Architecture
from kdevops.kernel.tree import Source
from kdevops.progress import Report


def open_source(spec: SourceSpec, architecture: Architecture, cache: Path, report: Report) -> Source:
    """The source for `spec`; nothing is read yet. Raises UserError for `prebuilt`, which has no source."""
    match spec.kind:
        case "path":
            return PathSource(Path(spec.location).absolute(), architecture)
        case "tarball":
            return TarballSource(spec.location, spec.sha256, cache, report)
        case "git":
            local = Path(spec.location)
            return GitSource(
                str(local.absolute()) if local.is_dir() else spec.location, spec.ref or "HEAD", cache, report
            )
        case "package":
            return PackageSource(spec.location, cache, report)
        case "prebuilt":
            raise UserError(f"{spec.location} is a prebuilt kernel: it has no source")
