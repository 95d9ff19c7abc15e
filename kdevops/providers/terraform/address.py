"""This machine's address as seen from the Internet, from services that report it."""

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
"""Run by two companies, in case one is down or blocked. Both answer with the address as text."""
_SECONDS = 8.0
_MOST_BYTES = 64


async def public_address(services: Sequence[str] = SERVICES) -> str:
    """This machine's public address as a range of one address: 192.0.2.7/32. Never a wider one.

    Raises UserError, naming the field that makes the query unnecessary, if no service returns a public address.
    """
    reasons = []
    for service in services:
        try:
            return as_range(await asyncio.to_thread(_ask, service))
        except (OSError, ValueError, http.client.HTTPException) as error:
            log.debug("%s: %r", service, error)
            reasons.append(f"{service} {error}")
    raise UserError(
        f"cannot find out the public address of this machine ({'; '.join(reasons) or 'no service to ask'})"[:400],
        hint="set who may reach ssh in provider.allow, such as [192.0.2.7/32]; it is never opened to everybody",
    )


def as_range(answer: str) -> str:
    """A range with exactly this address. Raises ValueError if it is not a public address."""
    address = ip_address(answer.strip())
    if not address.is_global or address.is_multicast:
        raise ValueError(f"{address} is not a public address")
    return f"{address}/{address.max_prefixlen}"


def _ask(service: str) -> str:
    if not service.startswith("https://"):
        raise ValueError("only https is allowed")
    request = urllib.request.Request(service, headers={"User-Agent": "kdevops"})  # noqa: S310 - https, see above
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        if not answer.geturl().startswith("https://"):
            raise ValueError("it redirects to an address without https")
        text: bytes = answer.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise ValueError("its answer is not an address")
    return text.decode("ascii")
