"""The kinds of source that a kernel may come from, each with its facts; it needs only the standard library.

A new kind has a row here, a field in `kdevops.lab.model.Source` and a branch in `kdevops.kernel.source.open_source`: types and
tests tell of one that is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SourceKind = Literal["path", "tarball", "git", "package", "prebuilt"]
"""As lab files and build specs name them."""


@dataclass(frozen=True, slots=True)
class KindOfSource:
    """What its `location` is: a `path` always, a path or an `address` (a URL, or git's `host:path`), a `name`.

    `goes_with`: further fields that only this kind has. `is_built`: there is nothing to build, and so no source.
    """

    location: Literal["path", "address", "name"]
    goes_with: tuple[str, ...]
    is_built: bool


SOURCES: Mapping[SourceKind, KindOfSource] = {
    "path": KindOfSource("path", goes_with=(), is_built=False),
    "tarball": KindOfSource("address", goes_with=("sha256",), is_built=False),
    "git": KindOfSource("address", goes_with=("ref",), is_built=False),
    "package": KindOfSource("name", goes_with=(), is_built=False),
    "prebuilt": KindOfSource("path", goes_with=(), is_built=True),
}


def with_source() -> str:
    """The kinds that have a source, for a message: "path, tarball, git or package"."""
    *kinds, last = [kind for kind, facts in SOURCES.items() if not facts.is_built]
    return f"{', '.join(kinds)} or {last}"
