"""Query, download and unpack Debian packages without root."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

from kdevops.errors import CommandError, InfrastructureError, UserError
from kdevops.process import run

_C = {"LC_ALL": "C"}


def require_apt(package: str) -> None:
    """Raise UserError on a machine without apt."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise UserError(
            f"{package} is a Debian or Ubuntu package, and this machine has no apt",
            hint="use source: {git: …, ref: …}, {tarball: …}, {path: …} or {prebuilt: …} instead",
        )


async def offered(package: str, family: str) -> str:
    """The SHA-256 of the package that `download` would fetch; apt verifies it.

    Raises UserError for an unknown package, suggesting the closest names that begin with `family`.
    """
    done = await run(["apt-cache", "show", "--no-all-versions", package], env=_C, check=False, timeout=60)
    if found := re.search(r"^SHA256: ([0-9a-f]{64})$", done.stdout, re.MULTILINE):
        return found[1]
    known = (await run(["apt-cache", "pkgnames", family], check=False, timeout=60)).stdout.split()
    near = difflib.get_close_matches(package, known, n=3, cutoff=0.0)
    hint = (
        f"similar packages: {', '.join(near)}"
        if near
        else f"no package starts with {family}: run apt-get update, or enable the archive that has it"
    )
    raise UserError(f"apt does not know a package {package}", hint=hint)


async def download(package: str, into: Path) -> Path:
    """Fetch a package as an ordinary user. Raises InfrastructureError."""
    before = set(into.glob("*.deb"))
    try:
        await run(["apt-get", "download", package], cwd=into, env=_C, timeout=1800)
    except CommandError as error:
        raise InfrastructureError(
            f"apt could not download {package}: {error.message}", hint="run apt-get update and try again"
        ) from error
    return next(path for path in into.glob("*.deb") if path not in before)


async def extract(archive: Path, into: Path) -> None:
    """Unpack the files of a package."""
    await run(["dpkg-deb", "-x", archive, into], timeout=600)


async def dependencies(archive: Path) -> list[str]:
    """The names of the packages it depends on, without versions; of alternatives, the first."""
    said = (await run(["dpkg-deb", "-f", archive, "Depends"], timeout=60)).stdout
    return [match[0] for part in said.split(",") if (match := re.search(r"[a-z0-9][a-z0-9.+-]+", part))]
