"""Kernel options as text: lines of a .config, and who asks for what."""

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
    """One option that somebody asked for. A value is "y", "m", "n", a number, or text in quotes, as in a .config."""

    symbol: str
    value: str
    who: str
    required: bool = True


def parse_config(text: str) -> dict[str, str]:
    """Symbol without CONFIG_ → value, from a .config. What "is not set" is "n"; anything else than options is passed over."""
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
    """The requests in a configuration fragment; `who` stands in messages.

    An option followed by "# optional" (and a reason) may be dropped by Kconfig. Raises UserError, with the line, for
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
                f"{who}, line {number}: {line[:80]!r} is no kernel option", hint="for example CONFIG_XFS_FS=y"
            )
        found.append(Request(match["symbol"], value, who, required=bare == line))
    return found


def merge(
    base: Iterable[Request], chosen: Iterable[Request], asked: Iterable[Asked]
) -> tuple[dict[str, Request], list[str]]:
    """What will be asked of Kconfig, by symbol, and warnings about optional requests that lost.

    The user's choice (`chosen`, a later one over an earlier) goes over the base. What suites and others ask for must agree
    with it and among each other, where "y" does for "m"; the base gives way. Raises UserError naming both who contradict.
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
                hint="change one of them, or run them as two labs",
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
    """Whether an option that is `found` does for one who asked for `wanted`; what is built in does for a module."""
    return found.lower() == wanted.lower() or (found, wanted) == ("y", "m")


def _agree(one: str, other: str) -> bool:
    return satisfies(one, other) or satisfies(other, one)


def _stronger(held: Request | None, request: Request) -> Request:
    """The request, with "y" in place of "m" when that is what is held already."""
    if held and (held.value, request.value) == ("y", "m"):
        return Request(request.symbol, "y", request.who, request.required)
    return request
