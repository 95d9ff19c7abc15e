"""All profiles: ours, in one data file per file system, and the user's."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from kdevops.errors import UserError
from kdevops.lab.document import MAX_BYTES, SourceSpan, parse
from kdevops.lab.explain import explain
from kdevops.lab.fstests import Fstests, Profile, ProfileName
from kdevops.text import nearest

_DATA = files("kdevops.suites.fstests").joinpath("profiles")
_TABLE = TypeAdapter(dict[ProfileName, Profile])
RESERVED = "default"
"""The section of fstests' configuration that all others build on; no profile can have its name."""


@functools.cache
def load_profiles() -> Mapping[str, Profile]:
    """The profiles that come with kdevops, by name, in the order of their files."""
    table: dict[str, Profile] = {}
    for path in sorted(_DATA.iterdir(), key=lambda path: path.name):
        table |= _parse(path.read_text(), path.name)
    return MappingProxyType(table)


def profiles_of(fstests: Fstests) -> dict[str, Profile]:
    """The profiles that the lab chose, by name, in its order.

    Raises UserError for an unknown name, with the nearest ones; for an invalid profile file; and for a profile whose
    name is taken, because results are stored by that name.
    """
    table = dict(load_profiles())
    for path in fstests.profile_files:
        _add(table, _parse(_read(path), str(path)), str(path))
    _add(table, fstests.define, "suites.fstests.define")
    unknown = [f"{name!r}{nearest(name, list(table))}" for name in fstests.profiles if name not in table]
    if unknown:
        raise UserError(
            "suites.fstests.profiles: there is no profile " + ", and none ".join(unknown),
            hint="kdevops lab profiles lists them; suites.fstests.define adds new ones",
        )
    return {name: table[name] for name in fstests.profiles}


def as_made(profile: Profile) -> str:
    """How the profile makes and mounts its file system, in words: "mkfs -f -b size=1024; mount -o noatime"."""
    made = [f"{tool} {options}" for tool, options in (("mkfs", profile.mkfs), ("mount", profile.mount)) if options]
    return "; ".join(made) or "as it comes"


def file_system_of(profile: str) -> str:
    """The file system of our profile of this name, else what the name begins with."""
    ours = load_profiles().get(profile)
    return ours.fs if ours else profile.partition("_")[0]


def _add(table: dict[str, Profile], more: Mapping[str, Profile], where: str) -> None:
    for name in more:
        if name == RESERVED:
            raise UserError(f"{where}: no profile can be called {name}: fstests reserves that section")
        if name in table:
            raise UserError(f"{where}: there is a profile {name} already", hint="give yours another name")
    table.update(more)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES >> 20} MiB, so not a profile file")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text") from None


def _parse(text: str, name: str) -> dict[str, Profile]:
    document = parse(text, lambda line, column: SourceSpan(name, line, column, Path()))
    problems: Iterable[object] = document.problems
    if not document.problems:
        try:
            # As JSON, because strict mode then fits YAML: "2" is not a number.
            return _TABLE.validate_json(json.dumps(document.value), strict=True)
        except ValidationError as error:
            problems = sorted(explain(error, document, _TABLE.json_schema()))
    raise UserError(
        "\n".join(map(str, problems)), hint="a profile file is a mapping of names to fs, mkfs, mount, needs, …"
    )
