"""Describe a Terraform plan so that a person can accept or reject it. Prices are not guessed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kdevops.lab.cloud import Size, all_facts
from kdevops.text import clean

_MOST_NAMES = 20
_TEXT = 80
_VERBS = {
    ("create",): "make", ("update",): "change", ("delete",): "destroy", ("delete", "create"): "replace",
    ("create", "delete"): "replace", ("forget",): "forget",
}  # fmt: skip
_ORDER = ("make", "change", "resize", "replace", "destroy", "forget")
_WHO_GETS_IN = re.compile(r"(?:ingress|egress|security|secgroup|firewall)\w*_rule(?:_v\d)?$|_firewall$")
"""Resource types that control access to ssh: they follow this machine's address, cost nothing and need no consent."""


@dataclass(frozen=True, slots=True)
class Summary:
    """`lines` are for a person. `made` and `lost` are names of machines; `asks`: consent is needed.

    `resizes`: something that exists gets another size, and its costs change.
    """

    lines: tuple[str, ...]
    made: frozenset[str]
    lost: frozenset[str]
    asks: bool
    where: str = ""
    resizes: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    verb: str
    kind: str
    size: str
    name: str


def summarise(plan: Mapping[str, Any], nodes: Collection[str], *, running: Collection[str] = ()) -> Summary:
    """Summarise the JSON of a plan for the machines `nodes`, existing and wanted ones.

    `running` are those in use now: they would be lost if they are replaced or destroyed, and most clouds restart a
    machine to resize it.
    """
    changes = [change for each in _list(plan.get("resource_changes")) if (change := _change(each))]
    grouped: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for change in changes:
        grouped[change.verb, change.kind, change.size].append(change.name)
    lines = []
    for verb, kind, size in sorted(grouped, key=lambda key: (_ORDER.index(key[0]), not key[2], key)):
        names = grouped[verb, kind, size]
        known = sorted({name for name in names if name in nodes})
        told = f": {_some(known)}" if known else ""
        lines.append(f"{verb:8} {len(names):3} {kind}{f' ({size})' if size else ''}{told}")
    lost = {change.name for change in changes if change.verb in {"replace", "destroy"}} & set(nodes)
    endangered = sorted(lost & set(running))
    if endangered:
        lines.append(f"{_some(endangered)} run now, and all that is on them will be lost")
    resized = {change.name for change in changes if change.verb == "resize"} & set(running) - lost
    if resized:
        lines.append(f"{_some(sorted(resized))} run now, and may be restarted by this")
    made = {change.name for change in changes if change.verb in {"make", "replace"}} & set(nodes)
    asks = any(change.verb != "change" and not _WHO_GETS_IN.search(change.kind) for change in changes)
    resizes = any(change.verb == "resize" for change in changes)
    return Summary(tuple(lines), frozenset(made), frozenset(lost), asks, _where(plan), resizes)


def _change(resource: object) -> _Change | None:
    if not isinstance(resource, dict) or resource.get("mode") != "managed":
        return None
    change = resource.get("change")
    if not isinstance(change, dict):
        return None
    verb = _VERBS.get(tuple(str(each) for each in _list(change.get("actions"))))
    if verb is None:
        return None
    sizes = _sizes(change.get("after") or change.get("before"))
    size = next(iter(sizes.values()), "")
    if verb == "change":
        before = _sizes(change.get("before"))
        if differing := [told for key, told in sizes.items() if before.get(key) != told]:
            verb, size = "resize", ", ".join(differing)
    index = resource.get("index")
    name = clean(index.partition(":")[0] if isinstance(index, str) else "", _TEXT)
    return _Change(verb, clean(str(resource.get("type", "?")), _TEXT), size, name)


@cache
def _known() -> tuple[Size, ...]:
    """The sizes of all clouds, because a module of the user's own may make machines in any: words before numbers."""
    sizes = dict.fromkeys(size for facts in all_facts().values() for size in facts.sizes)
    return tuple(sorted(sizes, key=lambda size: size.unit != ""))


def _sizes(values: object) -> dict[str, str]:
    """The size of a machine or a disk, by attribute name, the most informative one first."""
    if not isinstance(values, dict):
        return {}
    found: dict[str, str] = {}
    for size in _known():
        block, dot, key = size.attribute.rpartition(".")
        inner = next(iter(_list(values.get(block))), None) if dot else values
        value = inner.get(key) if isinstance(inner, dict) else None
        if size.unit:
            found.setdefault(size.attribute, _number(value, size.unit))
        elif isinstance(value, str) and value:
            found[size.attribute] = clean(value, _TEXT)
    return {name: told for name, told in found.items() if told}


def _number(value: object, unit: str) -> str:
    """Format a number, which some providers store as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:9])
    if isinstance(value, float):
        return f"{value:g} {unit}"
    return clean(f"{value} {unit}", _TEXT) if isinstance(value, int) and not isinstance(value, bool) else ""


def _where(plan: Mapping[str, Any]) -> str:
    """The module's output `summary`, if it is known before anything is created."""
    found: object = plan
    for step in ("planned_values", "outputs", "summary", "value"):
        found = found.get(step) if isinstance(found, dict) else None
    return clean(found, 100) if isinstance(found, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _some(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
