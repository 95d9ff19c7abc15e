"""Kernel options: parse and write .config text, and merge requests for options."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from kdevops.errors import UserError
from kdevops.kernel.spec import Asked

_SET = re.compile(r"(?:CONFIG_)?(?P<symbol>[A-Za-z0-9_]+)=(?P<value>\S.*?)")
_UNSET = re.compile(r"# CONFIG_(?P<symbol>[A-Za-z0-9_]+) is not set")
_VALUE = re.compile(r'y|m|n|-?\d+|0x[0-9a-fA-F]+|"(?:[^"\\]|\\.)*"')
_OPTIONAL = re.compile(r"\s+# optional\b.*$")


@dataclass(frozen=True, slots=True)
class Request:
    """One requested option. A value is "y", "m", "n", a number, or text in quotes, as in a .config."""

    symbol: str
    value: str
    who: str
    required: bool = True


def parse_config(text: str) -> dict[str, str]:
    """Symbol without CONFIG_ → value, from a .config. "is not set" gives "n"; other lines are ignored."""
    found = {}
    for line in text.splitlines():
        if match := _UNSET.fullmatch(line):
            found[match["symbol"]] = "n"
        elif line.startswith("CONFIG_") and (match := _SET.fullmatch(line)):
            found[match["symbol"]] = match["value"]
    return found


def format_config(options: dict[str, str]) -> str:
    """The text of a .config; `parse_config` reads it back."""
    lines = [
        f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}" for name, value in options.items()
    ]
    return "".join(f"{line}\n" for line in lines)


def parse_fragment(text: str, who: str) -> list[Request]:
    """The requests in a configuration fragment; `who` names it in messages.

    Kconfig may drop an option followed by "# optional" (and a reason). Raises UserError, with the line, for
    anything that is neither an option nor a comment.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or (line.startswith("#") and not _UNSET.fullmatch(line)):
            continue
        bare = _OPTIONAL.sub("", line)
        match = _UNSET.fullmatch(bare) or _SET.fullmatch(bare)
        value = "n" if match and match.re is _UNSET else match["value"] if match else ""
        if not match or not _VALUE.fullmatch(value):
            raise UserError(
                f"{who}, line {number}: {line[:80]!r} is not a kernel option", hint="for example CONFIG_XFS_FS=y"
            )
        found.append(Request(match["symbol"], value, who, required=bare == line))
    return found


def merge(
    base: Iterable[Request], chosen: Iterable[Request], asked: Iterable[Asked]
) -> tuple[dict[str, Request], list[str]]:
    """The requests for Kconfig, by symbol, and warnings about overridden optional requests.

    The user's choice (`chosen`, the last one wins) overrides the base. Requests of suites and others (`asked`) must agree
    with it and with each other, where "y" satisfies "m"; they override the base. Raises UserError naming both sides of a
    contradiction.
    """
    asked = list(asked)
    merged = {request.symbol: request for request in base}
    firm = {request.symbol: request for request in chosen}
    merged |= firm
    warnings = []
    for request in [Request(s, v, one.who) for one in asked for s, v in one.required.items()]:
        held = firm.get(request.symbol)
        if held and held.required and not _agree(held.value, request.value):
            raise UserError(
                f"CONFIG_{request.symbol}: {held.who} wants {held.value}, {request.who} wants {request.value}",
                hint="change one of them, or use two labs",
            )
        firm[request.symbol] = merged[request.symbol] = _stronger(merged.get(request.symbol), request)
    for request in [Request(s, v, one.who, required=False) for one in asked for s, v in one.optional.items()]:
        held = firm.get(request.symbol)
        if held is None:
            firm[request.symbol] = merged[request.symbol] = _stronger(merged.get(request.symbol), request)
        elif not satisfies(held.value, request.value):
            warnings.append(
                f"CONFIG_{request.symbol}={request.value}, optional for {request.who}, is {held.value}: {held.who} wants it"
            )
    return merged, warnings


def satisfies(found: str, wanted: str) -> bool:
    """Whether the value `found` satisfies a request for `wanted`; a built-in option satisfies a request for a module."""
    return found.lower() == wanted.lower() or (found, wanted) == ("y", "m")


def _agree(one: str, other: str) -> bool:
    return satisfies(one, other) or satisfies(other, one)


def _stronger(held: Request | None, request: Request) -> Request:
    """The request, with "y" in place of "m" when `held` is already built in."""
    if held and (held.value, request.value) == ("y", "m"):
        return Request(request.symbol, "y", request.who, request.required)
    return request
