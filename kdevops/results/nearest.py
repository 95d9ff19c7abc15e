"""Which of the directories that are named after kernels apply to a kernel, nearest first.

For 6.1.119-rc1, whichever of these exist, in this order:

    6.1.119-rc1                      the exact name; then without "+", and without what git or LOCALVERSION added
    6.1.118 … 6.1.42 … 6.1.0-rc6     older releases of its series, the newest first; an -rc is older than its release
    6.1, 6.1.y, linux-6.1.y          the series itself
    6.0.9 … 5.10.105 …               older series, each in the same order
    any

Nothing newer than the kernel applies. "6.1.42+" is 6.1.42 with commits on top: it is newer than 6.1.42, and applies to
6.1.42-mine. "6.1.0-rc5-next-20221118" and "6.6.0-rc5-large-block" are other trees, of which nobody knows what they have in
common with a release: they apply to just that kernel. A number in front, as in 4.19.0-4-amd64 or 5.14.0-162.6.1.el9, is
that of a distribution's package. Such a build is its release with patches on top: it applies to later builds of the
same distribution, and to newer releases, but not to the release itself. A kernel of another tree may use what is known
of the release on which it is based, and of older ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

ANY = "any"
"""The directory for every kernel."""
_SERIES = re.compile(r"(?:linux-|v)?(?P<major>[0-9]{1,9})\.(?P<minor>[0-9]{1,9})(?:\.y)?")
_RELEASE = re.compile(
    r"(?P<major>[0-9]{1,9})\.(?P<minor>[0-9]{1,9})(?:\.(?P<patch>[0-9]{1,9}))?(?:-rc(?P<rc>[0-9]{1,9}))?(?P<rest>[^0-9].*)?",
    re.DOTALL,
)
_FROM_GIT = re.compile(r"(?:-[0-9]{5})?-g[0-9a-f]{7,40}(?:-dirty)?\+?$|-dirty\+?$|\+$")
_PACKAGE = re.compile(r"-(?P<build>[0-9]{1,7}(?:\.[0-9]{1,7})*)(?P<flavour>[.-].+)?", re.DOTALL)
_RELEASED = 1 << 40
"""Instead of the number of an -rc."""


@dataclass(frozen=True, slots=True)
class _Kernel:
    """`version`: major, minor, patch, rc. `rest` is what follows; `build` the number of a package, and `flavour` its end."""

    version: tuple[int, int, int, int]
    rest: str = ""
    build: tuple[int, ...] = ()
    flavour: str = ""

    @property
    def order(self) -> tuple[Any, ...]:
        """The newest version first; of one version the release itself, "+", the newest package."""
        return (
            *(-number for number in self.version[:2]),
            False,
            *(-number for number in self.version[2:]),
            bool(self.build),
            *((self.rest,) if not self.build else (tuple(-number for number in self.build), self.rest)),
        )


def nearest_first(names: Iterable[str], release: str) -> tuple[str, ...]:
    """Those of `names` that apply to a kernel release, the nearest first, in an order that depends on nothing else.

    A release that is none has its own name and "any".
    """
    there = set(names)
    spelled = [name for name in _spelled(release) if name in there and name != ANY]
    kernel = _kernel(release)
    others = sorted(_older(there.difference(spelled), kernel)) if kernel else []
    return (*spelled, *(name for _, name in others), *((ANY,) if ANY in there else ()))


def same_release(name: str, release: str) -> bool:
    """Whether the directory `name` is for the very release that `release` is, or is a build of."""
    if name in _spelled(release):
        return True
    of, kernel = _kernel(name), _kernel(release)
    plain = of is not None and of.rest in {"", "+"} and not _SERIES.fullmatch(name)
    return plain and of is not None and kernel is not None and of.version == kernel.version


def is_kernel(name: str) -> bool:
    """Whether a directory is named after a kernel, a series, or is for all."""
    return name == ANY or _kernel(name) is not None or _SERIES.fullmatch(name) is not None


def by_release(name: str) -> tuple[Any, ...]:
    """A key to sort such names by, the oldest first."""
    if series := _SERIES.fullmatch(name):
        return (int(series["major"]), int(series["minor"])), name
    kernel = _kernel(name)
    return (kernel.version if kernel else (_RELEASED,)), name


def _spelled(release: str) -> tuple[str, ...]:
    """The release as it is, and without what git and the build add to it."""
    found, last = [release], ""
    while last != found[-1]:
        last = found[-1]
        if (shorter := _FROM_GIT.sub("", last)) and shorter != last:
            found.append(shorter)
    return tuple(found)


def _older(names: Iterable[str], kernel: _Kernel) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The names that apply besides the kernel's own, with what orders them."""
    for name in names:
        if series := _SERIES.fullmatch(name):
            numbers = int(series["major"]), int(series["minor"])
            if numbers <= kernel.version[:2]:
                yield (*(-number for number in numbers), True), name
        elif (each := _kernel(name)) and _applies(each, kernel):
            yield each.order, name


def _applies(each: _Kernel, kernel: _Kernel) -> bool:
    if each.rest not in {"", "+"} and not each.build:
        return False
    if each.version != kernel.version or not each.rest:
        return each.version <= kernel.version
    if each.build:
        return each.flavour == kernel.flavour and each.build < kernel.build
    return bool(kernel.rest)


@lru_cache(maxsize=4096)
def _kernel(name: str) -> _Kernel | None:
    match = _RELEASE.fullmatch(name)
    if not match:
        return None
    rc = int(match["rc"]) if match["rc"] else _RELEASED
    version = (int(match["major"]), int(match["minor"]), int(match["patch"] or 0), rc)
    rest = match["rest"] or ""
    package = None if _FROM_GIT.search(rest) else _PACKAGE.fullmatch(rest)
    if not package:
        return _Kernel(version, rest)
    return _Kernel(version, rest, tuple(map(int, package["build"].split("."))), package["flavour"] or "")
