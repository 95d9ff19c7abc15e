"""The model of a lab that names suites of installed packages: ours, joined by the sections that those suites bring."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from pydantic import create_model

from kdevops.errors import UserError
from kdevops.lab.model import Lab, Suites
from kdevops.lab.suites import OURS, READERS, find, only_imported, outsiders, unknown


@functools.cache
def lab_model(more: tuple[str, ...] = ()) -> type[Lab]:
    """The model of labs with these suites beside those that `Suites` has. Raises UserError for one that there is not."""
    fields: dict[str, Any] = {}
    for name in more:
        kind = find(name)
        if name in READERS:
            raise UserError(f"suites.{name}: {only_imported(name)}")
        if kind is None:
            raise UserError(f"suites.{name}: {unknown(name)}")
        fields[name] = (kind.model | None, None)
    if not fields:
        return Lab
    suites = create_model("Suites", __base__=Suites, __doc__=Suites.__doc__, **fields)
    return create_model("Lab", __base__=Lab, __doc__=Lab.__doc__, suites=(suites, suites()))


def whole_model() -> type[Lab]:
    """The model with every suite that can be used, ours and others'."""
    return lab_model(tuple(sorted({*OURS, *outsiders()[0]} - Suites.model_fields.keys())))


def more_suites(lab: object) -> tuple[str, ...]:
    """The names below `suites` of a lab as plain data that `Suites` does not have, sorted."""
    return tuple(sorted(_named(lab) - Suites.model_fields.keys()))


def stored_lab(lab: Any) -> Lab:
    """A lab that was kept as plain data, in the record of a run for one.

    Raises UserError for a suite that is not there any more, ValueError for what this version cannot read.
    """
    return lab_model(more_suites(lab)).model_validate(lab)


def stored_guests(lab: Any) -> Lab:
    """The same for its guests alone: what the lab says of a suite that is not there any more is left out."""
    usable = usable_suites(more_suites(lab))
    gone = set(more_suites(lab)) - set(usable)
    if gone:
        lab = {**lab, "suites": {name: section for name, section in lab["suites"].items() if name not in gone}}
    return lab_model(usable).model_validate(lab)


def usable_suites(names: Iterable[str]) -> tuple[str, ...]:
    """Those of these suites that are there and can be used."""
    return tuple(name for name in names if not why_not(name))


def why_not(name: str) -> str:
    """Why a lab cannot have this suite, in words; empty where it can."""
    if name in READERS:
        return only_imported(name)
    try:
        return "" if find(name) else unknown(name)
    except UserError as error:
        return error.message


def _named(lab: object) -> set[str]:
    suites = lab.get("suites") if isinstance(lab, dict) else None
    return set(suites) if isinstance(suites, dict) else set()
