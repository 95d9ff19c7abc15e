"""The URL of a team's store, which may have a password: never shown, and never in an error."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from kdevops.errors import UserError
from kdevops.text import clean

_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
_SECRET = frozenset({"password", "sslpassword"})
_EXAMPLE = (
    "like KDEVOPS_STORE=postgresql://user@host/database; without it, results are stored in a file of this machine"
)
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A URL; `str` gives it without anything secret."""

    url: sa.URL

    def __str__(self) -> str:
        plain = self.url.set(drivername="postgresql").difference_update_query(_SECRET)
        return clean(plain.render_as_string(hide_password=True), 300)

    def __repr__(self) -> str:
        return f"StoreUrl({self})"

    def without_secrets(self, text: str) -> str:
        """A message of others about this URL, without its secrets."""
        secrets = [self.url.password, *(self.url.query.get(name) for name in _SECRET)]
        for secret in secrets:
            if secret and isinstance(secret, str):
                text = text.replace(secret, _HIDDEN)
        return text


def parsed(text: str) -> StoreUrl:
    """Parse KDEVOPS_STORE. Raises UserError, without a word of it, because a password may be anywhere in it."""
    try:
        url = sa.make_url(text)
        url.render_as_string()
    except (sa.exc.ArgumentError, ValueError):
        raise UserError("KDEVOPS_STORE is not a URL", hint=f"set it {_EXAMPLE}") from None
    if url.drivername not in _SCHEMES:
        raise UserError(
            f"KDEVOPS_STORE is a URL of {clean(url.drivername, 40)}, which kdevops cannot use as a store",
            hint=f"set it {_EXAMPLE}",
        )
    if "/" in (url.username or "") or "@" in (url.host or "") or "\0" in text:
        raise UserError(
            "KDEVOPS_STORE has a user or a host that cannot be", hint="write / as %2F and @ as %40 in its password"
        )
    return StoreUrl(url.set(drivername="postgresql+psycopg"))
