"""Labs that may still have live guests: those the lab file describes now, and those it described when guests were started.

When guests are started, the lab is recorded in its directory, so that they can be found and stopped even if the lab file
has changed or is gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdevops.errors import UserError
from kdevops.files import write_atomic
from kdevops.lab.arms import arms
from kdevops.lab.joined import stored_guests
from kdevops.lab.model import DEV, Lab
from kdevops.run.dirs import Dirs

_FILE = "arm.json"


@dataclass(frozen=True, slots=True)
class _Mark:
    """A lab as recorded when its guests were started.

    `of`: the lab it is a variant of, or itself if `alone`; `file`: its lab file.
    """

    lab: Lab
    of: str
    alone: bool
    file: str


def remember(labs: Sequence[Lab], dirs: Dirs, lab_file: Path | None = None) -> None:
    """Record the variants of a lab, or the lab alone, before their guests are started. The caller holds their locks.

    A lab recorded alone is no longer a variant of another one.
    """
    for lab in labs:
        said = {
            "of": labs[0].name,
            "alone": len(labs) == 1,
            "file": str(lab_file) if lab_file else "",
            "lab": lab.model_dump(mode="json"),
        }
        write_atomic(_path(lab.name, dirs), json.dumps(said), mode=0o600)


def remember_again(lab: Lab, dirs: Dirs, lab_file: Path | None = None) -> None:
    """Record a lab taken from a run's record, unless it is recorded already, perhaps as a variant."""
    if _mark(lab.name, dirs) is None:
        remember((lab,), dirs, lab_file)


def live_labs(lab: Lab, dirs: Dirs) -> tuple[Lab, ...]:
    """The lab's variants, and those recorded when guests were started, even if `compare` or the provider has changed.

    For a variant the record counts; for a lab that was alone, its present state, unless the provider type differs.
    """
    found = {(each.name, each.provider.type): each for each in arms(lab)}
    for name in (lab.name, lab.name + DEV):
        if (mark := _mark(name, dirs)) and mark.of == lab.name:
            key = name, mark.lab.provider.type
            if not mark.alone or key not in found:
                found[key] = mark.lab
    return tuple(found.values())


def forget(lab: Lab, dirs: Dirs) -> None:
    """Remove the records of the lab's variants: all their guests are gone."""
    for each in live_labs(lab, dirs):
        _path(each.name, dirs).unlink(missing_ok=True)


def recorded_lab(named: str, file: Path, dirs: Dirs) -> Lab | None:
    """The recorded lab named `named`, or read from `file`; None if there is none.

    Raises UserError if several labs came from that file.
    """
    marks = _marks(dirs)
    if by_name := [mark.lab for mark in marks if mark.lab.name == named]:
        return by_name[0]
    by_file = [mark.lab for mark in marks if mark.file == str(file) and mark.lab.name == mark.of]
    if len(by_file) > 1:
        names = ", ".join(sorted(lab.name for lab in by_file))
        raise UserError(
            f"{file} is gone, and guests of several labs came from it: {names}",
            hint="give the name of one of them instead of the file",
        )
    return by_file[0] if by_file else None


def names(dirs: Dirs) -> tuple[str, ...]:
    """The names of recorded labs, which may have guests."""
    return tuple(sorted({mark.of for mark in _marks(dirs)}))


def _marks(dirs: Dirs) -> list[_Mark]:
    found = (_mark(path.parent.name, dirs) for path in sorted(dirs.labs.glob(f"*/{_FILE}")))
    return [mark for mark in found if mark]


def _mark(name: str, dirs: Dirs) -> _Mark | None:
    """The record of the lab `name`; None if there is none that this version can read."""
    try:
        said = json.loads(_path(name, dirs).read_bytes())
        lab = stored_guests(said["lab"])
        mark = _Mark(lab, str(said["of"]), bool(said.get("alone")), str(said.get("file", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return mark if lab.name == name else None


def _path(name: str, dirs: Dirs) -> Path:
    return dirs.lab(name) / _FILE
