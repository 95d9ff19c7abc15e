"""A plan of Terraform, told so that a person can say yes or no to it. Prices are not guessed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from kdevops.results.text import clean

_MOST_NAMES = 20
_TEXT = 80
_VERBS = {
    ("create",): "make", ("update",): "change", ("delete",): "destroy", ("delete", "create"): "replace",
    ("create", "delete"): "replace", ("forget",): "forget",
}  # fmt: skip
_ORDER = ("make", "change", "replace", "destroy", "forget")
_SIZES = ("instance_type", "machine_type", "vm_size", "size", "shape", "flavor_name")
_GIB = ("size", "disk_size_gb", "size_in_gbs")
_WHO_GETS_IN = re.compile(r"(?:ingress|egress|security|secgroup|firewall)\w*_rule(?:_v\d)?$|_firewall$")
"""Types of resources that say who may reach ssh: they follow this machine's address, cost nothing and are not asked about."""


@dataclass(frozen=True, slots=True)
class Summary:
    """`lines` are for a person. `made` and `lost` are names of machines; `asks`, whether somebody has to agree."""

    lines: tuple[str, ...]
    made: frozenset[str]
    lost: frozenset[str]
    asks: bool
    where: str = ""


@dataclass(frozen=True, slots=True)
class _Change:
    verb: str
    kind: str
    size: str
    name: str


def summarise(plan: Mapping[str, Any], nodes: Collection[str], *, running: Collection[str] = ()) -> Summary:
    """What the JSON of a plan comes to, for the machines `nodes`, those that are there and those that are to be.

    `running` are such of them as are in use now, and would be lost when they are replaced or destroyed.
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
    made = {change.name for change in changes if change.verb in {"make", "replace"}} & set(nodes)
    asks = any(change.verb != "change" and not _WHO_GETS_IN.search(change.kind) for change in changes)
    return Summary(tuple(lines), frozenset(made), frozenset(lost), asks, _where(plan))


def _change(resource: object) -> _Change | None:
    if not isinstance(resource, dict) or resource.get("mode") != "managed":
        return None
    change = resource.get("change")
    if not isinstance(change, dict):
        return None
    verb = _VERBS.get(tuple(str(each) for each in _list(change.get("actions"))))
    if verb is None:
        return None
    values = change.get("after") or change.get("before")
    index = resource.get("index")
    name = clean(index.partition(":")[0] if isinstance(index, str) else "", _TEXT)
    return _Change(verb, clean(str(resource.get("type", "?")), _TEXT), _size(values), name)


def _size(values: object) -> str:
    """How big a machine or a disk is, where the resource says so."""
    if not isinstance(values, dict):
        return ""
    for key in _SIZES:
        if isinstance(values.get(key), str) and values[key]:
            return clean(values[key], _TEXT)
    for key in _GIB:
        if isinstance(values.get(key), int) and not isinstance(values[key], bool):
            return f"{values[key]} GiB"
    return ""


def _where(plan: Mapping[str, Any]) -> str:
    """The module's output `summary`, where it is known before anything is made."""
    found: object = plan
    for step in ("planned_values", "outputs", "summary", "value"):
        found = found.get(step) if isinstance(found, dict) else None
    return clean(found, 100) if isinstance(found, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _some(names: list[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
