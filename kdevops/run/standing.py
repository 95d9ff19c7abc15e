"""The labs whose guests may be there: those that the lab file stands for, and the arms that it stood for when they came up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kdevops.lab.arms import arms
from kdevops.lab.model import DEV, Lab
from kdevops.paths import write_atomic
from kdevops.run.places import Places


def remember(labs: Sequence[Lab], places: Places) -> None:
    """Keep the arms of a lab as they are now, whose guests are about to come up; the caller holds them.

    A single lab is nobody's arm from now on, whoever was called that before.
    """
    if len(labs) == 1:
        _mark(labs[0].name, places).unlink(missing_ok=True)
        return
    for lab in labs:
        said = {"of": labs[0].name, "lab": lab.model_dump(mode="json")}
        write_atomic(_mark(lab.name, places), json.dumps(said), mode=0o600)


def standing(lab: Lab, places: Places) -> tuple[Lab, ...]:
    """The arms of the lab, as they were when their guests came up; also such as `compare` or a provider was changed of."""
    there = (_remembered(name, lab.name, places) for name in (lab.name, lab.name + DEV))
    found = {(each.name, each.provider.type): each for each in (*arms(lab), *filter(None, there))}
    return tuple(found.values())


def forget(lab: Lab, places: Places) -> None:
    """The guests of all of them are gone."""
    for each in standing(lab, places):
        _mark(each.name, places).unlink(missing_ok=True)


def _remembered(name: str, of: str, places: Places) -> Lab | None:
    """The arm `name` of the lab `of`; None where there is none, or none that this version can read."""
    try:
        said = json.loads(_mark(name, places).read_bytes())
        lab = Lab.model_validate(said["lab"])
        return lab if said["of"] == of and lab.name == name else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _mark(name: str, places: Places) -> Path:
    return places.lab(name) / "arm.json"
