"""The address that the Internet sees this machine at, from services that do nothing but tell it."""

from __future__ import annotations

import asyncio
import http.client
import logging
import urllib.request
from collections.abc import Sequence
from ipaddress import ip_address

from kdevops.errors import UserError

log = logging.getLogger(__name__)

SERVICES = ("https://checkip.amazonaws.com/", "https://api.ipify.org/")
"""Of two companies, so that one that is down, or blocked, does not keep us. Both answer with the address as text."""
_SECONDS = 8.0
_MOST_BYTES = 64


async def public_address(services: Sequence[str] = SERVICES) -> str:
    """This machine's public address as a range of one: 192.0.2.7/32. Never a wider one.

    Raises UserError, which names the field that makes the question needless, when no service gives a public address.
    """
    reasons = []
    for service in services:
        try:
            return as_range(await asyncio.to_thread(_ask, service))
        except (OSError, ValueError, http.client.HTTPException) as error:
            log.debug("%s: %r", service, error)
            reasons.append(f"{service} {error}")
    raise UserError(
        f"the public address of this machine cannot be found out ({'; '.join(reasons) or 'nobody to ask'})"[:400],
        hint="say who may reach ssh at provider.allow, such as [192.0.2.7/32]; it is never opened to everybody",
    )


def as_range(answer: str) -> str:
    """A range with exactly this address in it. Raises ValueError for what is no public address."""
    address = ip_address(answer.strip())
    if not address.is_global or address.is_multicast:
        raise ValueError(f"{address} is no public address")
    return f"{address}/{address.max_prefixlen}"


def _ask(service: str) -> str:
    if not service.startswith("https://"):
        raise ValueError("only https is asked")
    request = urllib.request.Request(service, headers={"User-Agent": "kdevops"})  # noqa: S310 - https, see above
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        if not answer.geturl().startswith("https://"):
            raise ValueError("it leads to somewhere without https")
        text: bytes = answer.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError("it answers with something else than an address")
    return text.decode("ascii")
