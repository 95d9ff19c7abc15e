"""The spec of a kernel build: plain data, sent into a guest as JSON."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from kdevops.errors import UserError
from kdevops.sources import SOURCES, SourceKind

Compiler = Literal["gcc", "clang"]
DISTRIBUTION_KERNEL = "linux-image-"
"""Prefix of Debian's kernel packages; every other package holds source."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where the kernel comes from. `location` is a path, a URL or a package's name, depending on `kind`.

    `ref` is for git. `sha256` is that of a tarball; required for a URL.
    """

    kind: SourceKind
    location: str
    ref: str | None = None
    sha256: str | None = None

    @property
    def is_distribution_kernel(self) -> bool:
        """Whether this is a package with a built kernel."""
        return self.kind == "package" and self.location.startswith(DISTRIBUTION_KERNEL)

    @property
    def is_built(self) -> bool:
        """Whether the kernel is already built, so that there is no source."""
        return SOURCES[self.kind].is_built or self.is_distribution_kernel


@dataclass(frozen=True, slots=True)
class ConfigSpec:
    """The user's configuration: a base, then fragments, then single options; later ones win.

    `base` is lean, defconfig, distro or a file; a fragment is one of ours by name, or a file. `options` and `optional`
    are lines of a .config ("CONFIG_KUNIT=y"); Kconfig may drop an optional one.
    """

    base: str = "lean"
    fragments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Options that a suite or provider (`who`) needs: symbol without CONFIG_ → value."""

    who: str
    required: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """One kernel to build. `jobs` is make's -j, default one per usable processor; it is not part of the artifact's key."""

    source: SourceSpec
    patches: tuple[str, ...] = ()
    config: ConfigSpec = ConfigSpec()
    asked: tuple[Asked, ...] = ()
    compiler: Compiler = "gcc"
    jobs: int | None = None

    def to_json(self) -> str:
        """The spec as a JSON object; `from_json` reads it back."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> BuildSpec:
        """Read what `to_json` wrote. Raises UserError naming the field that is unknown, missing or of the wrong type."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise UserError(f"the build spec is not JSON: {error}") from error
        spec: BuildSpec = _read(data, cls, "spec")
        return spec


def _read(value: Any, kind: Any, where: str) -> Any:
    """Convert `value` from JSON to `kind`; supports only the kinds used above."""
    if dataclasses.is_dataclass(kind):
        return _read_object(value, kind, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(item, arguments[0], f"{where}[{number}]") for number, item in enumerate(value))
    if origin is Mapping and isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value
    if origin is Literal and value in arguments:
        return value
    if origin is types.UnionType:
        return None if value is None else _read(value, arguments[0], where)
    if kind in {str, int} and type(value) is kind:
        return value
    wanted = " or ".join(map(str, arguments)) if origin is Literal else _WORDS.get(origin or kind, "something else")
    raise UserError(f"{where} in the build spec must be {wanted}, found {json.dumps(value)[:80]}")


_WORDS: dict[Any, str] = {str: "text", int: "a whole number", tuple: "a list", Mapping: "an object of texts"}


def _read_object(value: Any, kind: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise UserError(f"{where} in the build spec must be an object, found {json.dumps(value)[:80]}")
    hints = get_type_hints(kind)
    if unknown := sorted(set(value) - set(hints)):
        raise UserError(f"{where} has an unknown field {unknown[0]!r}", hint=f"known: {', '.join(hints)}")
    needed = dataclasses.MISSING
    for entry in dataclasses.fields(kind):
        if entry.default is needed and entry.default_factory is needed and entry.name not in value:
            raise UserError(f"{where} lacks the required field {entry.name!r}")
    return kind(**{name: _read(item, hints[name], f"{where}.{name}") for name, item in value.items()})
