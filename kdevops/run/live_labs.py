"""Labs that may still have live guests: those the lab file describes now, and those it described when guests were started.

What a lab was when its guests came up is kept in its directory, so that they can be found and stopped when the lab file
says something else by now, or is gone.
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
from kdevops.run.places import Places

_FILE = "arm.json"


@dataclass(frozen=True, slots=True)
class _Mark:
    """A lab as it was when its guests came up. `of`: the lab that it is an arm of, or itself when `alone`; `file`: where from."""

    lab: Lab
    of: str
    alone: bool
    file: str


def remember(labs: Sequence[Lab], places: Places, lab_file: Path | None = None) -> None:
    """Keep the arms of a lab, or the lab alone, as they are now; their guests are about to come up. The caller holds them.

    A lab that is kept alone is not an arm of another one any more.
    """
    for lab in labs:
        said = {
            "of": labs[0].name,
            "alone": len(labs) == 1,
            "file": str(lab_file) if lab_file else "",
            "lab": lab.model_dump(mode="json"),
        }
        write_atomic(_path(lab.name, places), json.dumps(said), mode=0o600)


def remember_again(lab: Lab, places: Places, lab_file: Path | None = None) -> None:
    """Keep a lab that comes from the record of a run, unless it is kept already, where it may be an arm."""
    if _mark(lab.name, places) is None:
        remember((lab,), places, lab_file)


def standing(lab: Lab, places: Places) -> tuple[Lab, ...]:
    """The lab's arms, and those recorded when guests came up, also where `compare` or the provider has changed since.

    Of an arm the record counts; of a lab that was alone what it is now, unless its provider is of another type.
    """
    found = {(each.name, each.provider.type): each for each in arms(lab)}
    for name in (lab.name, lab.name + DEV):
        if (mark := _mark(name, places)) and mark.of == lab.name:
            key = name, mark.lab.provider.type
            if not mark.alone or key not in found:
                found[key] = mark.lab
    return tuple(found.values())


def forget(lab: Lab, places: Places) -> None:
    """The guests of all of them are gone."""
    for each in standing(lab, places):
        _path(each.name, places).unlink(missing_ok=True)


def remembered(named: str, file: Path, places: Places) -> Lab | None:
    """The lab whose name is `named`, or that was read from `file`, as it was when its guests came up; None where none is kept.

    Raises UserError where several labs came from that file.
    """
    marks = _marks(places)
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


def names(places: Places) -> tuple[str, ...]:
    """The names of labs that may have guests, as far as they are kept."""
    return tuple(sorted({mark.of for mark in _marks(places)}))


def _marks(places: Places) -> list[_Mark]:
    found = (_mark(path.parent.name, places) for path in sorted(places.labs.glob(f"*/{_FILE}")))
    return [mark for mark in found if mark]


def _mark(name: str, places: Places) -> _Mark | None:
    """What is kept of the lab `name`; None where that is nothing, or nothing that this version can read."""
    try:
        said = json.loads(_path(name, places).read_bytes())
        lab = stored_guests(said["lab"])
        mark = _Mark(lab, str(said["of"]), bool(said.get("alone")), str(said.get("file", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return mark if lab.name == name else None


def _path(name: str, places: Places) -> Path:
    return places.lab(name) / _FILE
