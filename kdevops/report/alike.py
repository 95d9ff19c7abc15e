"""Group messages from guests that differ only in names and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from kdevops.text import ELLIPSIS, clean

_Item = TypeVar("_Item")
# Parts that differ between guests and profiles. System paths stay, because they say what is missing; so do small numbers,
# which are more often versions and limits than sizes.
_VARYING = re.compile(
    r"(?<![\w/.…])/(?!(?:proc|sys|etc|usr|s?bin|lib(?:64)?)/)[\w.+@%:~-]*\w(?:/[\w.+@%:~-]*\w)*"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|\b0x[0-9a-f]+\b"
    r"|(?<=CPU: )\d+|(?<=PID: )\d+"
    r"|(?<![\w.:])\d{3,}(?!\w)"
)
# fstests has the same requirements for both its file systems and names the one that lacks something.
_WHICH = re.compile(r"\b(?:test or scratch|test|scratch)(?= (?:file ?system|device|fs)\b)")


def pattern(text: str) -> str:
    """`text` as one line, with "…" for paths of devices and mount points, long numbers and addresses."""
    return _WHICH.sub("test or scratch", _VARYING.sub(ELLIPSIS, clean(text)))


def alike(items: Iterable[tuple[str, _Item]]) -> list[tuple[str, list[_Item]]]:
    """Group items whose messages have the same pattern, the most frequent first.

    A group is labelled with the message if all are equal, else with the pattern.
    """
    groups: dict[str, tuple[set[str], list[_Item]]] = {}
    for text, item in items:
        texts, members = groups.setdefault(pattern(text), (set(), []))
        texts.add(clean(text))
        members.append(item)
    told = [(min(texts) if len(texts) == 1 else key, members) for key, (texts, members) in groups.items()]
    return sorted(told, key=lambda group: (-len(group[1]), group[0]))
